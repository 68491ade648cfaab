"""Draws how the bits of every layer were chosen: the quality against the size of the weights."""

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from mobile_sdk.program.record import BitAllocation, FrontierPoint, int8_index

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class FrontierColors:
    """Holds the colours of the frontier, of what was measured, and of the size or quality that was asked for."""

    line: str
    measured: str
    target: str


def draw_frontier(axes: Axes, choice: BitAllocation, colors: FrontierColors) -> None:
    """Draws the predicted SQNR over MiB of weights, the measured points, and the chosen one as a star.

    Points with layers in float32 are hollow, and accuracies stand below the points that have them.
    """
    points, int8 = choice.frontier, int8_index(choice.frontier)
    sizes, predicted_db = [_mib(point) for point in points], [point.predicted_db for point in points]
    axes.plot(sizes, predicted_db, color=colors.line, linewidth=1.2, label="predicted")
    axes.scatter(sizes[int8:], predicted_db[int8:], s=12, color=colors.line, zorder=2)
    if int8:
        hollow: dict[str, Any] = {"facecolor": "white", "edgecolor": colors.line, "zorder": 2}
        axes.scatter(sizes[:int8], predicted_db[:int8], s=14, **hollow, label="with layers in float32")
    found = [(_mib(point), point.measured_db) for point in points if point.measured_db is not None]
    if found:
        measured_mib, measured_db = zip(*found, strict=True)
        axes.scatter(measured_mib, measured_db, s=30, color=colors.measured, zorder=3, label="measured")
    for point in points:
        if point.measured_accuracy is not None:
            below: dict[str, Any] = {"xytext": (0, -6), "textcoords": "offset points", "ha": "center", "va": "top"}
            axes.annotate(f"{point.measured_accuracy:.2%}", (_mib(point), _level_db(point)), **below, fontsize=7)
    chosen = choice.point
    axes.scatter(
        [_mib(chosen)], [_level_db(chosen)], s=110, marker="*", color=colors.measured, zorder=4, label="chosen"
    )
    if choice.max_mib is not None:
        axes.axvline(choice.max_mib, color=colors.target, linewidth=1.0, linestyle="--", label="size asked for")
    if choice.min_db is not None:
        axes.axhline(choice.min_db, color=colors.target, linewidth=1.0, linestyle="--", label="quality asked for")
    axes.set_xlabel("weights (MiB)")
    axes.set_ylabel("SQNR of the scores (dB)")
    axes.legend()


def _mib(point: FrontierPoint) -> float:
    return point.weight_bytes / MIB


def _level_db(point: FrontierPoint) -> float:
    return point.predicted_db if point.measured_db is None else point.measured_db
