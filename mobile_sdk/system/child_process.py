"""Makes processes end with their parent, even if the parent is killed and can clean up nothing.

A worker of this SDK reads from a pipe, its standard input, which closes when the parent is gone. Other programs are
tied by Linux: `python tied_process.py PARENT COMMAND…` sets the parent-death signal and becomes the command. The signal
belongs to the process that sets it, so a script must set it before it becomes the command. That script needs only the
standard library.
"""

import ctypes
import os
import select
import shutil
import signal
import sys
import threading
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_input() -> None:
    """Makes the end of standard input end this process and its forks at once; nothing is read from it."""
    os.register_at_fork(after_in_child=_watch)  # a fork does not inherit threads
    _watch()


def tied(command: Sequence[str]) -> list[str]:
    """Returns the command that runs `command` and is killed when this process ends; outside Linux, `command` itself.

    Raises FileNotFoundError if there is no such program.
    """
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(command[0])
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def _watch() -> None:
    threading.Thread(target=_wait_for_hangup, daemon=True).start()


def _wait_for_hangup() -> None:
    hangup = select.poll()
    hangup.register(sys.stdin.fileno(), 0)  # registers for the events that are always reported, and no others
    hangup.poll()
    os._exit(1)


def _become(parent: int, command: list[str]) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent:  # else the parent has ended, and no process waits for the command
        os.execvp(command[0], command)


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
