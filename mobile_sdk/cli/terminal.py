"""Shows results on standard output and progress on standard error."""

import json
import logging
import sys
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from mobile_sdk.system.progress import Report, reported
from qat.distributed.torchrun import is_main_process

WORDS = {"pass": "pass", "fail": "FAIL", "not_run": "not run"}


def progress(title: str) -> AbstractContextManager[Report]:
    """Returns a block that yields a function of (share done, current work), whose calls the main process shows."""
    return reported(is_main_process(), title)


def show_json(value: Any) -> None:
    """Prints the result as JSON, the only thing on standard output."""
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[str] = ()) -> None:
    """Prints a table; the columns named in `numbers` are aligned to the right."""
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
    """Prints any of rich's renderables; as wide as it needs if standard output is no terminal."""
    from rich.console import Console

    console = Console() if sys.stdout.isatty() else Console(width=1000)
    with console.capture() as text:  # rich itself would end the process if the output's reader is gone
        console.print(renderable)
    print("\n".join(line.rstrip() for line in text.get().splitlines()))


def quiet() -> None:
    """Hides libraries' messages on import, which do not concern the user's net."""
    warnings.filterwarnings("ignore")
    for name in ("torchao", "torch", "torch.utils._pytree", "coremltools", "root"):
        logging.getLogger(name).setLevel(logging.ERROR)
