"""The command line `mobile-sdk`: the one place that sees both sides, learning and deploying."""

import os
import sys

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait do not spin: a busy machine stays usable


def main() -> None:
    """Runs the verb that the arguments name and exits with its code; an error is one line and a hint."""
    try:
        from mobile_sdk.cli.app import call
    except KeyboardInterrupt:
        sys.exit(130)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal without Unicode shows "?"
    sys.exit(call(sys.argv[1:]))


__all__ = ["main"]
