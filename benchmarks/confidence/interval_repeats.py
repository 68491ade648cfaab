"""Tests if bench agrees with itself: it measures one bundle eight times in a row on this host and compares all pairs.

Run: python -m benchmarks.confidence.interval_repeats [BUNDLE …]

Two intervals of one bundle's median that do not overlap contradict each other. Without bundles it makes a small net and
one of a millisecond. Measurements alternate with others that keep to one process, as bench did before: their seconds
show the cost of the second process, and their intervals, with rounds treated as independent, show the earlier state.
"""

import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.confidence.interval_coverage import as_independent
from benchmarks.core.realistic import crops, with_realistic_numbers
from benchmarks.core.results_file import write_result
from mobile_sdk import runtimes
from mobile_sdk.benchmarking import series as benchmark_series
from mobile_sdk.benchmarking.benchmark import benchmark
from mobile_sdk.benchmarking.measurements import Numbers
from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from qat.calibration.calibration import quantize
from qat.nets import build_net

REPEATS = 8
NETS = (("mobilenet_v1", 0.25, 32), ("mobilenet_v3_small", 1.0, 96))
ENDS = tuple[float, float]


def main(paths: Sequence[str]) -> None:
    """Measures the bundles, or those made here."""
    quiet()
    with tempfile.TemporaryDirectory() as folder:
        bundles = [open_bundle(Path(path)) for path in paths] or list(made(Path(folder)))
        rows = [row(bundle) for bundle in bundles]
    write_result("interval_repeats", rows, runtimes.get("tflite").versions())


def made(folder: Path) -> Iterator[Bundle]:
    """Yields LiteRT bundles of nets with random but realistic numbers."""
    for name, width, size_px in NETS:
        labels = tuple(f"class {index}" for index in range(100))
        contract = Contract(name=f"{name}-{size_px}", labels=labels, image=ImageSpec(size_px=size_px))
        net = with_realistic_numbers(build_net(name, contract, width=width), contract.image)
        yield from lower(quantize(net, contract, crops(16, seed=1)), folder, runtimes=["tflite"])


def row(bundle: Bundle) -> dict[str, Any]:
    """Returns the findings of the repeats of one bundle."""
    ours, before = [], []
    for _ in range(REPEATS):
        ours.append(_timed(bundle, benchmark_series._CHEAP_START))
        before.append(_timed(bundle, 0.0))
    summaries = [summary for numbers, _ in ours if (summary := numbers.measurements[0].summary)]
    medians = np.array([each.median_ms for each in summaries])
    intervals = [(each.median_interval_ms.low, each.median_interval_ms.high) for each in summaries]
    as_before = [
        as_independent(samples.rounds_ms) for numbers, _ in before if (samples := numbers.measurements[0].samples)
    ]
    return {
        "bundle": bundle.path.name,
        "medians, ms": f"{medians.min():.4g} to {medians.max():.4g}",
        "half width %": round(100 * float(np.median([(high - low) / 2 / low for low, high in intervals])), 1),
        "worth of rounds": " ".join(f"{each.independent_rounds or 0:.0f}" for each in summaries),
        "no verdict": sum(each.advice is not None for each in summaries),
        "pairs apart": f"{apart(intervals)} of {REPEATS * (REPEATS - 1) // 2}",
        "as before": f"{apart(as_before)} of {REPEATS * (REPEATS - 1) // 2}",
        "s": round(float(np.median([seconds for _, seconds in ours])), 2),
        "s, one process": round(float(np.median([seconds for _, seconds in before])), 2),
        "load": f"{ours[0][0].load_average_before or 0:.1f}",
    }


def apart(intervals: Sequence[ENDS]) -> int:
    """Returns how many pairs of intervals do not overlap."""
    pairs = itertools.combinations(intervals, 2)
    return sum(one[1] < other[0] or other[1] < one[0] for one, other in pairs)


def _timed(bundle: Bundle, cheap_start: float) -> tuple[Numbers, float]:
    """Returns the numbers and the seconds that they took."""
    usual, started = benchmark_series._CHEAP_START, time.monotonic()
    benchmark_series._CHEAP_START = cheap_start
    try:
        numbers = benchmark([bundle], min_runs=1024, progress=False)
    finally:
        benchmark_series._CHEAP_START = usual
    return numbers, time.monotonic() - started


if __name__ == "__main__":
    main(sys.argv[1:])
