"""Holds what all plots of the page share: their size, their style, and SVG text that follows the page's dark mode."""

import io
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# The page replaces these colours with its own variables; the values mean nothing.
INK, MUTED, _GRID, PAPER = "#010101", "#020202", "#030303", "#050505"
_SERIES = ("#040401", "#040402", "#040403", "#040404", "#040405", "#040406")
LINES = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", _GRID: "var(--rule)", PAPER: "var(--paper)"} | {
    color: f"var(--series-{index})" for index, color in enumerate(_SERIES, start=1)
}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "path.simplify": False,  # would drop dots, which are lines of no length
    "text.parse_math": False,
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "axes.titlesize": "small",
}
_WIDTH_IN = 4.8
_LETTERS: dict[Any, Any] = {"font.size": 11.5, "legend.fontsize": 11.5, "axes.titlesize": 11.5}
"""On a phone of 390 px, where a plot is 358 px wide, letters of that size are 11.9 px high."""
_LONGEST_NAME = 24


@contextmanager
def figure(*, height_in: float) -> Iterator[tuple[Figure, Axes]]:
    """Yields a figure of the page's one width, and its axes, in the page's style."""
    with mpl.rc_context(STYLE | _LETTERS), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # matplotlib's font lacks a glyph that the reader's browser has
        drawn = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
        yield drawn, drawn.add_subplot()


def svg(drawn: Figure) -> Markup:
    """Returns the figure as an `<svg>` element that takes colours and font from the page and has ids of its own."""
    stream = io.StringIO()
    drawn.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    text = re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2)
    for value, variable in _VARIABLES.items():
        text = text.replace(value, variable)
    prefix = f"plot{zlib.crc32(text.encode()):08x}-"
    return Markup(re.sub(r'(id="|href="#|url\(#)', lambda match: match[1] + prefix, text))


def color(index: int) -> str:
    """Returns the colour of the series of that index."""
    return _SERIES[index % len(_SERIES)]


def marker(index: int) -> str:
    """Returns the marker of the series of that index."""
    return _MARKERS[index % len(_MARKERS)]


def short(name: str) -> str:
    """Returns a name that leaves room for the plot; the middle of a long one is left out."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = (_LONGEST_NAME - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def name_rows(axes: Axes, names: list[str]) -> None:
    """Names the rows of a plot, the first on top."""
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
