"""Draws the page, one HTML file that needs no other file and no network, from a `Report` alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mobile_sdk.benchmarking.measurements import Comparison
from mobile_sdk.comparison import Comparison as Distance
from mobile_sdk.program.agreement import compared_on, few_lines, interval_text
from mobile_sdk.report.data import BundleLine, Check, GoldenPicture, Prediction, Report
from mobile_sdk.report.sections.device import slowdown_rows, state_rows
from mobile_sdk.report.sections.tasks import SECTIONS
from mobile_sdk.system.environment import Environment
from mobile_sdk.tasks.class_quality import label_lines

_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Holds one figure at the head of the page."""

    title: str
    value: str
    note: str


def render(report: Report) -> str:
    """Returns the page as HTML text; all outside text is escaped."""
    templates = Templates(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(_FILTERS, ms=partial(_ms, decimals=ms_decimals(report)))
    return templates.get_template("template.html.j2").render(_context(report))


def facts(report: Report) -> list[Fact]:
    """Returns the few figures that a reader looks for first, as far as the report holds them."""
    found = [
        _quality_fact(report) or _agreement_fact(report),
        _distance_fact(report),
        _latency_fact(report),
        _size_fact(report),
    ]
    return [fact for fact in found if fact]


def _context(report: Report) -> dict[str, Any]:
    measured = [each for each in report.numbers.measurements if each.summary] if report.numbers else []
    environment = report.environment
    return {
        "report": report,
        "section": SECTIONS[report.task],
        "style": Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8")),
        "facts": facts(report),
        "label_lines": list(_label_lines(report)),
        "distances": [line for line in report.bundles if line.distance],
        "checked": [line for line in report.bundles if line.checks],
        "checks": list(_check_rows([line for line in report.bundles if line.checks])),
        "anatomies": [line for line in report.bundles if line.anatomy],
        "parts": list(
            dict.fromkeys(part for each in report.bundles if each.anatomy for part in each.anatomy.bytes_by_part)
        ),
        "skipped": report.outcomes.count("not_run"),
        "measured": measured,
        "ratios": {each.bundle: each.ratio for each in _comparisons(report, with_twin=True)},
        "comparisons": _comparisons(report, with_twin=False),
        "device_states": state_rows(report.numbers) if report.numbers and _is_device(report) else [],
        "slowdowns": slowdown_rows(measured),
        "plots": _plots(report),
        "machine": _machine(environment, report),
        "versions": sorted({**(report.record.versions if report.record else {}), **environment.versions}.items()),
    }


def _label_lines(report: Report) -> Iterator[str]:
    """Yields the record's lines on labels of held-out pictures: the worst ones, and those that are never right."""
    if report.record and report.label_names:
        of_both = {"float net": report.record.float_quality, "int8 reference": report.record.reference_quality}
        for name, quality in of_both.items():
            for line in label_lines(report.label_names, quality.by_class if quality else None):
                yield f"{name}: {line}"


def _plots(report: Report) -> dict[str, Any]:
    from mobile_sdk.report.plots import page_plots

    measured = [each for each in report.numbers.measurements if each.summary] if report.numbers else []
    drawn: dict[str, Any] = dict.fromkeys(("layers", "strips", "rounds", "throttling", "pareto", "bits"), "")
    drawn |= {"curves": [], "kernels": list(_kernel_plots(report))}
    for y_label, series in _histories(report).items():
        names = ", ".join(series)
        drawn["curves"].append(
            {
                "svg": Markup(page_plots.curves(series, y_label=y_label)),
                "alt": f"{y_label} over the epochs: {names}",
                "caption": f"{y_label.capitalize()} over the epochs.",
            }
        )
    if report.search:
        drawn["pareto"] = Markup(page_plots.pareto(report.search))
    if report.record and report.record.bit_allocation:
        drawn["bits"] = Markup(page_plots.bit_frontier(report.record.bit_allocation))
    if report.layers:
        drawn["layers"] = Markup(page_plots.layer_sqnr(report.layers))
    if measured:
        drawn["strips"] = Markup(page_plots.latency_strips(measured))
        drawn["rounds"] = Markup(page_plots.latency_rounds(measured))
    if measured and _is_device(report):
        drawn["throttling"] = Markup(page_plots.throttling(measured))
    return drawn


def _kernel_plots(report: Report) -> Iterator[dict[str, Any]]:
    """Yields a plot for every profile of layers."""
    from mobile_sdk.report.plots.page_plots import kernel_times

    for profile in report.numbers.profiles if report.numbers else ():
        line = f"; the lines are what is expected of {profile.expected_by}" if profile.expected_by else ""
        whole = f"all take {profile.kernels_us:.0f} µs in a run of {profile.run_us:.0f} µs"
        yield {
            "svg": Markup(kernel_times(profile)),
            "alt": f"Time of the slowest layers of {profile.bundle} in µs",
            "caption": f"{profile.bundle}: the slowest of {len(profile.kernels)} kernels{line}; {whole}.",
        }


def _comparisons(report: Report, *, with_twin: bool) -> list[Comparison]:
    """Returns the comparisons with the float32 twin, or those of two other bundles."""
    numbers = report.numbers
    precisions = {each.bundle: each.precision for each in numbers.measurements} if numbers else {}

    def is_twin(each: Comparison) -> bool:
        return precisions.get(each.twin) == "float32" and precisions.get(each.bundle) != "float32"

    return [each for each in (numbers.comparisons if numbers else ()) if is_twin(each) == with_twin]


def _is_device(report: Report) -> bool:
    return report.numbers is not None and report.numbers.device != "host"


def _histories(report: Report) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Returns curves of the history by their axis: every number of an epoch for loss, accuracy or agreement."""
    axes: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for index, epoch in enumerate(report.record.history if report.record else (), start=1):
        stage = next((value for value in epoch.values() if isinstance(value, str)), "")
        for name, value in epoch.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            axis, factor = _axis(name)
            if axis:
                title = f"{stage} {name.removesuffix('_share')}".replace("_", " ").strip()
                series = axes.setdefault(axis, {}).setdefault(title, [])
                series.append((float(index), factor * value))
    return axes


def _axis(name: str) -> tuple[str | None, float]:
    if "loss" in name:
        return "loss", 1.0
    if "accuracy" in name:
        return "accuracy (%)", 100.0
    if "agreement" in name:
        return "agreement (%)", 100.0
    return None, 1.0


def _check_rows(bundles: Sequence[BundleLine]) -> Iterator[tuple[str, list[Check | None]]]:
    """Yields one row a check name, in the order of first appearance, one cell a bundle."""
    names = dict.fromkeys(check.name for bundle in bundles for check in bundle.checks)
    for name in names:
        yield name, [next((check for check in bundle.checks if check.name == name), None) for bundle in bundles]


def _quality_fact(report: Report) -> Fact | None:
    title, lines = SECTIONS[report.task].title, report.qualities
    if not lines:
        return None
    floats = [line for line in lines if line.computed_by.lower().startswith("float")]
    line = next((each for each in lines if each not in floats), lines[0])
    note = f"{line.computed_by}, {line.quality.images:,} pictures"
    note += f"; float {_percent(floats[0].quality.value)} %" if floats and line not in floats else ""
    return Fact(title=title, value=f"{_percent(line.quality.value)} %", note=note)


def _agreement_fact(report: Report) -> Fact | None:
    """Returns how often int8 and float agree, where nothing says how often they are right."""
    found = report.record.agreement if report.record else None
    if found is None:
        return None
    note = compared_on(found) + (f"; {interval_text(found.interval)}" if found.interval else "")
    return Fact(title="Same winner as the float net", value=f"{_percent(found.top1_agreement)} %", note=note)


def _distance_fact(report: Report) -> Fact | None:
    exact = [line for line in report.bundles if line.distance and line.distance.differing == 0]
    compared = [line for line in report.bundles if line.distance]
    if not compared:
        return None
    worst = max(line.distance.max_steps for line in (exact or compared) if line.distance)
    names = ", ".join(line.title for line in (exact or compared))
    return Fact(title="Steps apart from the reference", value=_steps(worst), note=names)


def _latency_fact(report: Report) -> Fact | None:
    measured = [each for each in report.numbers.measurements if each.summary] if report.numbers else []
    quick = min(measured, key=lambda each: each.summary.median_ms if each.summary else 0.0, default=None)
    if quick is None or quick.summary is None:
        return None
    note = f"fastest median: {quick.bundle}" + ("; it supports no verdict" if quick.advice else "")
    place = report.numbers.device if report.numbers and _is_device(report) else "this host"
    return Fact(title=f"Latency on {place}", value=f"{_ms(quick.summary.median_ms, ms_decimals(report))} ms", note=note)


def _size_fact(report: Report) -> Fact | None:
    sized = [line for line in report.bundles if line.model_bytes and line.precision != "float32"]
    if not sized:
        return None
    smallest = min(sized, key=lambda line: line.model_bytes or 0)
    return Fact(title="Model size", value=f"{_mib(smallest.model_bytes)} MiB", note=smallest.title)


def _machine(environment: Environment, report: Report) -> list[tuple[str, str]]:
    rows = [
        ("Date", _date(environment.date)),
        ("Processor", environment.processor or "unknown"),
        ("Features", ", ".join(environment.features) or "none of those that choose kernels"),
        ("Architecture", environment.architecture),
        ("Cores", str(environment.cores)),
        ("Memory", "unknown" if environment.memory_mib is None else f"{environment.memory_mib:,} MiB"),
        ("System", environment.system),
        ("Kernel", environment.kernel),
        ("Frequency governor", environment.governor or "not readable"),
        ("Python", environment.python or "none"),
    ]
    if report.numbers:
        loads = (report.numbers.load_average_before, report.numbers.load_average_after)
        shown = ["unknown" if load is None else f"{load:.2f}" for load in loads]
        rows.append(("Load average", " before, ".join(shown) + " after"))
    return rows


def _tally(report: Report) -> str:
    outcomes = report.outcomes
    passed, failed = outcomes.count("pass"), outcomes.count("fail")
    if not outcomes:
        return "No check belongs to this report."
    text = f"{passed} of {len(outcomes)} checks passed"
    text += f", {failed} failed" if failed else ""
    return text + "."


def _golden_rows(picture: GoldenPicture) -> list[tuple[str, list[float | None]]]:
    """Returns the first prediction's labels, then every other label that another prediction puts first."""
    predictions = [answer for answer in picture.answers if isinstance(answer, Prediction)]
    tables = [{score.label: score.share for score in prediction.scores} for prediction in predictions]
    labels = dict.fromkeys([*(tables[0] if tables else ()), *(next(iter(table)) for table in tables if table)])
    return [(label, [table.get(label) for table in tables]) for label in labels]


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _percent(share: float, decimals: int = 2) -> str:
    return f"{100 * share:.{decimals}f}"


def ms_decimals(report: Report) -> int:
    """Returns the decimals of every time in ms, one number a report to align columns: four for medians below 0.1 ms."""
    measurements = report.numbers.measurements if report.numbers else ()
    medians_ms = [each.summary.median_ms for each in measurements if each.summary]
    return 4 if medians_ms and min(medians_ms) < 0.1 else 3


def _ms(value_ms: float, decimals: int) -> str:
    return f"{value_ms:,.{decimals}f}"


def _mib(size_bytes: int | None) -> str:
    return "–" if size_bytes is None else f"{size_bytes / 2**20:,.3f}"


def _plain_mib(size_mib: float | None) -> str:
    return "unknown" if size_mib is None else f"{size_mib:,.1f}"


def _steps(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3g}"


def _mean_steps(value: float) -> str:
    return "0" if value == 0 else f"{value:.4f}" if value >= 1e-4 else f"{value:.1e}"


def _sqnr(distance: Distance) -> str:
    if distance.sqnr_db is not None:
        return f"{distance.sqnr_db:.1f}"
    return "equal" if distance.differing == 0 else "none"


def _thousands(value: int) -> str:
    return f"{value:,}"


def _setting(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_setting(inner)}" for name, inner in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_setting(inner) for inner in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _date(text: str) -> str:
    return text.replace("T", " ").replace("+00:00", " UTC")


_FILTERS = {
    "by_count": _by_count,
    "compared_on": compared_on,
    "date": _date,
    "few_lines": few_lines,
    "golden_rows": _golden_rows,
    "mean_steps": _mean_steps,
    "mib": _mib,
    "percent": _percent,
    "plain_mib": _plain_mib,
    "setting": _setting,
    "spoken": {"pass": "pass", "fail": "fail", "not_run": "not run"}.__getitem__,
    "sqnr": _sqnr,
    "steps": _steps,
    "tally": _tally,
    "thousands": _thousands,
}
