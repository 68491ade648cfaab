"""Draws the plots of the page's sections as SVG text."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
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
from mobile_sdk.report.plots.canvas import INK, LINES, MUTED, color, figure, marker, name_rows, short, svg
from mobile_sdk.report.sections.bit_allocation import FrontierColors, draw_frontier
from mobile_sdk.report.sections.pareto import ParetoColors, draw_pareto

SHOWN_KERNELS = 12
_MAX_DOTS = 500  # a row; more would only blacken it


def curves(series: Mapping[str, Sequence[tuple[float, float]]], *, y_label: str, first: int = 0) -> Markup:
    """Draws lines over epochs, one a series of (epoch, value); `first` is the colour of the first one."""
    with figure(height_in=2.5) as (drawn, axes):
        for index, (name, points) in enumerate(series.items(), start=first):
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, color=color(index), marker=marker(index), markersize=3.5, linewidth=1.3, label=name)
        axes.set_xlabel("epoch")
        axes.set_ylabel(y_label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        if len(series) > 1:
            axes.legend()
        return svg(drawn)


def layer_sqnr(layers: Sequence[Layer]) -> Markup:
    """Draws a dot a tensor in the order of execution; the lowest, at most three, carry their number."""
    known = [(index, layer.sqnr_db) for index, layer in enumerate(layers, start=1) if layer.sqnr_db is not None]
    with figure(height_in=3.4) as (drawn, axes):
        xs, ys = [index for index, _ in known], [sqnr_db for _, sqnr_db in known]
        axes.plot(xs, ys, color=color(0), linewidth=0.7, alpha=0.5)
        axes.plot(xs, ys, color=color(0), linestyle="none", marker="o", markersize=2.8)
        for index, sqnr_db in _lowest(known):
            axes.plot([index], [sqnr_db], color=color(1), marker="o", markersize=4.5)
            axes.annotate(f"{index}", (index, sqnr_db), (0, -14), textcoords="offset points", ha="center")
        axes.set_xlabel("tensor, in order of execution")
        axes.set_ylabel("SQNR (dB)")
        axes.margins(x=0.03, y=0.2)
        return svg(drawn)


def latency_strips(measurements: Sequence[Measurement]) -> Markup:
    """Draws a row a bundle: a dot a run, the median as a bar, the middle 80 % as a line."""
    with figure(height_in=0.8 + 0.42 * len(measurements)) as (drawn, axes):
        jitter = np.random.default_rng(1)
        end_ms = _axis_end_ms(measurements)
        for row, measurement in enumerate(measurements):
            times_ms = _times_ms(measurement)
            inside = times_ms[times_ms <= end_ms]
            shown = inside[:: -(-len(inside) // _MAX_DOTS)]
            _dots(axes, shown, row + jitter.uniform(-0.24, 0.24, shown.size), color(row))
            beyond = f"+{len(times_ms) - len(inside):,}" if len(inside) < len(times_ms) else ""
            axes.annotate(beyond, (1, row), (4, 0), ("axes fraction", "data"), "offset points", va="center")
            low, middle, high = np.quantile(times_ms, (0.1, 0.5, 0.9))
            axes.plot([low, high], [row, row], color=INK, linewidth=1.0)
            axes.plot([middle, middle], [row - 0.34, row + 0.34], color=INK, linewidth=1.8)
        name_rows(axes, [measurement.bundle for measurement in measurements])
        axes.set_xlim(0.0, end_ms)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.set_xlabel("time of one run (ms)")
        return svg(drawn)


def latency_rounds(measurements: Sequence[Measurement]) -> Markup:
    """Draws the median of every round, in order: a burst of noise shows as a step that all bundles share."""
    with figure(height_in=2.2 + 0.2 * len(measurements)) as (drawn, axes):
        for index, measurement in enumerate(measurements):
            medians_ms = round_medians(measurement.samples.rounds_ms) if measurement.samples else np.empty(0)
            rounds = np.arange(1, medians_ms.size + 1)
            style = LINES[index % len(LINES)]
            axes.plot(rounds, medians_ms, style, color=color(index), linewidth=1.2, label=short(measurement.bundle))
        _legend_above(drawn)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.set_xlabel("round")
        axes.set_ylabel("median (ms)")
        return svg(drawn)


def kernel_times(profile: Profile) -> Markup:
    """Draws a bar for each of the slowest kernels of a profile, its name above, and a line at its expected time."""
    slowest = profile.slowest(SHOWN_KERNELS)
    with figure(height_in=0.9 + 0.42 * len(slowest)) as (drawn, axes):
        rows = range(len(slowest))
        axes.barh(rows, [each.us for each in slowest], height=0.34, color=color(0), alpha=0.75)
        for row, each in enumerate(slowest):
            axes.annotate(
                each.title, (0, row - 0.24), (2, 0), textcoords="offset points", va="bottom", annotation_clip=False
            )
            if each.expected_us is not None:
                axes.plot([each.expected_us] * 2, [row - 0.24, row + 0.24], color=INK, linewidth=1.8)
        axes.set_yticks([])
        axes.set_ylim(len(slowest) - 0.6, -0.9)
        axes.set_xlim(left=0)
        axes.set_xlabel("time in one run (µs)")
        return svg(drawn)


def pareto(search: Search) -> Markup:
    """Draws accuracy over latency of all nets of a search."""
    with figure(height_in=4.0) as (drawn, axes):
        draw_pareto(axes, search, ParetoColors(ink=INK, muted=MUTED, front=color(0), taken=color(1)))
        return svg(drawn)


def bit_frontier(choice: BitAllocation) -> Markup:
    """Draws SQNR over the size of the weights, from 8 bits everywhere to 4."""
    with figure(height_in=3.0) as (drawn, axes):
        draw_frontier(axes, choice, FrontierColors(line=color(0), measured=color(1), target=MUTED))
        return svg(drawn)


def throttling(measurements: Sequence[Measurement]) -> Markup:
    """Draws every round's median over that of the first tenth of rounds, against the running time so far."""
    with figure(height_in=2.2 + 0.2 * len(measurements)) as (drawn, axes):
        for index, measurement in enumerate(measurements):
            rounds_ms = measurement.samples.rounds_ms if measurement.samples else ()
            medians_ms = round_medians(rounds_ms)
            first = float(np.median(medians_ms[: max(1, medians_ms.size // 10)]))
            seconds = np.cumsum([sum(round_ms) / 1000 for round_ms in rounds_ms])
            line: dict[str, Any] = {"color": color(index), "linewidth": 1.0, "label": short(measurement.bundle)}
            axes.plot(seconds, medians_ms / first, LINES[index % len(LINES)], **line)
        axes.axhline(THROTTLED_RATIO, color=MUTED, linewidth=0.8, linestyle="--")
        _legend_above(drawn)
        axes.set_xlabel("seconds of running")
        axes.set_ylabel("time over the start's")
        return svg(drawn)


def _legend_above(drawn: Figure) -> None:
    drawn.legend(loc="outside upper left", handlelength=2.6, labelspacing=0.2)


def _lowest(known: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Returns the lowest three, and of neighbours only the lowest: their numbers need room."""
    chosen: list[tuple[int, float]] = []
    for candidate in sorted(known, key=lambda each: each[1]):
        if all(abs(candidate[0] - other[0]) > len(known) / 8 for other in chosen):
            chosen.append(candidate)
    return chosen[:3]


def _times_ms(measurement: Measurement) -> "np.ndarray[Any, np.dtype[np.float64]]":
    rounds_ms = measurement.samples.rounds_ms if measurement.samples else ()
    return np.concatenate([np.asarray(round_ms, dtype=np.float64) for round_ms in rounds_ms])


def _axis_end_ms(measurements: Sequence[Measurement]) -> float:
    """Returns 1.5 times the slowest bundle's 90th percentile, so that interruptions do not flatten the rest."""
    return 1.5 * max(float(np.quantile(_times_ms(measurement), 0.9)) for measurement in measurements)


def _dots(axes: Axes, xs: Any, ys: Any, edge: str) -> None:
    """Draws one path for all dots: lines of no length with round caps take a tenth of the bytes of markers."""
    vertices = np.repeat(np.column_stack([xs, ys]), 2, axis=0)
    codes = np.tile([Path.MOVETO, Path.LINETO], len(vertices) // 2)
    path = Path(vertices, codes)
    axes.add_patch(PathPatch(path, edgecolor=edge, facecolor="none", linewidth=2.2, alpha=0.45, capstyle="round"))
