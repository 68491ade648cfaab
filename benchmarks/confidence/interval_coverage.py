"""Measures how often bench's 95 % interval holds the true median in simulated noise, and how often a verdict is wrong.

Run: python -m benchmarks.confidence.interval_coverage

It draws six kinds of noise, several sizes of each, 1,000 times, in two minutes on one core. At a budget that equals the
true median every verdict is wrong; a net 2 % above its budget must not pass. `margin` is how far above the median a
budget must be for four of five measurements to pass; it is "–" if the noise lets fewer pass at any budget. Ours is
compared with the interval that treats rounds as independent (Woodruff 1952), which bench had before.
"""

from collections.abc import Iterator, Sequence
from math import inf, isinf, sqrt
from typing import Any

import numpy as np

from benchmarks.confidence.noise import (
    Noise,
    Times,
    bursts,
    drift,
    heavy_tails,
    independent,
    long_rounds,
    measured,
    memory,
    switching,
)
from benchmarks.core.results_file import write_result
from mobile_sdk.benchmarking.measurements import Plan, judge
from mobile_sdk.benchmarking.statistics import summarize
from mobile_sdk.system.environment import installed_versions

DRAWS = 1000
TABLE: dict[tuple[int, int], Sequence[Noise]] = {
    (40, 25): (
        independent(0.03),
        memory(0.5, 0.02, 0.01),
        memory(0.8, 0.05, 0.01),
        memory(0.8, 0.01, 0.03),
        memory(0.9, 0.02, 0.03),
        switching(3, 0.08, 0.01),
        switching(10, 0.08, 0.01),
        switching(10, 0.02, 0.01),
        switching(20, 0.08, 0.01),
        drift(0.02, 0.03),
        drift(0.25, 0.03),
        bursts(0.1, 1.4, 0.03),
        heavy_tails(0.03),
        long_rounds(0.01, 0.01),
    ),
    (40, 300): (independent(0.03), memory(0.8, 0.005, 0.03), switching(10, 0.08, 0.03), bursts(0.1, 1.4, 0.03)),
    (10, 20): (
        independent(0.03),
        memory(0.8, 0.05, 0.01),
        memory(0.8, 0.01, 0.03),
        switching(5, 0.08, 0.01),
        drift(0.05, 0.03),
        bursts(0.1, 1.4, 0.03),
        heavy_tails(0.03),
    ),
    (10, 1): (
        independent(0.03),
        memory(0.8, 0.05, 0.01),
        switching(5, 0.08, 0.01),
        drift(0.05, 0.03),
        bursts(0.1, 1.4, 0.03),
        long_rounds(0.03, 0.01),
    ),
    (400, 10): (independent(0.03), memory(0.9, 0.02, 0.03), switching(30, 0.08, 0.01), bursts(0.1, 1.4, 0.03)),
}


def main() -> None:
    """Draws everything."""
    rows = [row(noise, rounds, runs) for (rounds, runs), kinds in TABLE.items() for noise in kinds]
    write_result("interval_coverage", rows, installed_versions(("mobile-sdk", "numpy")))


def row(noise: Noise, rounds: int, runs: int) -> dict[str, Any]:
    """Returns the findings for one noise."""
    random = np.random.default_rng(0)
    found = [_Found(noise.draw(random, rounds, runs), noise.median_ms) for _ in range(DRAWS)]
    margin = sorted(each.margin for each in found)[int(0.8 * DRAWS)]
    return {
        "noise": noise.kind,
        "of what": noise.what,
        "rounds × runs": f"{rounds} × {runs}",
        "holds %": _percent(each.holds for each in found),
        "as independent %": _percent(each.holds_as_independent for each in found),
        "half width %": round(100 * float(np.median([each.half_width for each in found])), 1),
        "wrong at the median %": _percent(each.verdict_at_median for each in found),
        "2 % over passes %": _percent(each.passes_over_budget for each in found),
        "margin %": "–" if isinf(margin) else round(100 * margin, 1),
    }


class _Found:
    """Holds the result of one measurement."""

    def __init__(self, times: Times, median_ms: float) -> None:
        rounds_ms = times.tolist()
        summary = summarize(rounds_ms)
        interval, (low, high) = summary.median_interval_ms, as_independent(rounds_ms)
        self.holds = interval.low <= median_ms <= interval.high
        self.holds_as_independent = low <= median_ms <= high
        self.half_width = (interval.high - interval.low) / 2 / median_ms
        self.verdict_at_median = judge(measured(summary), Plan(max_ms=median_ms)).verdict in ("pass", "fail")
        self.passes_over_budget = judge(measured(summary), Plan(max_ms=0.98 * median_ms)).verdict == "pass"
        self.margin = inf if summary.advice else interval.high / median_ms - 1


def as_independent(rounds_ms: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Returns the interval of the median that treats rounds as independent clusters (Woodruff 1952)."""
    samples = np.concatenate([np.asarray(each) for each in rounds_ms])
    sizes = np.array([len(each) for each in rounds_ms])
    below = np.array([np.mean(np.asarray(each) <= np.median(samples)) for each in rounds_ms])
    error = sqrt(float(np.sum((sizes * (below - below @ sizes / sizes.sum())) ** 2))) / float(sizes.sum())
    reach = 1.96 * error * sqrt(len(sizes) / (len(sizes) - 1))
    low, high = np.quantile(samples, (max(0.0, 0.5 - reach), min(1.0, 0.5 + reach)))
    return float(low), float(high)


def _percent(held: Iterator[bool]) -> float:
    return round(100 * float(np.mean(list(held))), 1)


if __name__ == "__main__":
    main()
