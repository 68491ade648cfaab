"""Draws the page, one HTML file that needs no other file and no network, from a `Report` alone."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mobile_sdk.benchmarking.measurements import Comparison, Measurement
from mobile_sdk.program.agreement import compared_on, few_lines
from mobile_sdk.report.baseline import baseline_rows, places_differ
from mobile_sdk.report.checks import check_rows, checked_bundles, open_checks, tally
from mobile_sdk.report.data import GoldenPicture, Prediction, Report
from mobile_sdk.report.facts import answer, busy_line, cv_warning_of, facts, failures, is_device, next_step, warning_of
from mobile_sdk.report.formats import date, filters, ms, ms_decimals
from mobile_sdk.report.quality_lines import FLOAT_NET
from mobile_sdk.report.sections.decisions import confusion_matrix, confusion_rows, label_rows
from mobile_sdk.report.sections.device import slowdown_rows, state_rows
from mobile_sdk.report.sections.golden import opinions
from mobile_sdk.report.sections.tasks import SECTIONS
from mobile_sdk.report.sections.training import trainings
from mobile_sdk.tasks.class_quality import label_lines
from mobile_sdk.tasks.registry import TASKS

_TEMPLATES = Path(__file__).with_name("templates")
_HEADINGS = re.compile(r'<section id="([a-z]+)">\s*<h2>(.*?)</h2>')  # no outside text holds one: it is escaped
_WORST_LAYERS = 10


def render(report: Report) -> str:
    """Returns the page as HTML text; all outside text is escaped."""
    templates = Templates(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        filters(report), compared_on=compared_on, few_lines=few_lines, golden_rows=_golden_rows, opinions=opinions
    )
    context = _context(report)
    main = templates.get_template("main.html.j2").render(context)
    contents = [(found[1], Markup(found[2].partition(",")[0])) for found in _HEADINGS.finditer(main)]
    head = templates.get_template("head.html.j2").render(context, contents=contents)
    return templates.get_template("template.html.j2").render(context, head=Markup(head), main=Markup(main))


def _context(report: Report) -> dict[str, Any]:
    measured, compared = _measured(report), baseline_rows(report)
    layers = [(number, layer) for number, layer in enumerate(report.layers, start=1) if layer.sqnr_db is not None]
    return {
        "report": report,
        "section": SECTIONS[report.task],
        "style": Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8")),
        "facts": facts(report),
        "answer": answer(report),
        "failures": failures(report),
        "next_step": next_step(report),
        "tally": tally(report),
        "skipped": report.outcomes.count("not_run"),
        "glanced": report.golden[: SECTIONS[report.task].glanced],
        "baseline_rows": compared,
        "worse": list(dict.fromkeys(row.figure for row in compared if row.word == "worse")),
        "places_differ": places_differ(report),
        "label_rows": label_rows(report),
        "label_lines": list(_label_lines(report)),
        "matrix": confusion_matrix(report),
        "confusions": confusion_rows(report),
        "changed_pictures": {each.position: each.png_base64 for each in report.changed},
        "distances": [line for line in report.bundles if line.distance],
        "checked": checked_bundles(report),
        "checks": check_rows(report),
        "open_checks": open_checks(report),
        "anatomies": [line for line in report.bundles if line.anatomy],
        "parts": list(
            dict.fromkeys(part for each in report.bundles if each.anatomy for part in each.anatomy.bytes_by_part)
        ),
        "measured": measured,
        "warnings": {each.bundle: warning for each in measured if (warning := warning_of(each))},
        "cv_warnings": {each.bundle: warning for each in measured if (warning := cv_warning_of(each))},
        "busy": busy_line(report),
        "ratios": {each.bundle: each.ratio for each in _comparisons(report, with_twin=True)},
        "comparisons": _comparisons(report, with_twin=False),
        "device_states": state_rows(report.numbers) if report.numbers and is_device(report) else [],
        "slowdowns": slowdown_rows(measured),
        "worst_layers": sorted(layers, key=lambda pair: pair[1].sqnr_db or 0.0)[:_WORST_LAYERS],
        "trainings": list(trainings(report)),
        "plots": _plots(report),
        "machine": _machine(report),
        "versions": sorted(
            {**(report.record.versions if report.record else {}), **report.environment.versions}.items()
        ),
    }


def _measured(report: Report) -> list[Measurement]:
    return [each for each in report.numbers.measurements if each.summary] if report.numbers else []


def _label_lines(report: Report) -> Iterator[str]:
    """Yields the record's lines on labels of held-out pictures: the worst ones, and those that are never right."""
    if report.record and report.label_names:
        of_both = {"float net": report.record.float_quality, "int8 reference": report.record.reference_quality}
        for name, quality in of_both.items():
            for line in label_lines(report.label_names, quality.by_class if quality else None):
                yield f"{name}: {line}"


def _plots(report: Report) -> dict[str, Any]:
    from mobile_sdk.report.plots import head_plots, page_plots

    measured = _measured(report)
    names = ("qualities", "latencies", "layers", "strips", "rounds", "throttling", "pareto", "bits")
    drawn: dict[str, Any] = dict.fromkeys(names, "")
    drawn |= {"curves": page_plots.curves, "kernels": list(_kernel_plots(report))}
    if report.qualities:
        title = SECTIONS[report.task].title
        in_float = {line.title for line in report.bundles if line.precision == "float32"}
        drawn["qualities"] = head_plots.qualities(
            report.qualities,
            x_label=f"{title[0].lower()}{title[1:]} (%)",
            in_float=in_float | {FLOAT_NET},
            shows_intervals=TASKS[report.task].counts_images,
            baseline=report.baseline,
        )
    if measured:
        drawn["latencies"] = head_plots.latencies(
            measured,
            said=lambda value_ms: ms(value_ms, ms_decimals(report)),
            doubtful=[each.bundle for each in measured if each.advice],
            baseline=report.baseline,
        )
        drawn["strips"] = page_plots.latency_strips(measured)
        drawn["rounds"] = page_plots.latency_rounds(measured)
    if report.search:
        drawn["pareto"] = page_plots.pareto(report.search)
    if report.record and report.record.bit_allocation:
        drawn["bits"] = page_plots.bit_frontier(report.record.bit_allocation)
    if report.layers:
        drawn["layers"] = page_plots.layer_sqnr(report.layers)
    if measured and is_device(report):
        drawn["throttling"] = page_plots.throttling(measured)
    return drawn


def _kernel_plots(report: Report) -> Iterator[dict[str, Any]]:
    """Yields a plot for every profile of layers."""
    from mobile_sdk.report.plots.page_plots import kernel_times

    for profile in report.numbers.profiles if report.numbers else ():
        line = f"; the lines are what is expected of {profile.expected_by}" if profile.expected_by else ""
        whole = f"all take {profile.kernels_us:.0f} µs in a run of {profile.run_us:.0f} µs"
        yield {
            "svg": kernel_times(profile),
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


def _machine(report: Report) -> list[tuple[str, str]]:
    environment = report.environment
    rows = [
        ("Date", date(environment.date)),
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


def _golden_rows(picture: GoldenPicture) -> list[tuple[str, list[float | None]]]:
    """Returns the first prediction's labels, then every other label that another prediction puts first."""
    predictions = [answer for answer in picture.answers if isinstance(answer, Prediction)]
    tables = [{score.label: score.share for score in prediction.scores} for prediction in predictions]
    labels = dict.fromkeys([*(tables[0] if tables else ()), *(next(iter(table)) for table in tables if table)])
    return [(label, [table.get(label) for table in tables]) for label in labels]
