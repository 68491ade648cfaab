"""Draws a plot file of each layer's cost; it stands alone, so it has colours of its own."""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mobile_sdk.analysis.sensitivity import LayerSensitivity, Sensitivity
from mobile_sdk.errors import SettingError
from mobile_sdk.report.plots.canvas import STYLE
from mobile_sdk.system.atomic_files import write_bytes

SUFFIXES = (".svg", ".png")
MOST_LAYERS = 24  # the others cost next to nothing, and their names would not be legible
INK, MUTED, RULE, PAPER = "#1c1d1f", "#5f646b", "#dfe2e6", "#ffffff"  # those of style.css, by day
_WHOLE, _WEIGHTS = "#1f5fa8", "#b4530b"
COLORS: dict[Any, Any] = {
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "grid.color": RULE,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
}


def check_plot_path(path: Path) -> None:
    """Raises SettingError unless the file's name says what to draw."""
    if path.suffix.lower() not in SUFFIXES:
        raise SettingError(f"expected a plot file *.svg or *.png, found {path.name}", hint="name it sensitivity.svg")


def save_sensitivity_plot(result: Sensitivity, path: Path) -> None:
    """Writes `path` (.svg or .png): the layers that cost most, the worst on top, left is worse."""
    check_plot_path(path)
    layers = [layer for layer in result.ranked if layer.alone_db is not None][:MOST_LAYERS]
    with mpl.rc_context(STYLE | COLORS):
        figure = Figure(figsize=(7.2, 1.3 + 0.23 * len(layers)), layout="constrained", facecolor=PAPER)
        _draw(figure.add_subplot(), result, layers)
        stream = io.BytesIO()
        kind = path.suffix.lower()[1:]
        figure.savefig(stream, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else None)
    write_bytes(path, stream.getvalue())


def _draw(axes: Axes, result: Sensitivity, layers: list[LayerSensitivity]) -> None:
    axes.set_facecolor(PAPER)
    worst_db = result.program_db
    if worst_db is not None:
        axes.axvline(worst_db, color=MUTED, linewidth=1.0, linestyle="--", label="all layers: the program")
    for row, layer in enumerate(layers):
        end_db = max(each for each in (layer.alone_db, layer.weights_db) if each is not None)
        axes.plot([layer.alone_db or 0.0, end_db], [row, row], color=MUTED, linewidth=0.8, zorder=1)
    weighted = [(layer.weights_db, row) for row, layer in enumerate(layers) if layer.weights_db is not None]
    if weighted:
        hollow: Any = {"facecolor": PAPER, "edgecolor": _WEIGHTS, "linewidth": 1.2, "zorder": 2}
        decibels, rows = zip(*weighted, strict=True)
        axes.scatter(decibels, rows, s=26, label="its weights only", **hollow)
    alone = [layer.alone_db for layer in layers if layer.alone_db is not None]
    axes.scatter(alone, range(len(layers)), s=26, color=_WHOLE, label="this layer only", zorder=3)
    axes.set_yticks(range(len(layers)), [layer.layer for layer in layers])
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("SQNR of the logits with nothing else in int8 (dB)")
    left = f"{len(result.layers) - len(layers)} more layers cost less" if len(result.layers) > len(layers) else ""
    axes.set_title(left, loc="left", fontsize=9, color=MUTED)
    axes.legend(loc="upper right")
