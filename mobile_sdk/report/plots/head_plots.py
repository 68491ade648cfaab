"""Draws the plots at the head of the page: the quality and the latency of every way to compute the net."""

from collections.abc import Callable, Collection, Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mobile_sdk.benchmarking.measurements import Measurement
from mobile_sdk.report.data import Baseline, QualityLine
from mobile_sdk.report.plots.canvas import INK, MUTED, PAPER, color, figure, name_rows, svg


def qualities(
    lines: Sequence[QualityLine],
    *,
    x_label: str,
    in_float: Collection[str],
    shows_intervals: bool,
    baseline: Baseline | None = None,
) -> Markup:
    """Draws a point a way to compute the net, with its 95 % interval if it has one; a baseline's points are hollow.

    `in_float` names the ways that compute in float32, which have a colour of their own.
    """
    earlier = {line.computed_by: line.quality.value for line in baseline.qualities} if baseline else {}
    with figure(height_in=0.75 + 0.3 * len(lines)) as (drawn, axes):
        for row, line in enumerate(lines):
            drawn_in = color(1) if line.computed_by in in_float else color(0)
            if shows_intervals:
                ends = [100 * line.interval.low, 100 * line.interval.high]
                axes.plot(ends, [row, row], color=drawn_in, linewidth=1.4)
            axes.plot([100 * line.quality.value], [row], color=drawn_in, marker="o", markersize=6)
            _say(axes, row, f"{100 * line.quality.value:.1f} %")
            if line.computed_by in earlier:
                _hollow(axes, row, 100 * earlier[line.computed_by])
        name_rows(axes, [line.computed_by for line in lines])
        low, high = axes.get_xlim()
        axes.set_xlim(max(0.0, min(low, high - 2.0)), min(100.5, high))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.set_xlabel(x_label)
        return svg(drawn)


def latencies(
    measured: Sequence[Measurement],
    *,
    said: Callable[[float], str],
    doubtful: Collection[str],
    baseline: Baseline | None = None,
) -> Markup:
    """Draws a bar a bundle: its median, and the interval of it as a line; a baseline's medians are hollow.

    `said` writes milliseconds. Bars are pale, and figures have a question mark, if their bundle's times
    are `doubtful`.
    """
    earlier = {line.title: line.median_ms for line in baseline.bundles} if baseline else {}
    with figure(height_in=0.75 + 0.3 * len(measured)) as (drawn, axes):
        for row, each in enumerate(measured):
            assert each.summary is not None
            interval, is_doubtful = each.summary.median_interval_ms, each.bundle in doubtful
            drawn_in = color(1) if each.precision == "float32" else color(0)
            axes.barh([row], [each.summary.median_ms], height=0.5, color=drawn_in, alpha=0.35 if is_doubtful else 0.85)
            axes.plot([interval.low, interval.high], [row, row], color=INK, linewidth=1.4)
            _say(axes, row, f"{said(each.summary.median_ms)} ms{' ?' if is_doubtful else ''}")
            if (before := earlier.get(each.bundle)) is not None:
                _hollow(axes, row, before)
        name_rows(axes, [each.bundle for each in measured])
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.set_xlabel("median time of one image (ms)")
        return svg(drawn)


def _say(axes: Axes, row: int, text: str) -> None:
    """Writes a figure at the right of its row."""
    axes.annotate(text, (1, row), (5, 0), ("axes fraction", "data"), "offset points", va="center")


def _hollow(axes: Axes, row: int, x: float) -> None:
    axes.plot([x], [row], color=MUTED, marker="D", markersize=5.5, markerfacecolor=PAPER, linestyle="none")
