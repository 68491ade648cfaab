"""`bench.json`: every time that was measured, where, and what it says about a budget."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mobile_sdk.benchmarking.statistics import Ratio, Summary, summarize
from mobile_sdk.contract import Part
from mobile_sdk.devices.state import DeviceState
from mobile_sdk.document import Document, cut
from mobile_sdk.errors import SettingError
from mobile_sdk.system.environment import Environment
from mobile_sdk.verification.verdict import Outcome


class Plan(Part):
    """How it was measured."""

    threads: Annotated[int, Field(ge=1, le=256)] = 1
    min_runs: Annotated[int, Field(ge=1)] = 50
    min_seconds: Annotated[float, Field(ge=0)] = 1.0
    quick: bool = False  # measured only until something can be shown: supports no verdict
    enough_seconds: Annotated[float, Field(gt=0)] | None = None  # of runs, however few they are
    max_ms: Annotated[float, Field(gt=0)] | None = None


class Samples(Document):
    """Every time that was taken, in that order; loading, first run and warm-up are those of the first process."""

    load_ms: (
        float  # opening the model file, with the runtime's packages already imported and the file in the page cache
    )
    first_run_ms: float
    warm_up_ms: tuple[float, ...]
    rewarm_ms: tuple[float, ...]  # the first run of each turn, when the caches hold another bundle's data
    rounds_ms: tuple[tuple[float, ...], ...]
    peak_mib: float | None  # resident memory at its highest, less that before loading
    seconds: float  # spent in `rounds_ms`
    cores: tuple[int, ...] = ()  # that it was kept on; empty where that was left to the system
    processes: tuple[int, ...] = ()  # how many rounds each took, one process after the other; empty where one took all


class Measurement(Document):
    """One bundle's times, or the reason why there are none."""

    bundle: str  # the name of its folder
    name: str
    runtime: str
    precision: str
    model_bytes: int
    samples: Samples | None
    summary: Summary | None  # of `samples.rounds_ms`; the apps send samples alone, and it is made where they are read
    advice: str | None  # what to do when the samples support no verdict
    not_run: str | None
    verdict: Outcome | None = None  # on the budget; None without one
    reason: str | None = None

    @model_validator(mode="after")
    def _summarized(self) -> Self:
        """Describes samples that came without a summary, as phones send them."""
        if self.summary is None and self.samples is not None and self.samples.rounds_ms:
            try:
                summary = summarize(self.samples.rounds_ms)
            except SettingError as error:
                raise ValueError(error.message) from None
            self.__dict__.update(summary=summary, advice=self.advice or summary.advice)
        return self


class Comparison(Document):
    """How a bundle's time compares with another's in the same rounds: its float32 twin's, or the other of two."""

    bundle: str
    twin: str
    runtime: str
    ratio: Ratio


class Numbers(Document):
    """One benchmark, all of it."""

    schema_number: Literal[1] = 1
    device: str
    environment: Environment
    load_average_before: float | None
    load_average_after: float | None
    plan: Plan
    measurements: tuple[Measurement, ...]
    comparisons: tuple[Comparison, ...]
    state_before: DeviceState | None = None
    state_after: DeviceState | None = None
    stopped: str | None = None  # why the device was lost before the plan was done

    def __repr__(self) -> str:
        """Every bundle's median, in one line."""
        told = [
            f"{each.bundle} {f'{each.summary.median_ms:.3g} ms' if each.summary else 'not run'}"
            for each in self.measurements
        ]
        return cut(f"Numbers({self.device}, {', '.join(told)})")

    __str__ = __repr__

    @property
    def verdict(self) -> Outcome | None:
        """On the budget, over all bundles: one failure fails, one bundle without a verdict leaves none."""
        outcomes = {measurement.verdict for measurement in self.measurements} - {None}
        return next((outcome for outcome in ("fail", "not_run", "pass") if outcome in outcomes), None)


def judge(measurement: Measurement, plan: Plan, stopped: str | None = None) -> Measurement:
    """The measurement with its verdict on `plan.max_ms`, where the whole interval of the median supports one.

    None where the benchmark was `stopped` before its end.
    """
    verdict, reason = _verdict(measurement, plan)
    if verdict is not None and stopped is not None:
        verdict, reason = "not_run", f"the measurement was cut short: {stopped}"
    return measurement.model_copy(update={"verdict": verdict, "reason": reason})


def _verdict(measurement: Measurement, plan: Plan) -> tuple[Outcome | None, str | None]:
    if plan.max_ms is None:
        return None, None
    if measurement.summary is None:
        return "not_run", measurement.not_run
    if plan.quick:
        return "not_run", "a quick measurement supports no verdict: measure without quick"
    if measurement.advice:
        return "not_run", measurement.advice
    interval = measurement.summary.median_interval_ms
    found = f"median {interval.low:.4g} to {interval.high:.4g} ms against a budget of {plan.max_ms:g} ms"
    if interval.high <= plan.max_ms:
        return "pass", found
    if interval.low > plan.max_ms:
        return "fail", found
    return "not_run", f"{found}: the interval holds the budget{_worth(measurement.summary)}, measure longer"


def _worth(summary: Summary) -> str:
    """What makes the interval wide: rounds that resemble each other."""
    independent = summary.independent_rounds
    if independent is None or independent > summary.rounds / 2:
        return ""
    return f", as {summary.rounds} rounds that resemble their neighbours are worth {independent:.2g} independent ones"
