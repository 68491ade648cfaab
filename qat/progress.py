"""Progress on standard error: bars on a terminal, lines elsewhere; and work shared out to threads under such a bar."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from mobile_sdk.system.progress import Progress, check_progress
from qat.distributed.torchrun import is_main_process

Shown = ContextVar[Progress]("progress", default=True)
"""What the call in which we are was told of progress."""

Item = TypeVar("Item")
Result = TypeVar("Result")
LINE_EVERY_S = 10.0


def track(items: Iterable[Item], *, what: str, total: int) -> Iterator[Item]:
    """Passes `items` on and shows how many have gone by: a bar that vanishes when done, or a line every ten seconds.

    Of several processes the main one shows it.
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
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(items, total=total, description=what)


def map_in_threads(function: Callable[[Item], Result], items: Sequence[Item], *, what: str | None) -> list[Result]:
    """`function` of every item, in order, on as many threads as there are cores; shows progress if `what` names it."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(function, items)
        return list(results if what is None else track(results, what=what, total=len(items)))


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Passes `items` on, the next one being made in a thread while the caller works with the one before."""
    end = object()
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = worker.submit(next, items, end)
            yield cast(Item, item)


@contextmanager
def shown(progress: Progress) -> Iterator[None]:
    """Inside, work is shown on standard error if `progress` is True, told to it where it is a function, else silent."""
    check_progress(progress)
    token = Shown.set(progress)
    try:
        yield
    finally:
        Shown.reset(token)


def say(line: str) -> None:
    """One line of news, of the main process alone: on standard error, or wherever progress goes."""
    progress = Shown.get()
    if callable(progress) and is_main_process():
        progress(1.0, line)
    elif progress and is_main_process():
        print(line, file=sys.stderr, flush=True)


def _with_lines(items: Iterable[Item], what: str, total: int) -> Iterator[Item]:
    last_s = time.monotonic()
    for count, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - last_s >= LINE_EVERY_S:
            last_s = time.monotonic()
            say(f"{what}: {count} of {total}")
