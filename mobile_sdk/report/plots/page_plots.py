"""Draws plots as SVG text for the page, without colours or fonts of their own, so that they follow its dark mode."""

import io
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from mobile_sdk.benchmarking.autocorrelation import round_medians
from mobile_sdk.benchmarking.measurements import Measurement
from mobile_sdk.benchmarking.profiling.profile import Profile
from mobile_sdk.benchmarking.statistics import THROTTLED_RATIO
from mobile_sdk.program.record import BitAllocation
from mobile_sdk.report.data import Layer, Search
from mobile_sdk.report.sections.bit_allocation import FrontierColors, draw_frontier
from mobile_sdk.report.sections.pareto import ParetoColors, draw_pareto

# The page replaces these colours with its own variables; the values mean nothing.
_INK, _MUTED, _GRID = "#010101", "#020202", "#030303"
_SERIES = ("#040401", "#040402", "#040403", "#040404", "#040405", "#040406")
_LINES = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_VARIABLES = {_INK: "var(--ink)", _MUTED: "var(--muted)", _GRID: "var(--rule)"} | {
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
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
}
SHOWN_KERNELS = 12
_WIDTH_IN = 6.0  # 432 pt: legible at 100 % on a phone held upright, or beside another plot on a desktop
_MAX_DOTS = 500  # a row; more would only blacken it


