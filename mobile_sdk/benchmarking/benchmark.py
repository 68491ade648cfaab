"""Measures the latency of one picture, in interleaved rounds over all bundles, and keeps every sample.

A machine's speed changes for minutes at a time, so bundles are compared only within a round: every round asks every
bundle for one turn of runs, in an order that rotates (ABC, BCA, CAB). Each bundle has a process of its own
(`benchmarking.worker`), which works only in its turn.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from mobile_sdk import runtimes
from mobile_sdk.arguments import expect, expect_each
from mobile_sdk.benchmarking.measurements import Comparison, Measurement, Numbers, Plan, judge
from mobile_sdk.benchmarking.place import Place, open_place, wait_until_cool
from mobile_sdk.benchmarking.series import Series, interleave, start_series
from mobile_sdk.benchmarking.statistics import Summary, ratio, summarize
from mobile_sdk.bundle.bundle import OPEN_IT, Bundle
from mobile_sdk.bundle.manifest import Manifest
from mobile_sdk.devices.state import DeviceState
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.system.environment import load_average
from mobile_sdk.system.progress import Progress, Report, reported
from mobile_sdk.system.seal import write_sealed

_TURN_TIMEOUT_S = 120.0
_QUICK_RUNS, _QUICK_SECONDS = 12, 0.0


@runtime_checkable
class BundleLike(Protocol):
    """A benchmark reads a bundle's folder and its manifest."""

    path: Path
    manifest: Manifest


class BenchmarkStoppedError(MachineError):
    """It says that a worker or its device was lost; `numbers` holds the measurements until then."""

    def __init__(self, cause: MachineError, numbers: Numbers) -> None:
        super().__init__(cause.message, hint=cause.hint)
        self.numbers = numbers


def benchmark(
    bundles: Sequence[Bundle],
    *,
    device: str = "host",
    threads: int = 1,
    min_runs: int = 50,
    min_seconds: float = 1.0,
    enough_seconds: float | None = None,
    quick: bool = False,
    max_ms: float | None = None,
    progress: Progress = True,
) -> Numbers:
    """Measures every bundle on its golden pictures, for at least `min_runs` runs and `min_seconds` of runs each.

    After `enough_seconds` of runs fewer runs are enough. `quick` measures just enough to show a figure, and gives no
    verdict. A bundle that the device cannot run is in the result with its reason. Raises SettingError for a device
    whose times mean nothing, BundleError for a damaged bundle, MachineError if a device is missing or stays hot, and
    BenchmarkStoppedError, which names bundle and runtime, if a worker dies or hangs.

    Example: `numbers = sdk.benchmark(bundles, max_ms=5)`
    """
    _check(bundles)
    expect("device", device, str)
    expect("min_runs", min_runs, int)
    expect("min_seconds", min_seconds, float, int)
    place = open_place(device)
    plan = Plan(
        threads=threads,
        min_runs=min(min_runs, _QUICK_RUNS) if quick else min_runs,
        min_seconds=min(min_seconds, _QUICK_SECONDS) if quick else min_seconds,
        enough_seconds=enough_seconds,
        quick=quick,
        max_ms=max_ms,
    )
    with reported(progress, "bench") as report:
        return _Benchmark(bundles=bundles, place=place, plan=plan, report=report).run()


def write_numbers(numbers: Numbers, path: Path) -> None:
    """Writes `bench.json`, whole or not at all."""
    write_sealed(path, numbers.model_dump_json(indent=1))


def _check(bundles: Sequence[Bundle]) -> None:
    expect_each("bundles", bundles, BundleLike, hint=OPEN_IT)
    if not bundles:
        raise SettingError("expected at least one bundle, found none", hint="name the bundles to measure")
    if len({bundle.path.resolve() for bundle in bundles}) < len(bundles):
        raise SettingError("expected every bundle once, found one twice", hint="name every bundle once")


