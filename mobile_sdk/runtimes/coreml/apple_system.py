"""Tells where Core ML's own runtime does not run: only Apple's systems have it."""

import sys


def not_run() -> str | None:
    """Returns why Apple's own runtime does not run on this machine, or None if it does."""
    if sys.platform == "darwin":
        return None
    return f"Core ML runs models only on Apple's systems, and this machine runs {sys.platform}"
