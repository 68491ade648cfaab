"""Takes the turns of several bundles' workers, round by round, and keeps the measurements so far.

A process's memory layout makes it faster or slower for its whole life. If starting is cheap, a second process therefore
takes the second half of the rounds, as JMH does by its forks; that spreads them over more time, too.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from mobile_sdk.benchmarking.measurements import Plan, Samples
from mobile_sdk.benchmarking.place import Place
from mobile_sdk.benchmarking.statistics import MIN_ROUNDS
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.system.progress import Report
from mobile_sdk.system.worker_process import WorkerProcess

_START_TIMEOUT_S = 600.0  # importing a runtime and loading a model, on a slow and busy machine
_TURN_MS = 25.0  # long beside a switch of processes, short beside the bursts that interleaving cancels
_MAX_TURN_RUNS = 1000
_CHEAP_START = 1.0  # times the duration of half of the rounds: the whole then takes at most a third longer


@dataclass(kw_only=True)
class Series:
    """Holds the measurements so far of one bundle's worker, or of its workers, one after the other."""

    command: Sequence[str]
    title: str
    worker: WorkerProcess
    start_s: float
    load_ms: float
    first_run_ms: float
    warm_up_ms: tuple[float, ...]
    cores: tuple[int, ...] = ()
    processes: list[int] = field(default_factory=lambda: [0])
    rewarm_ms: list[float] = field(default_factory=list)
    rounds_ms: list[tuple[float, ...]] = field(default_factory=list)
    peak_mib: float | None = None
    end_to_end_ms: list[float] = field(default_factory=list)  # of an app
    remark: str | None = None  # why these times support no verdict, as the worker says
    seconds: float = 0.0
    runs: int = 0

    @property
    def turn_runs(self) -> int:
        """Returns how many runs fill a turn, judged by the end of the warm-up."""
        return int(np.clip(round(_TURN_MS / float(np.median(self.warm_up_ms[-5:]))), 1, _MAX_TURN_RUNS))

    def take_turn(self, timeout_s: float) -> None:
        """Asks the worker for one turn of runs."""
        reply = self.worker.ask({"runs": self.turn_runs}, timeout_s=timeout_s)
        self.rewarm_ms.append(reply["rewarm_ms"])
        self.rounds_ms.append(tuple(reply["times_ms"]))
        self.processes[-1] += 1
        self.peak_mib = max(self.peak_mib or 0.0, peak_mib) if (peak_mib := reply["peak_mib"]) is not None else None
        if "end_to_end_ms" in reply:
            self.end_to_end_ms.append(reply["end_to_end_ms"])
        self.seconds += sum(reply["times_ms"]) / 1000
        self.runs += len(reply["times_ms"])

    def start_again(self) -> None:
        """Continues in a new process, warm like the first."""
        self.worker.close()
        self.worker = WorkerProcess(self.command, title=self.title)
        self.worker.reply(timeout_s=_START_TIMEOUT_S)
        self.processes.append(0)

    def close(self) -> None:
        """Ends the process."""
        self.worker.close()

    def done_share(self, plan: Plan) -> float:
        """Returns the share of the plan that has been measured, 0..1."""
        shares = [1.0, self.runs / plan.min_runs]
        if plan.min_seconds > 0:
            shares.append(self.seconds / plan.min_seconds)
        enough = self.seconds / plan.enough_seconds if plan.enough_seconds else 0.0
        return min(max(min(shares), enough), len(self.rounds_ms) / MIN_ROUNDS)

    def samples(self) -> Samples:
        """Returns everything measured, as it is written down."""
        return Samples(
            load_ms=self.load_ms,
            first_run_ms=self.first_run_ms,
            warm_up_ms=self.warm_up_ms,
            rewarm_ms=tuple(self.rewarm_ms),
            rounds_ms=tuple(self.rounds_ms),
            peak_mib=self.peak_mib,
            seconds=self.seconds,
            cores=self.cores,
            processes=tuple(self.processes),
            end_to_end_ms=tuple(self.end_to_end_ms),
        )


def start_series(bundle: Bundle, place: Place, plan: Plan, workers: ExitStack) -> Series:
    """Starts a worker and waits until it is warm, before the next one is started."""
    where = "" if place.name == "host" else f" on {place.name}"
    title = f"{bundle.path.name} on {bundle.manifest.runtime}{where}"
    command = workers.enter_context(place.command(bundle, plan.threads))
    before_s = time.monotonic()
    worker = WorkerProcess(command, title=title)
    with ExitStack() as failing:
        failing.callback(worker.close)
        ready = worker.reply(timeout_s=_START_TIMEOUT_S)
        failing.pop_all()
    series = Series(
        command=command,
        title=title,
        worker=worker,
        start_s=time.monotonic() - before_s,
        load_ms=ready["load_ms"],
        first_run_ms=ready["first_run_ms"],
        warm_up_ms=tuple(ready["warm_up_ms"]),
        cores=tuple(ready.get("cores", ())),
        remark=ready.get("remark"),
    )
    workers.callback(series.close)
    return series


def interleave(
    series: Sequence[Series], plan: Plan, report: Report, *, turn_timeout_s: float, may_start_again: bool
) -> None:
    """Runs rounds over all series, each starting with the next series, until every series has fulfilled the plan."""
    first, began_s = 0, time.monotonic()
    while series and (done := min(each.done_share(plan) for each in series)) < 1:
        report(done, f"round {first + 1}")
        if may_start_again and done >= 0.5:
            may_start_again = False
            _start_again_where_cheap(series, time.monotonic() - began_s)
        for offset in range(len(series)):
            series[(first + offset) % len(series)].take_turn(turn_timeout_s)
        first += 1


def _start_again_where_cheap(series: Sequence[Series], half_s: float) -> None:
    if sum(each.start_s for each in series) <= _CHEAP_START * half_s:
        for each in series:
            each.start_again()
