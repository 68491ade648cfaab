"""Draws every net of a search: accuracy over latency, the front, and the way that was taken."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from mobile_sdk.report.data import Search, SearchedNet


@dataclass(frozen=True, kw_only=True)
class ParetoColors:
    """Holds the colours of the page, or of a file that stands alone."""

    ink: str
    muted: str
    front: str
    taken: str


def draw_pareto(axes: Axes, search: Search, colors: ParetoColors) -> None:
    """Draws all candidates but a few far below, which are counted; the legend is above."""
    low, high = _limits([100 * each.accuracy_share for each in search.candidates])
    below = sum(100 * each.accuracy_share < low for each in search.candidates)
    front, way = [search.candidates[number] for number in search.front], search.way
    axes.axvline(search.target_ms, color=colors.muted, linewidth=1.0, linestyle="--", label=_target(search))
    axes.scatter(*_columns(search.candidates), s=14, color=colors.muted, alpha=0.45, linewidth=0, label="candidates")
    axes.step(*_columns(front), where="post", color=colors.front, linewidth=1.2, label="front")
    axes.scatter(*_columns(front), s=16, color=colors.front, zorder=3)
    axes.plot(*_columns(way), color=colors.taken, linewidth=1.0, marker="o", markersize=3.5, label="taken")
    axes.scatter(*_columns(way[:1]), s=70, marker="s", color=colors.ink, zorder=4, label="start net")
    axes.scatter(*_columns(way[-1:]), s=110, marker="*", color=colors.taken, zorder=5, label="result")
    axes.set_title(f"{below} more candidates lie below" if below else "", loc="left", color=colors.muted)
    axes.set_ylim(low, high)
    axes.set_xlabel(f"latency (ms): {search.latencies}")
    axes.set_ylabel("accuracy, short training (%)")
    axes.figure.legend(loc="outside upper center", ncols=3, handlelength=1.6, columnspacing=1.2)


def _target(search: Search) -> str:
    if search.result_ms <= search.target_ms:
        return "target, met"
    return f"target, missed by {100 * (search.result_ms / search.target_ms - 1):.1f} %"


def _columns(nets: Sequence[SearchedNet]) -> tuple[list[float], list[float]]:
    """Returns milliseconds and percentages."""
    return [each.latency_ms for each in nets], [100 * each.accuracy_share for each in nets]


def _limits(percents: Sequence[float]) -> tuple[float, float]:
    """Returns limits from the lowest tenth on: a few failures do not flatten the rest."""
    ranked = sorted(percents)
    low, high = ranked[len(ranked) // 10], ranked[-1]
    margin = max(0.06 * (high - low), 0.2)
    return low - 2 * margin, high + margin
