"""Measures millijoules an inference: windows of runs and of rest take turns, and the rest's power is subtracted."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from mobile_sdk.benchmarking.energy.meters import Meter, Window
from mobile_sdk.document import Document

PAIRS = 5
WINDOW_S = 4.0  # meters tell a new number a few times a second
_LARGEST_RAILS = 6
_STUDENT = 2.776  # 97.5 % point of Student's distribution with PAIRS - 1 degrees of freedom


class Energy(Document):
    """Holds the energy of one inference above the device's rest, with its interval, or the reason why there is none.

    The interval is Student's over pairs of a window of rest and one of runs, 95 %. `rails_mj` are those rails that take
    most of it.
    """

    not_run: str | None = None
    source: str | None = None
    mj: float | None = None
    low_mj: float | None = None
    high_mj: float | None = None
    rest_mw: float | None = None
    pairs: int = 0
    runs: Annotated[int, Field(ge=0)] = 0
    rails_mj: Mapping[str, float] = {}
    advice: str | None = None  # why the figure says little


def measure_energy(
    meter: Meter, run: Callable[[int], object], median_ms: float, *, rest: Callable[[float], object] = time.sleep
) -> Energy:
    """Returns the energy of an inference that takes `median_ms`; `run` carries out so many."""
    runs = max(1, round(1000 * WINDOW_S / median_ms))
    expected_s = runs * median_ms / 1000
    pairs = [
        (meter.over(lambda: rest(WINDOW_S), WINDOW_S), meter.over(lambda: run(runs), expected_s)) for _ in range(PAIRS)
    ]
    found = np.array([_above_rest(*pair).total_mj / runs for pair in pairs])
    half = _STUDENT * float(found.std(ddof=1)) / math.sqrt(PAIRS)
    mean, rest_s = float(found.mean()), sum(still.seconds for still, _ in pairs)
    return Energy(
        source=meter.source,
        mj=mean,
        low_mj=mean - half,
        high_mj=mean + half,
        rest_mw=sum(still.total_mj for still, _ in pairs) / rest_s,
        pairs=PAIRS,
        runs=PAIRS * runs,
        rails_mj=_largest_rails([_above_rest(*pair) for pair in pairs], PAIRS * runs),
        advice=None if mean - half > 0 else "the device's rest draws more than the runs: close its apps, and try again",
    )


def _above_rest(still: Window, busy: Window) -> Window:
    """Returns what the runs drew beyond what rest would have drawn in that time."""
    rails = {
        name: drawn - still.rails_mj.get(name, 0.0) * busy.seconds / still.seconds
        for name, drawn in busy.rails_mj.items()
    }
    return Window(seconds=busy.seconds, rails_mj=rails)


def _largest_rails(windows: list[Window], runs: int) -> dict[str, float]:
    sums: dict[str, float] = {}
    for window in windows:
        for name, drawn in window.rails_mj.items():
            sums[name] = sums.get(name, 0.0) + drawn / runs
    ranked = sorted(sums, key=lambda name: -sums[name])
    return {name: sums[name] for name in ranked[:_LARGEST_RAILS]}
