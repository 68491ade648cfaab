"""`mobile-sdk bench` measures how long one picture takes."""

import math
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.deployment.compute_units import choose_compute_units
from mobile_sdk.cli.tables import show_table, show_text
from mobile_sdk.cli.terminal import WORDS, is_verbose, progress, quiet, show_json
from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.output_paths import file_to_write
from qat.progress import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mobile_sdk.benchmarking.benchmark import BenchmarkStoppedError
    from mobile_sdk.benchmarking.energy.windows import Energy
    from mobile_sdk.benchmarking.measurements import Measurement, Numbers
    from mobile_sdk.benchmarking.profiling.profile import Expectation, Profile
    from mobile_sdk.bundle.bundle import Bundle
    from mobile_sdk.program.program import Program
    from mobile_sdk.system.progress import Report

    Addition = Callable[[Numbers, Report], Numbers]

FINAL_RUNS = 1024  # p99 then rests on ten runs
ENOUGH_SECONDS = 60.0  # of runs, for nets that take longer
TIMES = ("median ms", "95 % ms", "p90 ms", "p99 ms", "CV %", "runs")
MORE_TIMES = ("MAD ms", "load ms", "first ms")  # with --verbose
SLOWEST = 12  # kernels that are shown; bench.json holds all of them


@dataclass(frozen=True, kw_only=True)
class PlaceOptions:
    """Says where, and on which processors, the bundles run."""

    device: options.Device = "host"
    threads: options.Threads = 1
    compute: options.Compute = None


@dataclass(frozen=True, kw_only=True)
class LayerOptions:
    """Says whether layers are timed, too."""

    layers: Annotated[
        Path | None,
        typer.Option(
            "--layers", metavar="PROGRAM", help="Time every layer, too: the program.pt2 of the bundles names them."
        ),
    ] = None
    expected: Annotated[
        str | None,
        typer.Option(
            "--expected", metavar="NAME|FILE", help="With --layers: beside what `predict --device` expects of each."
        ),
    ] = None


