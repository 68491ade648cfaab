"""Draws how 4 or 8 bits were chosen for every layer: the quality against the size of the weights."""

from dataclasses import dataclass

from matplotlib.axes import Axes

from mobile_sdk.program.record import BitAllocation

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class FrontierColors:
    """Holds the colours of the frontier, of what was measured, and of the size or quality that was asked for."""

    line: str
    measured: str
    target: str


def draw_frontier(axes: Axes, choice: BitAllocation, colors: FrontierColors) -> None:
    """Draws the predicted SQNR over MiB of weights, the measured points, and the chosen one as a star."""
    points = choice.frontier
    sizes = [point.weight_bytes / MIB for point in points]
    axes.plot(sizes, [point.predicted_db for point in points], color=colors.line, linewidth=1.2, label="predicted")
    axes.scatter(sizes, [point.predicted_db for point in points], s=12, color=colors.line, zorder=2)
    found = [
        (size, point.measured_db) for size, point in zip(sizes, points, strict=True) if point.measured_db is not None
    ]
    if found:
        measured_mib, measured_db = zip(*found, strict=True)
        axes.scatter(measured_mib, measured_db, s=30, color=colors.measured, zorder=3, label="measured")
    chosen = choice.point
    level_db = chosen.predicted_db if chosen.measured_db is None else chosen.measured_db
    axes.scatter([sizes[choice.chosen]], [level_db], s=110, marker="*", color=colors.measured, zorder=4, label="chosen")
    if choice.max_mib is not None:
        axes.axvline(choice.max_mib, color=colors.target, linewidth=1.0, linestyle="--", label="size asked for")
    if choice.min_db is not None:
        axes.axhline(choice.min_db, color=colors.target, linewidth=1.0, linestyle="--", label="quality asked for")
    axes.set_xlabel("weights (MiB)")
    axes.set_ylabel("SQNR of the scores (dB)")
    axes.legend()
