"""Draws the plot files of a search; they stand alone, so they have colours of their own."""

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from mobile_sdk.report.data import Search
from mobile_sdk.report.plots.canvas import STYLE
from mobile_sdk.report.plots.sensitivity_plot import COLORS, INK, MUTED, PAPER
from mobile_sdk.report.sections.pareto import ParetoColors, draw_pareto
from mobile_sdk.system.atomic_files import write_bytes


def save_pareto_plot(search: Search, path: Path) -> None:
    """Writes `path`, .svg or .png, whole or not at all."""
    kind = path.suffix[1:]
    with mpl.rc_context(STYLE | COLORS):
        figure = Figure(figsize=(7.2, 4.6), layout="constrained", facecolor=PAPER)
        axes = figure.add_subplot(facecolor=PAPER)
        draw_pareto(axes, search, ParetoColors(ink=INK, muted=MUTED, front="#1f5fa8", taken="#b4530b"))
        stream = io.BytesIO()
        figure.savefig(stream, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else None)
    write_bytes(path, stream.getvalue())