def curves(series: Mapping[str, Sequence[tuple[float, float]]], *, y_label: str) -> str:
    """Draws lines over epochs, one a series of (epoch, value)."""
    with _figure(height_in=2.9) as (figure, axes):
        for index, (name, points) in enumerate(series.items()):
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, color=_color(index), marker=_marker(index), markersize=3.5, linewidth=1.3, label=name)
        axes.set_xlabel("epoch")
        axes.set_ylabel(y_label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(series) > 1:
            axes.legend()
        return _svg(figure)


def layer_sqnr(layers: Sequence[Layer]) -> str:
    """Draws a dot a tensor in the order of execution; the lowest, at most three, carry their module's path."""
    known = [
        (index, layer.sqnr_db, layer.module or layer.tensor)
        for index, layer in enumerate(layers, start=1)
        if layer.sqnr_db is not None
    ]
    with _figure(height_in=2.9, width_in=2 * _WIDTH_IN) as (figure, axes):
        xs, ys = [index for index, _, _ in known], [sqnr_db for _, sqnr_db, _ in known]
        axes.plot(xs, ys, color=_color(0), linewidth=0.7, alpha=0.5)
        axes.plot(xs, ys, color=_color(0), linestyle="none", marker="o", markersize=3.5)
        for index, sqnr_db, module in _lowest(known):
            offset, align = ((-5, -12), "right") if index > len(layers) / 2 else ((5, -12), "left")
            axes.annotate(module, (index, sqnr_db), offset, textcoords="offset points", ha=align, fontsize=9)
        axes.set_xlabel("tensor, in order of execution")
        axes.set_ylabel("SQNR (dB)")
        axes.margins(x=0.01, y=0.18)
        return _svg(figure)


def latency_strips(measurements: Sequence[Measurement]) -> str:
    """Draws a row a bundle: a dot a run, the median as a bar, the middle 80 % as a line."""
    with _figure(height_in=0.8 + 0.42 * len(measurements)) as (figure, axes):
        jitter = np.random.default_rng(1)
        end_ms = _axis_end_ms(measurements)
        for row, measurement in enumerate(measurements):
            times_ms = _times_ms(measurement)
            inside = times_ms[times_ms <= end_ms]
            shown = inside[:: -(-len(inside) // _MAX_DOTS)]
            _dots(axes, shown, row + jitter.uniform(-0.24, 0.24, shown.size), _color(row))
            beyond = f"+{len(times_ms) - len(inside):,}" if len(inside) < len(times_ms) else ""
            axes.annotate(beyond, (1, row), (4, 0), ("axes fraction", "data"), "offset points", va="center", fontsize=9)
            low, middle, high = np.quantile(times_ms, (0.1, 0.5, 0.9))
            axes.plot([low, high], [row, row], color=_INK, linewidth=1.0)
            axes.plot([middle, middle], [row - 0.34, row + 0.34], color=_INK, linewidth=1.8)
        axes.set_yticks(range(len(measurements)), [measurement.bundle for measurement in measurements])
        axes.set_ylim(len(measurements) - 0.45, -0.55)
        axes.set_xlim(0.0, end_ms)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("time of one run (ms)")
        return _svg(figure)


def latency_rounds(measurements: Sequence[Measurement]) -> str:
    """Draws the median of every round, in order: a burst of noise shows as a step that all bundles share."""
    with _figure(height_in=2.3 + 0.12 * len(measurements)) as (figure, axes):
        for index, measurement in enumerate(measurements):
            medians_ms = round_medians(measurement.samples.rounds_ms) if measurement.samples else np.empty(0)
            rounds = np.arange(1, medians_ms.size + 1)
            style = _LINES[index % len(_LINES)]
            axes.plot(rounds, medians_ms, style, color=_color(index), linewidth=1.2, label=measurement.bundle)
        figure.legend(loc="outside upper left", ncols=2, handlelength=2.6)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("round")
        axes.set_ylabel("median (ms)")
        return _svg(figure)


def kernel_times(profile: Profile) -> str:
    """Draws a bar for each of the slowest kernels of a profile, and a line where its expected time is."""
    slowest = profile.slowest(SHOWN_KERNELS)
    with _figure(height_in=0.9 + 0.26 * len(slowest), width_in=1.5 * _WIDTH_IN) as (figure, axes):
        rows = range(len(slowest))
        axes.barh(rows, [each.us for each in slowest], height=0.62, color=_color(0), alpha=0.75)
        for row, each in enumerate(slowest):
            if each.expected_us is not None:
                axes.plot([each.expected_us] * 2, [row - 0.4, row + 0.4], color=_INK, linewidth=1.8)
        axes.set_yticks(rows, [each.title for each in slowest])
        axes.set_ylim(len(slowest) - 0.45, -0.55)
        axes.set_xlim(left=0)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("time in one run (µs)")
        return _svg(figure)


def pareto(search: Search) -> str:
    """Draws accuracy over latency of all nets of a search."""
    with _figure(height_in=4.2, width_in=1.5 * _WIDTH_IN) as (figure, axes):
        draw_pareto(axes, search, ParetoColors(ink=_INK, muted=_MUTED, front=_color(0), taken=_color(1)))
        return _svg(figure)


def bit_frontier(choice: BitAllocation) -> str:
    """Draws SQNR over the size of the weights, from 8 bits everywhere to 4."""
    with _figure(height_in=2.9) as (figure, axes):
        draw_frontier(axes, choice, FrontierColors(line=_color(0), measured=_color(1), target=_MUTED))
        return _svg(figure)


def throttling(measurements: Sequence[Measurement]) -> str:
    """Draws every round's median over that of the first tenth of rounds, against the running time so far."""
    with _figure(height_in=2.3 + 0.12 * len(measurements), width_in=2 * _WIDTH_IN) as (figure, axes):
        for index, measurement in enumerate(measurements):
            rounds_ms = measurement.samples.rounds_ms if measurement.samples else ()
            medians_ms = round_medians(rounds_ms)
            first = float(np.median(medians_ms[: max(1, medians_ms.size // 10)]))
            seconds = np.cumsum([sum(round_ms) / 1000 for round_ms in rounds_ms])
            style = _LINES[index % len(_LINES)]
            axes.plot(seconds, medians_ms / first, style, color=_color(index), linewidth=1.0, label=measurement.bundle)
        axes.axhline(THROTTLED_RATIO, color=_MUTED, linewidth=0.8, linestyle="--")
        figure.legend(loc="outside upper left", ncols=2, handlelength=2.6)
        axes.set_xlabel("seconds of running")
        axes.set_ylabel("time over the start's")
        return _svg(figure)


def _lowest(known: Sequence[tuple[int, float, str]]) -> list[tuple[int, float, str]]:
    """Returns the lowest three, and of neighbours only the lowest: their names need room."""
    chosen: list[tuple[int, float, str]] = []
    for candidate in sorted(known, key=lambda each: each[1]):
        if all(abs(candidate[0] - other[0]) > len(known) / 5 for other in chosen):
            chosen.append(candidate)
    return chosen[:3]


def _times_ms(measurement: Measurement) -> "np.ndarray[Any, np.dtype[np.float64]]":
    rounds_ms = measurement.samples.rounds_ms if measurement.samples else ()
    return np.concatenate([np.asarray(round_ms, dtype=np.float64) for round_ms in rounds_ms])


def _axis_end_ms(measurements: Sequence[Measurement]) -> float:
    """Returns 1.5 times the slowest bundle's 90th percentile, so that interruptions do not flatten the rest."""
    return 1.5 * max(float(np.quantile(_times_ms(measurement), 0.9)) for measurement in measurements)


def _dots(axes: Axes, xs: Any, ys: Any, color: str) -> None:
    """Draws one path for all dots: lines of no length with round caps take a tenth of the bytes of markers."""
    vertices = np.repeat(np.column_stack([xs, ys]), 2, axis=0)
    codes = np.tile([Path.MOVETO, Path.LINETO], len(vertices) // 2)
    path = Path(vertices, codes)
    axes.add_patch(PathPatch(path, edgecolor=color, facecolor="none", linewidth=2.2, alpha=0.45, capstyle="round"))


@contextmanager
def _figure(*, height_in: float, width_in: float = _WIDTH_IN) -> Iterator[tuple[Figure, Axes]]:
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # matplotlib's font lacks a glyph that the reader's browser has
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        yield figure, figure.add_subplot()


def _svg(figure: Figure) -> str:
    """Returns the figure as an `<svg>` element that takes colours and font from the page and has ids of its own."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    text = re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, variable)
    prefix = f"plot{zlib.crc32(text.encode()):08x}-"
    return re.sub(r'(id="|href="#|url\(#)', lambda match: match[1] + prefix, text)


def _color(index: int) -> str:
    return _SERIES[index % len(_SERIES)]


def _marker(index: int) -> str:
    return _MARKERS[index % len(_MARKERS)]
