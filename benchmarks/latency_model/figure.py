"""Draws published latencies and what the model predicted of each with its net left out, as docs/guides/latency.svg."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from mobile_sdk.latency.cross_validation import Errors, share_within
from mobile_sdk.system.atomic_files import write_text

FIGURE = Path(__file__).parents[2] / "docs/guides/latency.svg"
_LOOKS = {  # a colour and a marker each; the newer phones stand out
    "pixel-1": ("#9aa5b1", "o"),
    "pixel-2": ("#7b8794", "s"),
    "pixel-3": ("#52606d", "^"),
    "pixel-3a": ("#b45309", "v"),
    "pixel-4": ("#0f766e", "D"),
    "pixel-6": ("#1d4ed8", "o"),
    "galaxy-s23": ("#be123c", "s"),
}
_BANDS = ((0.2, "#e5e7eb"), (0.1, "#cbd5e1"))
_TICKS_MS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200)
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "latency",
    "font.size": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def draw(errors: Errors) -> None:
    """Writes the picture; equal errors give equal bytes."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.0, 6.4), layout="constrained", facecolor="white")
        axes = figure.subplots()
        _draw_bands(axes)
        for device, (color, marker) in _LOOKS.items():
            _draw_device(axes, errors, device, color, marker)
        _label(axes, errors)
        figure.savefig(FIGURE, format="svg", metadata={"Date": None, "Creator": None})
    text = "\n".join(line.rstrip() for line in FIGURE.read_text(encoding="utf-8").splitlines())
    write_text(FIGURE, f"{text}\n")


def _draw_bands(axes: Axes) -> None:
    ends = np.array([_TICKS_MS[0], _TICKS_MS[-1]])
    for bound, color in _BANDS:
        axes.fill_between(ends, ends * (1 - bound), ends * (1 + bound), color=color, linewidth=0)
    axes.plot(ends, ends, color="#6b7280", linewidth=0.8)


def _draw_device(axes: Axes, errors: Errors, device: str, color: str, marker: str) -> None:
    found = [(sample.latency_ms, error) for sample, error in errors.items() if sample.setup.device == device]
    published = np.array([latency_ms for latency_ms, _ in found])
    predicted = published * (1 + np.array([error for _, error in found]))
    mean = float(np.mean([abs(error) for _, error in found]))
    label = f"{device}: {100 * mean:.1f} % off, {len(found)} latencies"
    axes.scatter(published, predicted, s=34, c=color, marker=marker, edgecolors="white", linewidths=0.6, label=label)


def _label(axes: Axes, errors: Errors) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(mpl.ticker.FixedLocator(_TICKS_MS))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    axes.set_xlim(_TICKS_MS[0], _TICKS_MS[-1])
    axes.set_ylim(_TICKS_MS[0], _TICKS_MS[-1])
    axes.set_xlabel("published (ms)")
    axes.set_ylabel("predicted, the net left out on all phones (ms)")
    shares = [100 * (share_within(errors, bound, lambda setup: True) or 0.0) for bound, _ in _BANDS]
    axes.set_title(
        f"{len(errors)} latencies: {shares[1]:.0f} % within ±10 % (dark band), {shares[0]:.0f} % within ±20 % (light)",
        fontsize=11,
        loc="left",
    )
    axes.legend(loc="upper left", fontsize=10)
