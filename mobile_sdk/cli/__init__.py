"""This room takes arguments and shows results: `mobile-sdk` parses, calls the workflow and prints."""

import io
import os
import sys

from mobile_sdk.cli import stopping
from mobile_sdk.cli.freed_memory import keep_freed_memory
from mobile_sdk.errors import MachineError
from mobile_sdk.packages import check_qat_is_ours

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait do not spin: a busy machine stays usable


def main() -> None:
    """Runs the verb that the arguments name and exits with its code; an error is one line and a hint."""
    try:
        stopping.catch_signals()
        keep_freed_memory()
        _open_streams()
        check_qat_is_ours()  # before a module of ours imports another project's
        from mobile_sdk.cli.app import call

        code = call(sys.argv[1:])
    except KeyboardInterrupt as stopped:  # raised while modules were loaded
        code = stopping.tell(stopped)
    except MachineError as error:
        stopping.say_last(f"error: {error.message}\nhint: {error.hint}")
        code = error.exit_code
    except OSError as error:  # loading the modules, as above
        stopping.say_last(f"error: expected to load mobile-sdk, found: {error}\nhint: see `ulimit -n`, and the disk")
        code = 7
    stopping.release_signals()
    sys.exit(code)


def _open_streams() -> None:
    """Opens standard streams that are closed; else the next opened file would get their numbers, and the output.

    A result that cannot be written is an error, as in other programs; news that cannot be written are none.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest free number, which is this one
    sys.stdout = sys.stdout or io.TextIOWrapper(io.FileIO(1, "w", closefd=False))
    sys.stderr = sys.stderr or io.TextIOWrapper(io.FileIO(2, "w", closefd=False), line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal without Unicode shows "?"


__all__ = ["main"]
