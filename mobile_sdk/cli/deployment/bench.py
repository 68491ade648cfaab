"""`mobile-sdk bench` measures how long one picture takes."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.terminal import WORDS, progress, quiet, show_json, show_table
from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.output_paths import file_to_write
from qat.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobile_sdk.benchmarking.benchmark import BenchmarkStoppedError
    from mobile_sdk.benchmarking.measurements import Measurement, Numbers

FINAL_RUNS = 1024  # p99 then rests on ten runs
ENOUGH_SECONDS = 60.0  # of runs, for nets that take longer
TIMES = ("median ms", "95 % ms", "MAD ms", "p90 ms", "p99 ms", "CV %", "load ms", "first ms", "runs")
COLUMNS = ("bundle", *TIMES, "budget")


def bench(
    bundles: options.Bundles,
    device: options.Device = "host",
    threads: options.Threads = 1,
    max_ms: Annotated[float | None, typer.Option("--max-ms", help="Budget for the median; exit 1 over it.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A first figure, no verdict.")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the numbers go.")] = Path("bench.json"),
    json: options.Json = False,
) -> None:
    """Measure bundles in interleaved rounds, each in a process of its own; every sample is kept.

    A final result rests on 1,024 runs, or on a minute of runs. Two bundles are compared with each other. With several
    phones each is measured, all at once, into a file of its own.
    """
    quiet()
    if max_ms is not None and not 0 < max_ms < math.inf:
        raise SettingError(f"expected --max-ms above 0, found {max_ms:g}", hint="write the budget in milliseconds")
    if quick and max_ms is not None:
        raise SettingError("expected no --max-ms beside --quick, which gives no verdict, found it", hint="drop one")
    from mobile_sdk.benchmarking.farm import benchmark_each, device_names
    from mobile_sdk.bundle.bundle import open_bundle

    opened = [open_bundle(path) for path in bundles]
    file_to_write(out)
    plan: dict[str, Any] = {"min_runs": FINAL_RUNS, "enough_seconds": ENOUGH_SECONDS, "quick": quick, "max_ms": max_ms}
    names = device_names(device)
    with progress("bench") as report:
        results = benchmark_each(opened, names, threads=threads, progress=report, **plan)
    _write(results, names, out)
    whole = [result for result in results if not isinstance(result, Exception)]
    if json and whole:
        dumps = [numbers.model_dump(mode="json") for numbers in whole]
        show_json(dumps if len(names) > 1 else dumps[0])
    for numbers in whole if not json else ():
        if len(names) > 1:
            print(numbers.device)
        show_numbers(numbers)
    for result in results:
        if isinstance(result, Exception):
            raise result
    if any(numbers.verdict == "fail" for numbers in whole):
        raise typer.Exit(1)


def _write(results: "Sequence[Numbers | BenchmarkStoppedError]", names: "Sequence[str]", out: Path) -> None:
    """Writes everything that was measured, in a file a device if there are several."""
    from mobile_sdk.benchmarking.benchmark import BenchmarkStoppedError, write_numbers

    for name, result in zip(names, results, strict=True):
        file = out if len(names) == 1 else out.with_stem(f"{out.stem}-{re.sub('[^0-9A-Za-z.]+', '-', name)}")
        if isinstance(result, BenchmarkStoppedError):
            write_numbers(result.numbers, file)
            say(f"what was measured until then is in {file}")
        else:
            write_numbers(result, file)


def show_numbers(numbers: "Numbers") -> None:
    """Shows a line a bundle, the ratios between twins, and remarks on the figures."""
    show_table(COLUMNS, [_row(each) for each in numbers.measurements], numbers=TIMES)
    for comparison in numbers.comparisons:
        ratio, interval = comparison.ratio, comparison.ratio.interval
        undecided = ": no difference is shown" if interval.low <= 1 <= interval.high else ""
        times = f"{ratio.median:.3f} ({interval.low:.3f}–{interval.high:.3f})"
        print(f"{comparison.bundle} / {comparison.twin}: {times}{undecided}")
    for each in numbers.measurements:
        no_verdict = "no verdict: " if each.verdict == "not_run" and each.summary else ""
        for remark in dict.fromkeys(filter(None, (each.not_run, each.reason, each.advice))):
            print(f"{each.bundle}: {no_verdict}{remark}")


def _row(measurement: "Measurement") -> tuple[str, ...]:
    budget = WORDS[measurement.verdict] if measurement.verdict else ""
    summary, samples = measurement.summary, measurement.samples
    if summary is None or samples is None:
        return (measurement.bundle, "not run", *[""] * (len(TIMES) - 1), budget)
    interval, times = summary.median_interval_ms, (summary.mad_ms, summary.p90_ms, summary.p99_ms)
    return (
        measurement.bundle,
        f"{summary.median_ms:.3f}",
        f"{interval.low:.3f}–{interval.high:.3f}",
        *(f"{time:.3f}" for time in times),
        f"{100 * summary.cv_share:.1f}",
        f"{samples.load_ms:.1f}",
        f"{samples.first_run_ms:.2f}",
        str(summary.count),
        budget,
    )
