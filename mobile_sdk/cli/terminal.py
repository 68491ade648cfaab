"""What a person sees: results on standard output, progress and news on standard error."""

import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qat.launch import is_main_process

Progress = Callable[[float, str], None]
LINE_EVERY_S = 5.0
WORDS = {"pass": "pass", "fail": "FAIL", "not_run": "not run"}


def say(line: str) -> None:
    """One line of news, of the main process alone."""
    if is_main_process():
        print(line, file=sys.stderr, flush=True)


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """Yields a function of (share done, what is being done): a bar on a terminal, a line every 5 seconds elsewhere."""
    if not (sys.stderr.isatty() and is_main_process()):
        last_s = time.monotonic()

        def line(done_share: float, text: str) -> None:
            nonlocal last_s
            if time.monotonic() - last_s >= LINE_EVERY_S:
                last_s = time.monotonic()
                say(f"{title}: {text} ({done_share:.0%})")

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda done_share, text: bar.update(task, completed=done_share, description=f"{title}: {text}")


def show_json(value: Any) -> None:
    """The result as JSON, the only thing on standard output."""
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[str] = ()) -> None:
    """A table; the columns named in `numbers` are aligned to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    show_rich(table)


def show_rich(renderable: Any) -> None:
    """Any of rich's renderables; as wide as it needs where standard output is no terminal."""
    from rich.console import Console

    console = Console() if sys.stdout.isatty() else Console(width=1000)
    with console.capture() as text:  # rich itself would end the process where the output's reader is gone
        console.print(renderable)
    print("\n".join(line.rstrip() for line in text.get().splitlines()))


def quiet() -> None:
    """Holds back what libraries say on import: nothing of it is about the user's net."""
    warnings.filterwarnings("ignore")
    for name in ("torchao", "torch", "torch.utils._pytree", "coremltools", "root"):
        logging.getLogger(name).setLevel(logging.ERROR)
