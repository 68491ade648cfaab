"""A plot of every net that a search looked at: accuracy over latency, the front, and the way that was taken."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mobile_sdk.atomic import write_bytes
from mobile_sdk.report.plots import STYLE
from mobile_sdk.report.sensitivity_plot import COLORS, INK, MUTED, PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FRONT, _TAKEN = "#1f5fa8", "#b4530b"

Point = tuple[float, float]
"""Latency in milliseconds, accuracy as a share."""


@dataclass(frozen=True, kw_only=True)
class ParetoPlot:
    """What is drawn: all candidates, the front's, those taken (the start net first), the target, and on what device."""

    candidates: Sequence[Point]
    front: Sequence[Point]
    taken: Sequence[Point]
    target_ms: float
    device: str

    def save(self, path: Path) -> None:
        """Writes `path`, .svg or .png, whole or not at all."""
        import matplotlib as mpl
        from matplotlib.figure import Figure

        kind = path.suffix[1:]
        with mpl.rc_context(STYLE | COLORS):
            figure = Figure(figsize=(7.2, 4.6), layout="constrained", facecolor=PAPER)
            self._draw(figure.add_subplot())
            stream = io.BytesIO()
            figure.savefig(stream, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else None)
        write_bytes(path, stream.getvalue())

    def _draw(self, axes: "Axes") -> None:
        axes.set_facecolor(PAPER)
        axes.axvline(self.target_ms, color=MUTED, linewidth=1.0, linestyle="--", label="target")
        axes.scatter(*_columns(self.candidates), s=14, color=MUTED, alpha=0.45, linewidth=0, label="candidates")
        axes.step(*_columns(self.front), where="post", color=_FRONT, linewidth=1.2, label="front")
        axes.scatter(*_columns(self.front), s=16, color=_FRONT, zorder=3)
        axes.plot(*_columns(self.taken), color=_TAKEN, linewidth=1.0, marker="o", markersize=3.5, label="taken")
        axes.scatter(*_columns(self.taken[:1]), s=70, marker="s", color=INK, zorder=4, label="start net")
        axes.scatter(*_columns(self.taken[-1:]), s=110, marker="*", color=_TAKEN, zorder=5, label="result")
        low, high = _limits([percent for _, percent in _percent(self.candidates)])
        below = sum(percent < low for _, percent in _percent(self.candidates))
        axes.set_title(f"{below} more candidates lie below" if below else "", loc="left", fontsize=9, color=MUTED)
        axes.set_ylim(low, high)
        axes.set_xlabel(f"latency (ms): {self.device}")
        axes.set_ylabel("accuracy after the candidate's short training (%)")
        axes.figure.legend(loc="outside upper center", ncols=6, handlelength=1.6, columnspacing=1.2)


def _columns(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    """Milliseconds and percentages."""
    return [latency_ms for latency_ms, _ in points], [percent for _, percent in _percent(points)]


def _percent(points: Sequence[Point]) -> list[Point]:
    return [(latency_ms, 100 * accuracy_share) for latency_ms, accuracy_share in points]


def _limits(percents: Sequence[float]) -> tuple[float, float]:
    """From the lowest tenth on: a few failures do not flatten the rest."""
    ranked = sorted(percents)
    low, high = ranked[len(ranked) // 10], ranked[-1]
    margin = max(0.06 * (high - low), 0.2)
    return low - 2 * margin, high + margin