@dataclass(kw_only=True)
class _Benchmark:
    """Runs one benchmark; its measurements so far can be read at any moment."""

    bundles: Sequence[Bundle]
    place: Place
    plan: Plan
    report: Report
    series: dict[Path, Series] = field(default_factory=dict)

    def run(self) -> Numbers:
        """Measures everything.

        Raises BenchmarkStoppedError with the measurements so far if the device or a worker is lost.
        """
        place, load_before, state_before = self.place, load_average(), self.place.state()
        if place.heats_up and not self.plan.quick:
            wait_until_cool(place.state, lambda text: self.report(0.0, text))
        before = Numbers(
            device=place.name,
            environment=place.environment(_versions(self.bundles)),
            load_average_before=load_before,
            load_average_after=None,
            plan=self.plan,
            measurements=(),
            comparisons=(),
            state_before=state_before,
            app=place.app(),
        )
        try:
            self._measure()
            return self._numbers(before, state_after=place.state())
        except MachineError as error:
            raise BenchmarkStoppedError(error, self._numbers(before, stopped=error.message)) from error

    def _measure(self) -> None:
        with ExitStack() as workers:
            for bundle in self.bundles:
                if self.place.not_run(bundle) is None:
                    self.report(0.0, f"loading {bundle.path.name}")
                    self.series[bundle.path] = start_series(bundle, self.place, self.plan, workers)
            interleave(
                list(self.series.values()),
                self.plan,
                self.report,
                turn_timeout_s=_TURN_TIMEOUT_S,
                may_start_again=not self.place.heats_up and not self.plan.quick,
            )

    def _numbers(
        self, before: Numbers, *, state_after: DeviceState | None = None, stopped: str | None = None
    ) -> Numbers:
        found = [_measurement(bundle, self.series.get(bundle.path), self.place) for bundle in self.bundles]
        is_any_program = any(each.precision != "float32" for each in found)
        measurements = (
            judge(each, self.plan, stopped) if (each.precision != "float32") == is_any_program else each
            for each in found
        )
        return before.model_copy(
            update={
                "load_average_after": load_average(),
                "measurements": tuple(measurements),
                "comparisons": _comparisons(self.bundles, self.series),
                "state_after": state_after,
                "stopped": stopped,
            }
        )


def _measurement(bundle: Bundle, series: Series | None, place: Place) -> Measurement:
    not_run = place.not_run(bundle)
    summary = summarize(series.rounds_ms) if series is not None and series.rounds_ms else None
    advice = None if series is None or summary is None else _advice(series, summary, place)
    return Measurement.of(
        bundle,
        samples=None if series is None else series.samples(),
        summary=summary,
        advice=advice,
        not_run=not_run or (None if summary else "the device was lost before it was measured"),
    )


def _advice(series: Series, summary: Summary, place: Place) -> str | None:
    """Returns the first reason why the times support no verdict."""
    app, throttling = place.app(), summary.throttling if place.heats_up else None
    reasons = (series.remark, app.advice if app else None, summary.advice, throttling)
    return next((reason for reason in reasons if reason), None)


def _comparisons(bundles: Sequence[Bundle], series: Mapping[Path, Series]) -> tuple[Comparison, ...]:
    """Compares every measured bundle with its float32 twin of the same runtime, or two bundles without twins."""
    measured = [bundle for bundle in bundles if bundle.path in series and series[bundle.path].rounds_ms]
    twins = {
        (each.manifest.name, each.manifest.runtime): each for each in measured if each.manifest.precision == "float32"
    }
    pairs = [
        (each, twin)
        for each in measured
        if each.manifest.precision != "float32" and (twin := twins.get((each.manifest.name, each.manifest.runtime)))
    ]
    if not pairs and len(measured) == 2:
        pairs = [(measured[0], measured[1])]
    return tuple(_comparison(first, second, series) for first, second in pairs)


def _comparison(first: Bundle, second: Bundle, series: Mapping[Path, Series]) -> Comparison:
    """Compares over the rounds that both have finished."""
    one, other = series[first.path].rounds_ms, series[second.path].rounds_ms
    rounds = min(len(one), len(other))
    return Comparison(
        bundle=first.path.name,
        twin=second.path.name,
        runtime=first.manifest.runtime,
        ratio=ratio(one[:rounds], other[:rounds]),
    )


def _versions(bundles: Sequence[Bundle]) -> dict[str, str]:
    names = {bundle.manifest.runtime for bundle in bundles}
    return {package: version for name in names for package, version in runtimes.get(name).versions().items()}
