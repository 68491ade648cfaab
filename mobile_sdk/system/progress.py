"""Reports progress of long calls on standard error, to the caller's own function, or not at all."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mobile_sdk.errors import SettingError

Report = Callable[[float, str], None]
"""It takes the share that is done, 0..1, and a description of the current work."""

Progress = bool | Report
"""Every long call takes this as `progress`: True shows it, False does not, a function gets it instead."""

LINE_EVERY_S, LINE_EVERY_SHARE = 10.0, 0.25  # where no terminal shows a bar, at least


def check_progress(progress: object) -> None:
    """Raises SettingError unless `progress` is a bool or a function."""
    if not isinstance(progress, bool) and not callable(progress):
        raise SettingError(
            f"expected progress as a bool or a function, found {type(progress).__name__}",
            hint="give True, False, or a function of (share done, what is being done)",
        )


@contextmanager
def reported(progress: Progress, title: str) -> Iterator[Report]:
    """Yields a function to report to; it shows a bar on a terminal and a few lines elsewhere."""
    check_progress(progress)
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda done_share, text: None
    elif sys.stderr.isatty():
        with _bar(title) as report:
            yield report
    else:
        yield _lines(title)


@contextmanager
def _bar(title: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(20), TaskProgressColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda done_share, text: bar.update(task, completed=done_share, description=f"{title}: {text}")


def _lines(title: str) -> Report:
    last_s, last_share = time.monotonic(), 0.0

    def line(done_share: float, text: str) -> None:
        nonlocal last_s, last_share
        if done_share - last_share >= LINE_EVERY_SHARE and time.monotonic() - last_s >= LINE_EVERY_S:
            last_s, last_share = time.monotonic(), done_share
            print(f"{title}: {text} ({done_share:.0%})", file=sys.stderr, flush=True)

    return line
