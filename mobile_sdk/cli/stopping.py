"""Stops a command by Ctrl-C, by `kill` or by the end of its terminal, with one line and nothing left behind.

Nothing heavy is imported here: signals are caught before anything else is loaded.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT  # as shells report it
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PATIENCE_S = 2.0  # for cleaning up; wrappers such as `make` and `uv run` pass a Ctrl-C on, so it may come twice
_first: tuple[signal.Signals, float] | None = None


class Stopped(KeyboardInterrupt):
    """A signal stopped this process; whatever cleans up after Ctrl-C cleans up after the other signals too."""


def catch_signals() -> None:
    """Makes the first signal raise `Stopped`; an ignored signal, as with `nohup`, stays ignored.

    Processes that `torchrun` started end at once by its SIGTERM: they may be waiting for each other.
    """
    for number in _SIGNALS[:1] if "LOCAL_RANK" in os.environ else _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


def release_signals() -> None:
    """Lets a first signal end the process at once, as it has nothing left to do."""
    for number in _SIGNALS:
        if _first is None and signal.getsignal(number) is _stop:
            signal.signal(number, signal.SIG_DFL)


def was_stopped() -> bool:
    """Tells whether a signal came: an error that follows may be a library's consequence of it."""
    return _first is not None


def tell(stopped: BaseException) -> int:
    """Reports in one line that the command was stopped; returns its exit code, 128 and the signal's number."""
    where = next(iter(getattr(stopped, "__notes__", ())), "the same command begins this step again")
    below = "\n" if sys.stderr.isatty() else ""  # the terminal's own ^C
    say_last(f"{below}interrupted: {where}")
    return INTERRUPTED if _first is None else 128 + _first[0]


def say_last(line: str) -> None:
    """Reports why the command ends; if nothing can be written, only its exit code remains."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def _stop(number: int, frame: FrameType | None) -> None:
    global _first  # noqa: PLW0603  a process is stopped once
    if _first is None:
        _first = signal.Signals(number), time.monotonic()
        raise Stopped
    if number == signal.SIGINT and time.monotonic() - _first[1] > _PATIENCE_S:
        os._exit(128 + number)
