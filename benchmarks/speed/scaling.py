"""Measures the scaling efficiency of training in two processes, in float and in int8.

Run: python -m benchmarks.speed.scaling

MobileNetV3-Small 1.0 at 96 px has 1,000 classes and batches of 64 over all processes, one thread a process, over gloo
on one machine; it measures whole epochs of `fit`, augmentation included. Int8 is the phase in which ranges and batch
norm follow. One process and two take turns; the result is the median of the rounds' efficiencies. Efficiency is the
time of one process over twice the time of two: 100 % if the second halves it. There is no target: the figure is for
information.
"""

from statistics import median
from typing import Any

from benchmarks.core.joined_run import run_joined
from benchmarks.core.results_file import write_result
from mobile_sdk.system.environment import installed_versions

ROUNDS = 5
PROCESSES = 2


def main() -> None:
    """Measures both in turn."""
    rounds = [{count: run_joined(count, "epoch_durations", 0) for count in (1, PROCESSES)} for _ in range(ROUNDS)]
    rows = [row(precision, rounds) for precision in ("float32", "int8")]
    write_result("scaling", rows, installed_versions(("mobile-sdk", "torch", "torchao", "accelerate")))


def row(precision: str, rounds: list[dict[int, dict[str, list[float]]]]) -> dict[str, Any]:
    """Returns the medians of one precision, and every round's efficiency."""
    alone = [median(each[1][precision]) for each in rounds]
    joined = [median(each[PROCESSES][precision]) for each in rounds]
    efficiencies = [one / (PROCESSES * two) for one, two in zip(alone, joined, strict=True)]
    return {
        "training": precision,
        "epoch of 1 process, s": round(median(alone), 2),
        f"epoch of {PROCESSES} processes, s": round(median(joined), 2),
        "efficiency %": round(100 * median(efficiencies), 1),
        "rounds %": ", ".join(f"{100 * each:.0f}" for each in efficiencies),
    }


if __name__ == "__main__":
    main()
