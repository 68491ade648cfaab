"""Prints tables and sentences that fit the terminal: no cell is cut, and no name or command is broken in two."""

import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

UNLIMITED = 100_000  # columns, where the output is no terminal
_GAP = 2  # columns of the terminal between those of a table
_STYLES = {"pass": "green", "ok": "green", "FAIL": "bold red", "missing": "red", "not run": "yellow"}


def show_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[str] = (), prose: str | None = None
) -> None:
    """Prints a table; the columns in `numbers` are aligned to the right, and sentences of column `prose` are wrapped.

    Where a terminal is too narrow, titles take a line for each word; if that is not enough, each row is a block with a
    line for each column.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    for titles in (columns, [re.sub("(?<!95) ", "\n", column) for column in columns]):
        fitting = _fitting(titles, cells, columns.index(prose) if prose else None)
        if fitting is not None:
            _print_rows(titles, fitting, [column in numbers for column in columns])
            print()
            return
    for row in cells:
        print(row[0])
        margin = max(map(len, columns[1:])) + 2 + _GAP
        for column, cell in zip(columns[1:], row[1:], strict=True):
            if cell:
                print(_wrapped(f"  {column}".ljust(margin) + cell, margin))
    print()


def show_text(text: str) -> None:
    """Prints sentences, wrapped at spaces where the terminal ends; a word that is wider stays whole."""
    print(_wrapped(text))


def terminal_width() -> int:
    """Returns the columns of the terminal, or UNLIMITED if standard output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else UNLIMITED


def _fitting(titles: Sequence[str], cells: list[list[str]], prose: int | None) -> list[list[str]] | None:
    """Returns the cells, sentences in lines of their own; None if they are wider than the terminal."""
    free = terminal_width() - _GAP * (len(titles) - 1)
    if prose is not None:
        others = sum(width for at, width in enumerate(_widths(titles, cells)) if at != prose)
        room = max(free - others, 1)
        cells = [[*row[:prose], _folded(row[prose], room), *row[prose + 1 :]] for row in cells]
    return cells if sum(_widths(titles, cells)) <= free else None


def _widths(titles: Sequence[str], cells: list[list[str]]) -> list[int]:
    from rich.cells import cell_len

    columns = zip(titles, *cells, strict=True)
    return [max(cell_len(line) for cell in column for line in cell.split("\n")) for column in columns]


def _folded(text: str, width: int) -> str:
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def _wrapped(text: str, margin: int = 0) -> str:
    return textwrap.fill(
        text, terminal_width(), break_long_words=False, break_on_hyphens=False, subsequent_indent=" " * margin
    )


def _print_rows(titles: Sequence[str], cells: list[list[str]], are_numbers: Sequence[bool]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    height = max(title.count("\n") for title in titles)
    for title, is_number in zip(titles, are_numbers, strict=True):
        padded = "\n" * (height - title.count("\n")) + title
        table.add_column(Text(padded), no_wrap=True, justify="right" if is_number else "left")
    for row in cells:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    console = Console() if sys.stdout.isatty() else Console(width=UNLIMITED)
    with console.capture() as text:  # rich itself would end the process if the output's reader is gone
        console.print(table)
    print("\n".join(line.rstrip() for line in text.get().splitlines()))
