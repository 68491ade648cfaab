"""Shows progress on standard error, as bars on a terminal, as lines elsewhere, and runs work in threads under a bar."""

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar, cast

from mobile_sdk.system.progress import Progress, check_progress
from qat.distributed.torchrun import is_main_process

Shown = ContextVar[Progress]("progress", default=True)
"""Holds the `progress` argument of the running call."""

Following = ContextVar[float]("following", default=0.0)
"""Holds how long the work that follows a training takes, in epochs of it."""

Item = TypeVar("Item")
Result = TypeVar("Result")
LINE_EVERY_S, LINE_EVERY_SHARE = 10.0, 0.25  # where no terminal shows a bar, at least


def track(items: Iterable[Item], *, what: str, total: int) -> Iterator[Item]:
    """Yields `items` and shows how many are done: by a bar that vanishes at the end, or by a few lines.

    Of several processes only the main one shows it.
    """
    progress = Shown.get()
    if callable(progress) and is_main_process():
        for count, item in enumerate(items):
            progress(count / total, what)
            yield item
        return
    if not progress or not is_main_process():
        yield from items
        return
    if not sys.stderr.isatty():
        yield from _with_lines(items, what, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(items, total=total, description=what)


def map_in_threads(function: Callable[[Item], Result], items: Sequence[Item], *, what: str | None) -> list[Result]:
    """Applies `function` to every item, in order, on as many threads as cores; shows progress if `what` names it."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(function, items)
        return list(results if what is None else track(results, what=what, total=len(items)))


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yields `items`; the next one is made in a thread while the caller works with the one before."""
    end = object()
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = worker.submit(next, items, end)
            yield cast(Item, item)


@contextmanager
def shown(progress: Progress) -> Iterator[None]:
    """Shows work inside the `with` on standard error if `progress` is True, or calls it if it is a function."""
    check_progress(progress)
    token = Shown.set(progress)
    try:
        yield
    finally:
        Shown.reset(token)


@contextmanager
def followed_by(epochs: float) -> Iterator[None]:
    """Counts work that follows a training inside the `with`, as long as so many of its epochs, in the time left."""
    token = Following.set(epochs)
    try:
        yield
    finally:
        Following.reset(token)


def say(line: str) -> None:
    """Prints one line of news, of the main process alone, on standard error, or wherever progress goes.

    A terminal gets it broken at spaces.
    """
    progress = Shown.get()
    if callable(progress) and is_main_process():
        progress(1.0, line)
    elif progress and is_main_process():
        print(_wrapped(line) if sys.stderr.isatty() else line, file=sys.stderr, flush=True)


def duration_text(seconds: float) -> str:
    """Returns a duration as people say it: "4.2 s", "38 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def _wrapped(line: str) -> str:
    width = shutil.get_terminal_size().columns
    return textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False, subsequent_indent="  ")


def _with_lines(items: Iterable[Item], what: str, total: int) -> Iterator[Item]:
    last_s, last = time.monotonic(), 0
    for count, item in enumerate(items, start=1):
        yield item
        if count - last >= LINE_EVERY_SHARE * total and time.monotonic() - last_s >= LINE_EVERY_S:
            last_s, last = time.monotonic(), count
            say(f"{what}: {count} of {total}")
