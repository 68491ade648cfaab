"""Processes that end with their parent, however it ends: also where it was killed and could clean up nothing.

A worker of this SDK holds the end of a pipe, its standard input, which is closed when the parent is gone. Other
programs are tied by Linux: `python tied_process.py PARENT COMMAND…` asks for it and becomes the command. That needs
nothing but the standard library, and is a script for being a process before it is the command: what is asked for is of
the process that asks.
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
    """From now on the end of standard input ends this process and its forks at once; nothing is read."""
    os.register_at_fork(after_in_child=_watch)  # threads do not come along into a fork
    _watch()


def tied(command: Sequence[str]) -> list[str]:
    """The command that runs `command` and is killed when this process ends; on Linux, elsewhere `command` itself.

    Raises FileNotFoundError where there is no such program.
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
    hangup.register(sys.stdin.fileno(), 0)  # of no event but those that are always told
    hangup.poll()
    os._exit(1)


def _become(parent: int, command: list[str]) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent:  # else it has ended meanwhile, and nobody waits for the command
        os.execvp(command[0], command)


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
