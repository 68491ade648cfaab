"""Prints the report as one table for a terminal."""

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from mobile_sdk.benchmarking.measurements import Measurement
from mobile_sdk.report.data import BundleLine, Report
from mobile_sdk.report.formats import ms_decimals
from mobile_sdk.tasks.registry import TASKS
from mobile_sdk.verification.verdict import WORDS

_STYLES = {"pass": "green", "fail": "bold red", "not_run": "yellow"}


def summary_table(report: Report) -> Table:
    """Returns a table with a row a bundle: its checks, its distance from the reference, its accuracy, time and size."""
    table = Table(box=SIMPLE_HEAD, title=report.name, title_justify="left", pad_edge=False)
    table.add_column("bundle", no_wrap=True)
    table.add_column("checks", no_wrap=True)
    for title in ("steps apart", TASKS[report.task].short_measure, "median ms", "95 % ms", "model MiB"):
        table.add_column(title, justify="right")
    numbers = {each.bundle: each for each in report.numbers.measurements} if report.numbers else {}
    for line in report.bundles:
        table.add_row(*_cells(report, line.title, line, numbers.pop(line.bundle, None)))
    for bundle, measurement in numbers.items():
        table.add_row(*_cells(report, bundle, None, measurement))
    return table


def _cells(report: Report, title: str, line: BundleLine | None, measurement: Measurement | None) -> list[str]:
    decimals = ms_decimals(report)
    values = {each.computed_by: each.quality.value for each in report.qualities}
    summary = measurement.summary if measurement else None
    interval = summary.median_interval_ms if summary else None
    size = (line and line.model_bytes) or (measurement and measurement.model_bytes)
    return [
        escape(title),
        _outcome(line),
        f"{line.distance.max_steps:g}" if line and line.distance else "–",
        f"{100 * values[title]:.2f}" if title in values else "–",
        f"{summary.median_ms:.{decimals}f}" if summary else "not run" if measurement else "–",
        f"{interval.low:.{decimals}f}–{interval.high:.{decimals}f}" if interval else "–",
        f"{size / 2**20:.3f}" if size else "–",
    ]


def _outcome(line: BundleLine | None) -> str:
    if line is None or line.outcome is None:
        return "–"
    skipped = sum(check.outcome == "not_run" for check in line.checks)
    text = f"[{_STYLES[line.outcome]}]{WORDS[line.outcome]}[/]"
    return f"{text} [yellow]({skipped} not run)[/]" if skipped and line.outcome != "not_run" else text
