"""Defines `bench.json`: every measured time, the place of the measurement, and the verdict on a budget."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from mobile_sdk.benchmarking.energy.windows import Energy
from mobile_sdk.benchmarking.profiling.profile import Profile
from mobile_sdk.benchmarking.statistics import Ratio, Summary, summarize
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.contract import Part
from mobile_sdk.devices.android_app.state import AppState
from mobile_sdk.devices.state import DeviceState
from mobile_sdk.document import Document, cut, html_table
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.system.environment import Environment
from mobile_sdk.system.seal import read_sealed
from mobile_sdk.verification.verdict import Outcome


class Plan(Part):
    """Holds the settings of a measurement."""

    threads: Annotated[int, Field(ge=1, le=256)] = 1
    min_runs: Annotated[int, Field(ge=1)] = 50
    min_seconds: Annotated[float, Field(ge=0)] = 1.0
    quick: bool = False  # measured only until something can be shown: supports no verdict
    enough_seconds: Annotated[float, Field(gt=0)] | None = None  # of runs, however few they are
    max_ms: Annotated[float, Field(gt=0)] | None = None


Round = Annotated[tuple[Annotated[float, Field(gt=0, le=1e9)], ...], Field(min_length=1)]
"""Holds the times of runs that followed each other, in milliseconds."""


Amount = Annotated[float, Field(ge=0, le=1e18)]
WorkAmounts = Annotated[
    Annotated[Mapping[str, Amount], Field(max_length=100)] | None, Field(exclude_if=lambda work: work is None)
]
"""Holds the amounts of a net's work by kind (`latency.work.Work`); files leave it out where it is not known."""


class Samples(Document):
    """Holds every time in the order of measurement; loading, first run and warm-up are those of the first process."""

    load_ms: (
        float  # opening the model file, with the runtime's packages already imported and the file in the page cache
    )
    first_run_ms: float
    warm_up_ms: tuple[float, ...]
    rewarm_ms: tuple[float, ...]  # the first run of each turn, when the caches hold another bundle's data
    rounds_ms: tuple[Round, ...]
    peak_mib: float | None  # resident memory at its highest, less that before loading
    seconds: float  # spent in `rounds_ms`
    cores: tuple[int, ...] = ()  # that the process was kept on; empty if the system chose
    processes: tuple[int, ...] = ()  # rounds that each process took, in order; empty if one took all
    end_to_end_ms: tuple[float, ...] = ()  # runs of an app from bytes to numbers; `rounds_ms` is the model alone
    load_parts_ms: Mapping[str, float] = {}  # what an app does before `load_ms`, such as compiling the model

    @property
    def end_to_end_median_ms(self) -> float | None:
        """Returns the median of the end-to-end times; None without any."""
        return median(self.end_to_end_ms) if self.end_to_end_ms else None


_HEAD = ("Bundle", "Median", "95 % interval", "Model", "Advice")


class Measurement(Document):
    """Holds one bundle's times, or the reason why there are none."""

    bundle: str  # the name of its folder
    name: str
    runtime: str
    precision: str
    model_bytes: int
    samples: Samples | None
    summary: Summary | None  # of `samples.rounds_ms`; apps send only samples, and the reader adds it
    advice: str | None  # what to do when the samples support no verdict
    not_run: str | None
    verdict: Outcome | None = None  # on the budget; None without one
    reason: str | None = None
    energy: Annotated[Energy | None, Field(exclude_if=lambda energy: energy is None)] = None  # where it was asked for
    work: WorkAmounts = None  # of the net's one run, where its program was at hand; `predict --measured` learns from it

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        *,
        not_run: str | None,
        samples: Samples | None = None,
        summary: Summary | None = None,
        advice: str | None = None,
    ) -> Self:
        """Returns the measurement of a bundle, described by its manifest."""
        manifest = bundle.manifest
        return cls(
            bundle=bundle.path.name,
            name=manifest.name,
            runtime=manifest.runtime,
            precision=manifest.precision,
            model_bytes=bundle.model_bytes,
            samples=samples,
            summary=summary,
            advice=advice,
            not_run=not_run,
        )

    def __repr__(self) -> str:
        """Returns the median with its interval, or why there is none, in one line."""
        return cut(f"Measurement({', '.join(each for each in self._told() if each)})")

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return html_table("Time of one image", _HEAD, [self._told()])

    def _told(self) -> tuple[str, str, str, str, str]:
        """Returns the bundle, its median, its interval, the size of its model, and what speaks against the figures."""
        size = f"{self.model_bytes / 2**20:.3g} MiB"
        if self.summary is None:
            return self.bundle, "not run", "", size, self.not_run or ""
        interval = self.summary.median_interval_ms
        band = f"{interval.low:.3g} to {interval.high:.3g} ms"
        return self.bundle, f"{self.summary.median_ms:.3g} ms", band, size, self.advice or ""

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
    """Compares a bundle's time with that of its float32 twin, or of the other of two bundles, in the same rounds."""

    bundle: str
    twin: str
    runtime: str
    ratio: Ratio


class Numbers(Document):
    """Holds one whole benchmark."""

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
    app: AppState | None = None  # that measured
    profiles: tuple[Profile, ...] = ()  # of layers, where that was asked for

    @model_validator(mode="after")
    def _of_samples(self) -> Self:
        for each in self.measurements:
            if each.summary is not None and not (each.samples and each.samples.rounds_ms):
                raise ValueError(f"a summary of {each.bundle!r:.60} without the times that it is of")
        return self

    def __repr__(self) -> str:
        """Returns every bundle's median, in one line."""
        told = [
            f"{each.bundle} {f'{each.summary.median_ms:.3g} ms' if each.summary else 'not run'}"
            for each in self.measurements
        ]
        return cut(f"Numbers({self.device}, {', '.join(told)})")

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Returns a table of every bundle's median, as notebooks show it."""
        return html_table(f"Time of one image on {self.device}", _HEAD, [each._told() for each in self.measurements])

    @property
    def verdict(self) -> Outcome | None:
        """Returns the verdict on the budget over all bundles: one failure fails, one missing verdict leaves none."""
        outcomes = {measurement.verdict for measurement in self.measurements} - {None}
        return next((outcome for outcome in ("fail", "not_run", "pass") if outcome in outcomes), None)


def read_numbers(path: Path) -> Numbers:
    """Reads `bench.json`; raises DataError if it is something else."""
    try:
        return Numbers.model_validate_json(read_sealed(path))
    except (OSError, ValidationError) as error:
        found = error.strerror if isinstance(error, OSError) else error.errors(include_url=False)[0]["msg"]
        raise DataError(
            f"expected the numbers of bench at {path}, found: {found}", hint="name bench.json, or run bench again"
        ) from error


def judge(measurement: Measurement, plan: Plan, stopped: str | None = None) -> Measurement:
    """Returns the measurement with its verdict on `plan.max_ms`; the whole interval of the median must support it.

    The verdict is None if the benchmark was `stopped` before its end.
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
    """Returns the reason for a wide interval: rounds that resemble each other."""
    independent = summary.independent_rounds
    if independent is None or independent > summary.rounds / 2:
        return ""
    return f", as {summary.rounds} rounds that resemble their neighbours are worth {independent:.2g} independent ones"