def bench(
    bundles: options.Bundles,
    place: PlaceOptions,
    max_ms: Annotated[float | None, typer.Option("--max-ms", help="Budget for the median; exit 1 over it.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A first figure, no verdict.")] = False,
    *,
    layers: LayerOptions,
    energy: Annotated[
        bool, typer.Option("--energy", help="Millijoules an inference, too, where the device meters itself.")
    ] = False,
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

    choose_compute_units(place.compute, place.device)
    opened, names = [open_bundle(path) for path in bundles], device_names(place.device)
    additions = _additions(opened, layers, names, place.threads, energy=energy)
    file_to_write(out)
    plan: dict[str, Any] = {"min_runs": FINAL_RUNS, "enough_seconds": ENOUGH_SECONDS, "quick": quick, "max_ms": max_ms}
    with progress("bench") as report:
        results = benchmark_each(opened, names, threads=place.threads, progress=report, **plan)
    results = [_with_work(each, opened, layers.layers) for each in results]
    _write(results, names, out)
    for add in additions:
        with progress("bench") as report:
            results = [each if isinstance(each, Exception) else add(each, report) for each in results]
        _write_again(results, names, out)
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


def _additions(
    bundles: "Sequence[Bundle]", layers: LayerOptions, names: "Sequence[str]", threads: int, *, energy: bool
) -> "list[Addition]":
    """Returns the measurements that follow the times, in their order, as functions that add them to numbers."""
    profiled = _profiler(bundles, layers, names, threads)
    found = [] if profiled is None else [profiled]
    if energy:
        from mobile_sdk.benchmarking.metering import with_energy

        found.append(partial(with_energy, bundles))
    return found


def _with_work(
    result: "Numbers | BenchmarkStoppedError", bundles: "Sequence[Bundle]", program: Path | None
) -> "Numbers | BenchmarkStoppedError":
    """Adds each net's work where its program is at hand, so that `predict --measured` can learn from the file."""
    from mobile_sdk.benchmarking.benchmark import BenchmarkStoppedError
    from mobile_sdk.latency.measured import with_work

    programs = () if program is None else (program,)
    if isinstance(result, BenchmarkStoppedError):
        result.numbers = with_work(result.numbers, bundles, programs)
        return result
    return with_work(result, bundles, programs)


def _write(results: "Sequence[Numbers | BenchmarkStoppedError]", names: "Sequence[str]", out: Path) -> None:
    """Writes everything that was measured, in a file a device if there are several."""
    from mobile_sdk.benchmarking.benchmark import BenchmarkStoppedError, write_numbers

    for name, result in zip(names, results, strict=True):
        file = _file_of(name, names, out)
        if isinstance(result, BenchmarkStoppedError):
            write_numbers(result.numbers, file)
            say(f"what was measured until then is in {file}")
        else:
            write_numbers(result, file)


def _write_again(results: "Sequence[Numbers | BenchmarkStoppedError]", names: "Sequence[str]", out: Path) -> None:
    """Writes what has layers now; the times are written before them, so that no profiler can lose them."""
    from mobile_sdk.benchmarking.benchmark import BenchmarkStoppedError, write_numbers

    for name, result in zip(names, results, strict=True):
        if not isinstance(result, BenchmarkStoppedError):
            write_numbers(result, _file_of(name, names, out))


def _file_of(name: str, names: "Sequence[str]", out: Path) -> Path:
    return out if len(names) == 1 else out.with_stem(f"{out.stem}-{re.sub('[^0-9A-Za-z.]+', '-', name)}")


def show_numbers(numbers: "Numbers") -> None:
    """Shows a line a bundle, the ratios between twins, and remarks on the figures."""
    titles = (*TIMES, *(MORE_TIMES if is_verbose() else ()))
    judged = ("budget",) if any(each.verdict for each in numbers.measurements) else ()
    columns = ("bundle", *titles, *judged)
    rows = [tuple(_cells(each)[column] for column in columns) for each in numbers.measurements]
    show_table(columns, rows, numbers=titles)
    for comparison in numbers.comparisons:
        ratio, interval = comparison.ratio, comparison.ratio.interval
        undecided = ": no difference is shown" if interval.low <= 1 <= interval.high else ""
        times = f"{ratio.median:.3f} ({interval.low:.3f}–{interval.high:.3f})"
        show_text(f"{comparison.bundle} / {comparison.twin}: {times}{undecided}")
    for profile in numbers.profiles:
        _show_profile(profile)
    for each in numbers.measurements:
        if each.samples and (taken_ms := each.samples.end_to_end_median_ms) is not None:
            runs = len(each.samples.end_to_end_ms)
            show_text(f"{each.bundle}: {taken_ms:.3f} ms from a picture's bytes to numbers, {runs} runs")
        if each.energy is not None:
            show_text(f"{each.bundle}: {_energy_line(each.energy)}")
        no_verdict = "no verdict: " if each.verdict == "not_run" and each.summary else ""
        for remark in dict.fromkeys(filter(None, (each.not_run, each.reason, each.advice))):
            show_text(f"{each.bundle}: {no_verdict}{remark}")


def _energy_line(energy: "Energy") -> str:
    if energy.mj is None or energy.low_mj is None or energy.high_mj is None:
        return f"energy not run: {energy.not_run}"
    found = f"{energy.mj:.3g} mJ an inference ({energy.low_mj:.3g}–{energy.high_mj:.3g}) by {energy.source}"
    return f"{found}, above {energy.rest_mw:.0f} mW at rest{f': {energy.advice}' if energy.advice else ''}"


def _profiler(
    bundles: "Sequence[Bundle]", chosen: LayerOptions, names: "Sequence[str]", threads: int
) -> "Addition | None":
    """Returns a function that adds the bundles' profiles to numbers, None without --layers; checks all settings."""
    if chosen.layers is None:
        if chosen.expected is not None:
            raise SettingError(
                "expected --layers beside --expected, found none", hint="name the program: --layers FILE"
            )
        return None
    from mobile_sdk.benchmarking.profiling.profile import check_profiled, check_profiles, profile
    from mobile_sdk.program.viewed_program import load_with_view

    program = load_with_view(chosen.layers)
    for name in names:
        check_profiles(name)
    for bundle in bundles:
        check_profiled(bundle, program)
    expected = [_expectation(bundle, program, chosen.expected) for bundle in bundles]

    def profiled(numbers: "Numbers", report: "Report") -> "Numbers":
        settings: dict[str, Any] = {"device": numbers.device, "threads": threads, "progress": report}
        pairs = zip(bundles, expected, strict=True)
        profiles = tuple(profile(bundle, program, expected=each, **settings) for bundle, each in pairs)
        return numbers.model_copy(update={"profiles": profiles})

    return profiled


def _expectation(bundle: "Bundle", program: "Program", device: str | None) -> "Expectation | None":
    """Returns what is expected of a device, by its model of the bundle's runtime where there is one."""
    if device is None:
        return None
    from mobile_sdk.benchmarking.profiling.profile import Expectation
    from mobile_sdk.latency.choice import choose_models

    precision = program.graph.precision
    if precision == "mixed":
        raise SettingError("expected a program of one precision with --expected, found mixed", hint="leave it out")
    models = choose_models(device, precision)
    model = next((each for each in models if each.setup.runtime == bundle.manifest.runtime), models[0])
    return Expectation(by=f"{model.setup.device}, {model.setup.runtime}", us=model.expected_us)


def _show_profile(profile: "Profile") -> None:
    """Shows the slowest kernels with the layers that they compute."""
    slowest = profile.slowest(SLOWEST)
    numbers = ("µs", "%", *(["expected µs"] if profile.expected_by else []))
    rows = [
        (
            ", ".join(each.layers) or "–",
            each.kernel,
            f"{each.us:.1f}",
            f"{100 * each.us / profile.kernels_us:.1f}",
            *(["–" if each.expected_us is None else f"{each.expected_us:.1f}"] if profile.expected_by else []),
        )
        for each in slowest
    ]
    show_text(
        f"{profile.bundle}: the {len(rows)} slowest of {len(profile.kernels)} kernels, of {profile.run_us:.0f} µs a run"
    )
    show_table(("layers", "kernel", *numbers), rows, numbers=numbers)
    others_us = profile.kernels_us - sum(each.us for each in slowest)
    show_text(f"other kernels {others_us:.0f} µs, beside kernels {profile.rest_us:.0f} µs")


def _cells(measurement: "Measurement") -> dict[str, str]:
    """Returns the cell of each column."""
    summary, samples = measurement.summary, measurement.samples
    told = {"bundle": measurement.bundle, "budget": WORDS[measurement.verdict] if measurement.verdict else ""}
    if summary is None or samples is None:
        return {**dict.fromkeys((*TIMES, *MORE_TIMES), ""), "median ms": "not run", **told}
    interval = summary.median_interval_ms
    return {
        "median ms": f"{summary.median_ms:.3f}",
        "95 % ms": f"{interval.low:.3f}–{interval.high:.3f}",
        "MAD ms": f"{summary.mad_ms:.3f}",
        "p90 ms": f"{summary.p90_ms:.3f}",
        "p99 ms": f"{summary.p99_ms:.3f}",
        "CV %": f"{100 * summary.cv_share:.1f}",
        "load ms": f"{samples.load_ms:.1f}",
        "first ms": f"{samples.first_run_ms:.2f}",
        "runs": str(summary.count),
        **told,
    }
