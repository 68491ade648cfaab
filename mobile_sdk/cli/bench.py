"""`mobile-sdk bench`: how long does one picture take?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.terminal import progress, quiet, show_json, show_table

if TYPE_CHECKING:
    from mobile_sdk.measurements import Numbers


def bench(
    bundles: options.Bundles,
    device: Annotated[
        str, typer.Option("--device", help="Where to measure; this release measures on the host.")
    ] = "host",
    threads: options.Threads = 1,
    max_ms: Annotated[float | None, typer.Option("--max-ms", help="Budget for the median; exit 1 over it.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A first figure, no verdict.")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the numbers go.")] = Path("bench.json"),
    json: options.Json = False,
) -> None:
    """Measure bundles in interleaved rounds, each in a process of its own; every sample is kept."""
    quiet()
    from mobile_sdk.benchmarking import benchmark, write_numbers
    from mobile_sdk.bundle import open_bundle

    opened = [open_bundle(path) for path in bundles]
    with progress("bench") as report:
        numbers = benchmark(opened, device=device, threads=threads, max_ms=max_ms, quick=quick, progress=report)
    write_numbers(numbers, out)
    if json:
        show_json(numbers.model_dump(mode="json"))
    else:
        show_numbers(numbers)
    if numbers.verdict == "fail":
        raise typer.Exit(1)


def show_numbers(numbers: "Numbers") -> None:
    """A line a bundle, the ratios between twins, and what is to be known of the figures."""
    columns = ("bundle", "median ms", "MAD ms", "p90 ms", "p99 ms", "CV %", "load ms", "first ms", "runs", "budget")
    rows = []
    for each in numbers.measurements:
        if each.summary is None or each.samples is None:
            rows.append((each.bundle, "not run", *[""] * 7, each.not_run))
            continue
        s = each.summary
        times = (s.median_ms, s.mad_ms, s.p90_ms, s.p99_ms)
        rows.append(
            (
                each.bundle,
                *(f"{time:.3f}" for time in times),
                f"{100 * s.cv_share:.1f}",
                f"{each.samples.load_ms:.1f}",
                f"{each.samples.first_run_ms:.2f}",
                s.count,
                each.verdict or "",
            )
        )
    show_table(columns, rows, numbers=columns[1:-1])
    for comparison in numbers.comparisons:
        ratio = comparison.ratio
        print(
            f"{comparison.bundle} / {comparison.twin}: {ratio.median:.3f} ({ratio.interval.low:.3f}–{ratio.interval.high:.3f})"
        )
    for each in numbers.measurements:
        if each.advice:
            print(f"{each.bundle}: {each.advice}")
