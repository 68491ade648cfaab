"""Compares the accuracy of training in two processes with one, on the built-in digits, in float and in int8.

Run: python -m benchmarks.accuracy.scaling_digits

MobileNetV3-Small at 32 px trains by the digits' plan with fewer epochs, the same for one process and for two: batches
of 64 over both. Every seed draws its own 1,000 held-out digits. The bound is noise: two standard errors of the
difference of two accuracies on so many digits, if both nets were equally good. It takes some 5 minutes of a core.
"""

from math import sqrt
from statistics import mean

from benchmarks.core.joined_run import run_joined
from benchmarks.core.results_file import write_result
from benchmarks.core.targets import Target
from mobile_sdk.system.environment import installed_versions
from qat.progress import say

SEEDS = (0, 1, 2)
DIGITS = 1000
PROCESSES = 2


def main() -> None:
    """Trains with every seed, in one process and in two."""
    rows = []
    for seed in SEEDS:
        for count in (1, PROCESSES):
            found = run_joined(count, "accuracies", seed)
            say(f"seed {seed}, {count} processes: {found}")
            rows.append({"seed": seed, "processes": count, **{f"{name} %": share for name, share in found.items()}})
    columns = [name for name in rows[0] if name.endswith(" %")]
    versions = installed_versions(("mobile-sdk", "torch", "torchao", "accelerate"))
    write_result("scaling_digits", rows, versions, [target(column, rows) for column in columns])


def target(column: str, rows: list[dict[str, float]]) -> Target:
    """Compares two processes with one, which is the stock, in the mean over the seeds."""
    alone, joined = (mean(row[column] for row in rows if row["processes"] == count) for count in (1, PROCESSES))
    share = alone / 100
    noise = 100 * 2 * sqrt(2 * share * (1 - share) / (DIGITS * len(SEEDS)))
    work = f"mobilenet_v3_small on {len(SEEDS)} × 1,000 digits, {column.removesuffix(' %')}: 2 processes beside 1"
    return Target.gain(work, "% top-1", stock=alone, ours=joined, at_least=-round(noise, 2))


if __name__ == "__main__":
    main()
