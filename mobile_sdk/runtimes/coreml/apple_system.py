"""Apple's systems alone have Core ML's own runtime: this module tells where that does not run."""

import sys


def not_run() -> str | None:
    """Returns why Apple's own runtime does not run on this machine, or None where it does."""
    if sys.platform == "darwin":
        return None
    return f"Core ML runs models only on Apple's systems, and this machine runs {sys.platform}"
