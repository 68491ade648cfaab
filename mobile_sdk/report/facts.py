"""Chooses the few figures at the head of the page, and the sentence that says what to do next."""

from dataclasses import dataclass

from mobile_sdk.benchmarking.measurements import Measurement
from mobile_sdk.benchmarking.statistics import STEADY_CV_SHARE
from mobile_sdk.program.agreement import compared_on, interval_text
from mobile_sdk.report.data import Report
from mobile_sdk.report.formats import mib, ms, ms_decimals, percent, steps
from mobile_sdk.report.sections.tasks import SECTIONS

_BUSY = 1.0  # load average for each core
_WILD_CV_SHARE = 1.0
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Holds one figure at the head of the page, and the id of the section that has the rest."""

    title: str
    value: str
    note: str
    section: str
    warning: str = ""  # says that the figure supports no verdict


def facts(report: Report) -> list[Fact]:
    """Returns the few figures that a reader looks for first, as far as the report holds them."""
    found = [
        _quality_fact(report) or _agreement_fact(report),
        _distance_fact(report),
        _latency_fact(report),
        _size_fact(report),
    ]
    return [fact for fact in found if fact]


def answer(report: Report) -> str:
    """Returns a sentence that says if the bundles may ship, and why not."""
    if report.outcome == "fail":
        return "Do not ship it yet."
    if report.outcome == "not_run":
        return "Nothing here says that it may ship: nothing was verified, or not enough of it ran."
    distances = [line.distance for line in report.bundles if _is_int8(line)]
    exact = bool(distances) and all(each is not None and each.differing == 0 for each in distances)
    says = (
        "the bundles compute what was evaluated" if exact else "the bundles compute what was evaluated, within limits"
    )
    return f"It may ship as far as the checks go: {says}."


def failures(report: Report) -> list[tuple[str, str]]:
    """Returns what failed, a check of a bundle or its budget, each with what was found."""
    checks = [
        (f"{check.name} of {line.title}", check.found)
        for line in report.bundles
        for check in line.checks
        if check.outcome == "fail"
    ]
    measurements = report.numbers.measurements if report.numbers else ()
    budgets = [(f"budget of {each.bundle}", each.reason or "") for each in measurements if each.verdict == "fail"]
    return checks + budgets


def next_step(report: Report) -> str:
    """Returns a sentence that says what to do next."""
    if report.outcome == "fail":
        return "What failed, with what was required and what was found:"
    if report.outcome == "not_run":
        return "Verify the bundles: `mobile-sdk verify BUNDLE… --program program.pt2 --data DIR`."
    if report.numbers is None:
        return "Next: measure the bundles, `mobile-sdk bench BUNDLE…`, on a phone with `--device adb`."
    if not is_device(report):
        return (
            "Next: measure them on a phone, `mobile-sdk bench --device adb`; `mobile-sdk embed` puts them into the app."
        )
    return "Next: put the bundles into the app, `mobile-sdk embed`."


def is_device(report: Report) -> bool:
    """Tells whether latencies are a device's, not this host's."""
    return report.numbers is not None and report.numbers.device != "host"


def warning_of(measurement: Measurement) -> str:
    """Returns the words that stand beside a median that supports no verdict; empty if it does."""
    if measurement.summary is None or not measurement.advice:
        return ""
    scatter = measurement.summary.robust_cv_share
    return f"scatters by {percent(scatter, 0)} %: no verdict" if scatter > STEADY_CV_SHARE else "supports no verdict"


def cv_warning_of(measurement: Measurement) -> str:
    """Returns the words that stand beside a coefficient of variation that says nothing of the median."""
    summary = measurement.summary
    if summary is None or summary.cv_share <= _WILD_CV_SHARE or summary.robust_cv_share > STEADY_CV_SHARE:
        return ""
    return "interrupted runs: the median stands"


def busy_line(report: Report) -> str:
    """Returns a sentence if the machine had other work during the measurement; else nothing."""
    numbers = report.numbers
    loads = [load for load in (numbers.load_average_before,) if load is not None] if numbers else []
    if numbers is None or is_device(report) or not loads or max(loads) <= _BUSY * numbers.environment.cores:
        return ""
    cores = numbers.environment.cores
    return (
        f"The machine was busy when the measurement began: a load of {max(loads):.3g} on {cores} "
        f"core{'' if cores == 1 else 's'}. Measure again on a quiet one before you rely on these times."
    )


def _is_int8(line: object) -> bool:
    return getattr(line, "precision", "") != "float32"


def _quality_fact(report: Report) -> Fact | None:
    title, lines = SECTIONS[report.task].title, report.qualities
    if not lines:
        return None
    floats = [line for line in lines if line.computed_by.lower().startswith("float")]
    line = next((each for each in lines if each not in floats), lines[0])
    note = f"{line.computed_by}, {line.quality.images:,} pictures"
    note += f"; float {percent(floats[0].quality.value)} %" if floats and line not in floats else ""
    return Fact(title=title, value=f"{percent(line.quality.value)} %", note=note, section="accuracy")


def _agreement_fact(report: Report) -> Fact | None:
    """Returns how often int8 and float agree, where nothing says how often they are right."""
    found = report.record.agreement if report.record else None
    if found is None:
        return None
    note = compared_on(found) + (f"; {interval_text(found.interval)}" if found.interval else "")
    value = f"{percent(found.top1_agreement)} %"
    return Fact(title="Same winner as the float net", value=value, note=note, section="agreement")


def _distance_fact(report: Report) -> Fact | None:
    exact = [line for line in report.bundles if line.distance and line.distance.differing == 0]
    compared = [line for line in report.bundles if line.distance]
    if not compared:
        return None
    worst = max(line.distance.max_steps for line in (exact or compared) if line.distance)
    names = [line.title for line in (exact or compared)]
    note = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return Fact(title="Steps apart from the reference", value=steps(worst), note=note, section="distance")


def _latency_fact(report: Report) -> Fact | None:
    measured = [each for each in report.numbers.measurements if each.summary] if report.numbers else []
    quick = min(measured, key=lambda each: each.summary.median_ms if each.summary else 0.0, default=None)
    if quick is None or quick.summary is None:
        return None
    place = report.numbers.device if report.numbers and is_device(report) else "this host"
    return Fact(
        title=f"Latency on {place}",
        value=f"{ms(quick.summary.median_ms, ms_decimals(report))} ms",
        note=f"fastest median: {quick.bundle}",
        section="latency",
        warning=warning_of(quick) or ("the machine was busy" if busy_line(report) else ""),
    )


def _size_fact(report: Report) -> Fact | None:
    sized = [line for line in report.bundles if line.model_bytes and _is_int8(line)]
    if not sized:
        return None
    smallest = min(sized, key=lambda line: line.model_bytes or 0)
    return Fact(title="Model size", value=f"{mib(smallest.model_bytes)} MiB", note=smallest.title, section="structure")
