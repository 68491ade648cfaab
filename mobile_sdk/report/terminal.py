"""Gives the report as a table and lines for a terminal."""

from collections.abc import Iterator
from dataclasses import dataclass

from mobile_sdk.benchmarking.measurements import Measurement
from mobile_sdk.report.data import BundleLine, Report
from mobile_sdk.report.formats import ms_decimals
from mobile_sdk.tasks.registry import TASKS
from mobile_sdk.verification.verdict import WORDS


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Holds a row a bundle under `columns`, and sentences on what failed, did not run, or makes a time doubtful."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...]

    @property
    def numbers(self) -> tuple[str, ...]:
        """Returns the columns of numbers."""
        return self.columns[2:]


def summary(report: Report) -> Summary:
    """Returns each bundle's checks, distance from the reference, accuracy, time and size, and remarks on them."""
    numbers = {each.bundle: each for each in report.numbers.measurements} if report.numbers else {}
    shown: list[tuple[str, BundleLine | None, Measurement | None]] = [
        (line.title, line, numbers.pop(line.bundle, None)) for line in report.bundles
    ]
    shown += [(bundle, None, measurement) for bundle, measurement in numbers.items()]
    return Summary(
        columns=("bundle", "checks", "steps apart", TASKS[report.task].short_measure, "median ms", "95 % ms", "MiB"),
        rows=tuple(_cells(report, *each) for each in shown),
        remarks=tuple(f"{title}: {remark}" for title, line, measured in shown for remark in _remarks(line, measured)),
    )


def _cells(report: Report, title: str, line: BundleLine | None, measurement: Measurement | None) -> tuple[str, ...]:
    decimals = ms_decimals(report)
    values = {each.computed_by: each.quality.value for each in report.qualities}
    times = measurement.summary if measurement else None
    interval = times.median_interval_ms if times else None
    size = (line and line.model_bytes) or (measurement and measurement.model_bytes)
    return (
        title,
        WORDS[line.outcome] if line and line.outcome else "–",
        f"{line.distance.max_steps:.2g}" if line and line.distance else "–",
        f"{100 * values[title]:.2f}" if title in values else "–",
        f"{times.median_ms:.{decimals}f}" if times else "not run" if measurement else "–",
        f"{interval.low:.{decimals}f}–{interval.high:.{decimals}f}" if interval else "–",
        f"{size / 2**20:.2f}" if size else "–",
    )


def _remarks(line: BundleLine | None, measurement: Measurement | None) -> Iterator[str]:
    """Yields the checks that failed or did not run, by name and with what was found, and doubts about the time."""
    for check in line.checks if line else ():
        if check.outcome != "pass":
            yield f"{WORDS[check.outcome]}: {check.name}: {check.found}"
    if measurement is None:
        return
    if measurement.not_run:
        yield f"not run: time: {measurement.not_run}"
    elif measurement.advice:
        yield f"the time is doubtful: {measurement.advice}"
