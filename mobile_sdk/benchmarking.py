"""How long one picture takes: interleaved rounds over all bundles, every sample kept.

A machine's speed changes for minutes at a time, so bundles are compared only within a round: every round asks every
bundle for one turn of runs, in an order that rotates (ABC, BCA, CAB). Each bundle lives in a process of its own
(`benchmark_worker`) and works only in its turn.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mobile_sdk import runtimes
from mobile_sdk.atomic import write_text
from mobile_sdk.benchmark_process import WorkerProcess, worker_command
from mobile_sdk.bundle import Bundle
from mobile_sdk.environment import describe_environment, load_average
from mobile_sdk.errors import SettingError
from mobile_sdk.measurements import Comparison, Measurement, Numbers, Plan, Samples, judge
from mobile_sdk.stats import MIN_ROUNDS, ratio, summarize

Progress = Callable[[float, str], None]
"""Takes the share that is done, 0..1, and what is being done."""

_START_TIMEOUT_S = 600.0  # importing a runtime and loading a model, on a slow and busy machine
_TURN_TIMEOUT_S = 120.0
_TURN_MS = 25.0  # long beside a switch of processes, short beside the bursts that interleaving is to cancel
_MAX_TURN_RUNS = 1000
_QUICK_RUNS, _QUICK_SECONDS = 12, 0.0


def benchmark(
    bundles: Sequence[Bundle],
    *,
    device: str = "host",
    threads: int = 1,
    min_runs: int = 50,
    min_seconds: float = 1.0,
    quick: bool = False,
    max_ms: float | None = None,
    progress: Progress | None = None,
) -> Numbers:
    """Measures every bundle on its golden pictures, for at least `min_runs` runs and `min_seconds` of runs each.

    `quick` measures just enough to show a figure, and gives no verdict. A bundle that this machine cannot run is in the
    result with its reason. Raises SettingError for another device, BundleError for a damaged bundle, and MachineError
    naming bundle and runtime where a worker dies or hangs.
    """
    _check(bundles, device)
    plan = Plan(
        threads=threads,
        min_runs=min(min_runs, _QUICK_RUNS) if quick else min_runs,
        min_seconds=min(min_seconds, _QUICK_SECONDS) if quick else min_seconds,
        quick=quick,
        max_ms=max_ms,
    )
    before = load_average()
    reasons = {bundle.path: _not_run(bundle.manifest.runtime) for bundle in bundles}
    series = _measure([bundle for bundle in bundles if reasons[bundle.path] is None], plan, progress or _silent)
    measurements = [_measurement(bundle, series.get(bundle.path), reasons[bundle.path]) for bundle in bundles]
    is_any_program = any(measurement.precision != "float32" for measurement in measurements)
    return Numbers(
        device=device,
        environment=describe_environment(_versions(bundles)),
        load_average_before=before,
        load_average_after=load_average(),
        plan=plan,
        measurements=tuple(
            judge(each, plan) if (each.precision != "float32") == is_any_program else each for each in measurements
        ),
        comparisons=_comparisons(bundles, series),
    )


def write_numbers(numbers: Numbers, path: Path) -> None:
    """Writes `bench.json`, whole or not at all."""
    write_text(path, numbers.model_dump_json(indent=1) + "\n")


@dataclass(kw_only=True)
class _Series:
    """What one worker has measured so far."""

    worker: WorkerProcess
    load_ms: float
    first_run_ms: float
    warm_up_ms: tuple[float, ...]
    rewarm_ms: list[float] = field(default_factory=list)
    rounds_ms: list[tuple[float, ...]] = field(default_factory=list)
    peak_mib: float | None = None
    seconds: float = 0.0
    runs: int = 0

    @property
    def turn_runs(self) -> int:
        """How many runs fill a turn, judged by the end of the warm-up."""
        return int(np.clip(round(_TURN_MS / float(np.median(self.warm_up_ms[-5:]))), 1, _MAX_TURN_RUNS))

    def take_turn(self) -> None:
        """Asks the worker for one turn of runs."""
        reply = self.worker.ask({"runs": self.turn_runs}, timeout_s=_TURN_TIMEOUT_S)
        self.rewarm_ms.append(reply["rewarm_ms"])
        self.rounds_ms.append(tuple(reply["times_ms"]))
        self.peak_mib = reply["peak_mib"]
        self.seconds += sum(reply["times_ms"]) / 1000
        self.runs += len(reply["times_ms"])

    def done_share(self, plan: Plan) -> float:
        """How much of what the plan asks for has been measured, 0..1."""
        shares = [1.0, self.runs / plan.min_runs, len(self.rounds_ms) / MIN_ROUNDS]
        return min(shares if plan.min_seconds == 0 else [*shares, self.seconds / plan.min_seconds])

    def samples(self) -> Samples:
        """Everything measured, as it is written down."""
        return Samples(
            load_ms=self.load_ms,
            first_run_ms=self.first_run_ms,
            warm_up_ms=self.warm_up_ms,
            rewarm_ms=tuple(self.rewarm_ms),
            rounds_ms=tuple(self.rounds_ms),
            peak_mib=self.peak_mib,
            seconds=self.seconds,
        )


def _check(bundles: Sequence[Bundle], device: str) -> None:
    if device != "host":
        raise SettingError(
            f"expected the device 'host', found {device!r}",
            hint="measure on this machine: this release reaches no other device",
        )
    if not bundles:
        raise SettingError("expected at least one bundle, found none", hint="name the bundles to measure")
    if len({bundle.path.resolve() for bundle in bundles}) < len(bundles):
        raise SettingError("expected every bundle once, found one twice", hint="name every bundle once")


def _not_run(runtime: str) -> str | None:
    """Why a bundle of this runtime is not timed here."""
    if runtime == "coreml" and sys.platform != "darwin":
        return "Core ML runs on Apple's systems only: off a Mac an interpreter computes it, whose time says nothing"
    return runtimes.get(runtime).unavailable()


def _measure(bundles: Sequence[Bundle], plan: Plan, progress: Progress) -> dict[Path, _Series]:
    with ExitStack() as workers:
        series = {}
        for bundle in bundles:
            progress(0.0, f"loading {bundle.path.name}")
            series[bundle.path] = _start(bundle, plan, workers)
        _interleave(list(series.values()), plan, progress)
    return series


def _start(bundle: Bundle, plan: Plan, workers: ExitStack) -> _Series:
    """Starts a worker and waits until it is warm, before the next one is started."""
    title = f"{bundle.path.name} on {bundle.manifest.runtime}"
    worker = workers.enter_context(WorkerProcess(worker_command(bundle.path, plan.threads), title=title))
    ready = worker.reply(timeout_s=_START_TIMEOUT_S)
    return _Series(
        worker=worker,
        load_ms=ready["load_ms"],
        first_run_ms=ready["first_run_ms"],
        warm_up_ms=tuple(ready["warm_up_ms"]),
    )


def _interleave(series: Sequence[_Series], plan: Plan, progress: Progress) -> None:
    """Rounds over all series, each round beginning with the next one, until every series has what the plan asks for."""
    first = 0
    while series and (done := min(each.done_share(plan) for each in series)) < 1:
        progress(done, f"round {first + 1}")
        for offset in range(len(series)):
            series[(first + offset) % len(series)].take_turn()
        first += 1


def _measurement(bundle: Bundle, series: _Series | None, not_run: str | None) -> Measurement:
    summary = None if series is None else summarize(series.rounds_ms)
    return Measurement(
        bundle=bundle.path.name,
        name=bundle.manifest.name,
        runtime=bundle.manifest.runtime,
        precision=bundle.manifest.precision,
        model_bytes=bundle.model_bytes,
        samples=None if series is None else series.samples(),
        summary=summary,
        advice=None if summary is None else summary.advice,
        not_run=not_run,
    )


def _comparisons(bundles: Sequence[Bundle], series: Mapping[Path, _Series]) -> tuple[Comparison, ...]:
    """Every measured bundle of a program beside the measured float32 bundle of the same net and runtime."""
    measured = [bundle for bundle in bundles if bundle.path in series]
    twins = {
        (each.manifest.name, each.manifest.runtime): each for each in measured if each.manifest.precision == "float32"
    }
    return tuple(
        Comparison(
            bundle=each.path.name,
            twin=twin.path.name,
            runtime=each.manifest.runtime,
            ratio=ratio(series[each.path].rounds_ms, series[twin.path].rounds_ms),
        )
        for each in measured
        if each.manifest.precision != "float32" and (twin := twins.get((each.manifest.name, each.manifest.runtime)))
    )


def _versions(bundles: Sequence[Bundle]) -> dict[str, str]:
    names = {bundle.manifest.runtime for bundle in bundles}
    return {package: version for name in names for package, version in runtimes.get(name).versions().items()}


def _silent(done_share: float, text: str) -> None:
    """No progress is shown."""
