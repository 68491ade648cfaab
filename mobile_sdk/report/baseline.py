"""Compares a report with an earlier one, figure by figure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mobile_sdk.report.data import Baseline, BaselineBundle, Report
from mobile_sdk.report.formats import mib, ms, ms_decimals, percent
from mobile_sdk.report.sections.tasks import SECTIONS
from mobile_sdk.tasks.registry import TASKS
from mobile_sdk.verification.verdict import WORDS

Word = Literal["better", "worse", "equal", "no difference shown", ""]


@dataclass(frozen=True, kw_only=True)
class Row:
    """Holds one figure of both reports, its change, and a word that judges it."""

    figure: str
    subject: str  # a bundle, or a way to compute the net
    before: str
    now: str
    change: str
    word: Word


def baseline_of(report: Report) -> Baseline:
    """Returns the figures of a report that another one is compared with."""
    numbers = report.numbers
    summaries = {each.bundle: each.summary for each in numbers.measurements} if numbers else {}
    return Baseline(
        name=report.name,
        date=report.date,
        program_sha256=report.program_sha256,
        outcome=report.outcome,
        measured_on=_place(report),
        qualities=report.qualities,
        bundles=tuple(
            BaselineBundle(
                title=line.title,
                runtime=line.runtime,
                precision=line.precision,
                outcome=line.outcome,
                model_bytes=line.model_bytes,
                median_ms=summary.median_ms if (summary := summaries.get(line.bundle)) else None,
                interval_ms=summary.median_interval_ms if summary else None,
            )
            for line in report.bundles
        ),
    )


def baseline_rows(report: Report) -> list[Row]:
    """Returns a row for every figure that both reports have; none without a baseline."""
    earlier = report.baseline
    if earlier is None:
        return []
    now = baseline_of(report)
    return [*_quality_rows(report, earlier), *_bundle_rows(now, earlier, ms_decimals(report))]


def places_differ(report: Report) -> str:
    """Returns a sentence if the two reports measured in two places, so that latencies do not compare; else nothing."""
    here, there = _place(report), report.baseline.measured_on if report.baseline else None
    if here is None or there is None or here == there:
        return ""
    return f"Latencies were measured in two places and do not compare: {there}, and {here}."


def _place(report: Report) -> str | None:
    if report.numbers is None:
        return None
    environment = report.numbers.environment
    return f"{report.numbers.device}, {environment.processor or environment.architecture}"


def _quality_rows(report: Report, earlier: Baseline) -> Iterator[Row]:
    before = {line.computed_by: line for line in earlier.qualities}
    counts_images = TASKS[report.task].counts_images
    for line in report.qualities:
        then = before.get(line.computed_by)
        if then is None or then.quality.measure != line.quality.measure:
            continue
        change, overlap = line.quality.value - then.quality.value, False
        if counts_images:
            overlap = line.interval.low <= then.interval.high and then.interval.low <= line.interval.high
        yield Row(
            figure=f"{SECTIONS[report.task].title} (%)",
            subject=line.computed_by,
            before=percent(then.quality.value),
            now=percent(line.quality.value),
            change=f"{100 * change:+.2f} points",
            word=_word(change, overlap),
        )


def _bundle_rows(now: Baseline, earlier: Baseline, decimals: int) -> Iterator[Row]:
    pairs = [(line, then) for line in now.bundles if (then := _counterpart(line, now, earlier))]
    for line, then in pairs:
        if line.outcome and then.outcome:
            rank = ["fail", "not_run", "pass"]
            change = float(rank.index(line.outcome) - rank.index(then.outcome))
            shown = WORDS[then.outcome].lower(), WORDS[line.outcome].lower()
            yield Row(
                figure="Checks", subject=line.title, before=shown[0], now=shown[1], change="", word=_word(change, False)
            )
    for line, then in pairs:
        if line.median_ms and then.median_ms and line.interval_ms and then.interval_ms:
            overlap = line.interval_ms.low <= then.interval_ms.high and then.interval_ms.low <= line.interval_ms.high
            comparable = now.measured_on == earlier.measured_on
            yield Row(
                figure="Median latency (ms)",
                subject=line.title,
                before=ms(then.median_ms, decimals),
                now=ms(line.median_ms, decimals),
                change=f"{line.median_ms / then.median_ms:.3g} ×",
                word=_word(then.median_ms - line.median_ms, overlap) if comparable else "",
            )
    for line, then in pairs:
        yield Row(
            figure="Model (MiB)",
            subject=line.title,
            before=mib(then.model_bytes),
            now=mib(line.model_bytes),
            change=f"{100 * (line.model_bytes / max(1, then.model_bytes) - 1):+.3g} %",
            word=_word(float(then.model_bytes - line.model_bytes), False),
        )


def _counterpart(line: BaselineBundle, now: Baseline, earlier: Baseline) -> BaselineBundle | None:
    """Returns the earlier bundle of the same title, or else the only one of the same runtime and precision."""
    for then in earlier.bundles:
        if then.title == line.title:
            return then
    kind = (line.runtime, line.precision)
    alike, own = ([each for each in side.bundles if (each.runtime, each.precision) == kind] for side in (earlier, now))
    return alike[0] if len(alike) == len(own) == 1 else None


def _word(gain: float, overlap: bool) -> Word:
    if gain == 0:
        return "equal"
    if overlap:
        return "no difference shown"
    return "better" if gain > 0 else "worse"
