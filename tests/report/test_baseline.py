"""Two runs are set side by side: from the command line and from Python, in the page and in report.json."""

from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.benchmarking.statistics import Interval
from mobile_sdk.cli.app import call
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.report.baseline import baseline_of, baseline_rows, places_differ
from mobile_sdk.report.data import QualityLine, Report
from mobile_sdk.report.page import render
from mobile_sdk.report.write import read_report, redraw_report, write_report
from mobile_sdk.tasks.quality import Quality
from tests.support.made_up_report import numbers, report


def with_accuracy(share: float) -> Report:
    quality = Quality(measure="top-1 accuracy", value=share, images=1000)
    return report(qualities=(QualityLine(computed_by="int8 reference", quality=quality),))


def beside(now: Report, before: Report) -> Report:
    return now.model_copy(update={"baseline": baseline_of(before)})


@pytest.mark.parametrize(
    ("before", "now", "word"),
    [(0.9, 0.95, "better"), (0.95, 0.9, "worse"), (0.95, 0.955, "no difference shown"), (0.9, 0.9, "equal")],
)
def test_an_accuracy_differs_only_beyond_the_intervals(before: float, now: float, word: str) -> None:
    (row, *_) = baseline_rows(beside(with_accuracy(now), with_accuracy(before)))
    assert (row.figure, row.subject, row.word) == ("Accuracy (%)", "int8 reference", word)
    assert (row.before, row.now) == (f"{100 * before:.2f}", f"{100 * now:.2f}")


def test_a_faster_and_smaller_bundle_is_better_and_one_in_another_place_does_not_compare() -> None:
    line = report().bundles[0]
    slow = baseline_of(report(bundles=(line.model_copy(update={"model_bytes": 2 * line.model_bytes}),)))
    (bundle,) = slow.bundles
    assert bundle.median_ms is not None and bundle.interval_ms is not None
    later = Interval(low=2 * bundle.interval_ms.low, high=2 * bundle.interval_ms.high, coverage_share=0.95)
    slow = slow.model_copy(
        update={"bundles": (bundle.model_copy(update={"median_ms": 2 * bundle.median_ms, "interval_ms": later}),)}
    )
    made = report(baseline=slow)
    rows = {row.figure: row for row in baseline_rows(made)}
    assert rows["Median latency (ms)"].change == "0.5 ×" and rows["Median latency (ms)"].word == "better"
    assert rows["Model (MiB)"].change == "-50 %" and rows["Model (MiB)"].word == "better"
    assert rows["Checks"].word == "equal" and places_differ(made) == ""
    elsewhere = report(baseline=slow.model_copy(update={"measured_on": "adb:1, a phone"}))
    assert {row.figure: row.word for row in baseline_rows(elsewhere)}["Median latency (ms)"] == ""
    assert "measured in two places" in render(elsewhere)


def test_bundles_of_other_names_are_paired_by_runtime_and_precision() -> None:
    renamed = report().bundles[0].model_copy(update={"title": "older.tflite", "bundle": "older.tflite"})
    rows = baseline_rows(beside(report(numbers=None), report(bundles=(renamed,), numbers=None)))
    assert ("Model (MiB)", "fruit.tflite", "equal") in [(row.figure, row.subject, row.word) for row in rows]


def test_what_is_worse_is_said_at_the_head_of_the_page() -> None:
    page = render(beside(with_accuracy(0.9), with_accuracy(0.95)))
    head = page.partition("<main>")[0]
    assert '<a href="#baseline">the baseline</a> in Accuracy (%)' in head and 'id="baseline"' in page
    assert "the baseline" not in render(report()).partition("<main>")[0]


def test_the_command_and_python_compare_two_runs(tmp_path: Path) -> None:
    for name, made in (("old", with_accuracy(0.95)), ("new", with_accuracy(0.9))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(made.model_dump_json(), encoding="utf-8")
    page = tmp_path / "both.html"
    words = ["report", "--from", tmp_path / "new" / "report.json", "--baseline", tmp_path / "old", "--out", page]
    assert call([str(word) for word in words]) == 0 and "-5.00 points" in page.read_text(encoding="utf-8")
    drawn = redraw_report(tmp_path / "new", tmp_path / "again.html", baseline=tmp_path / "old" / "report.json")
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()
    assert drawn.baseline == baseline_of(with_accuracy(0.95))
    written = write_report(tmp_path / "third.html", numbers=numbers(), baseline=str(tmp_path / "old"))
    assert read_report(tmp_path / "third.json") == written and written.baseline == drawn.baseline
    assert redraw_report(tmp_path / "third.json", tmp_path / "fourth.html") == written
    assert (tmp_path / "fourth.html").read_bytes() == (tmp_path / "third.html").read_bytes()


@pytest.mark.parametrize(("baseline", "error"), [("nothing", DataError), (3, SettingError)])
def test_a_baseline_that_is_none_is_one_line_of_error(tmp_path: Path, baseline: Any, error: type[Exception]) -> None:
    given = tmp_path / baseline if isinstance(baseline, str) else baseline
    with pytest.raises(error) as caught:
        write_report(tmp_path / "page.html", numbers=numbers(), baseline=given)
    assert "\n" not in str(caught.value) and not (tmp_path / "page.html").exists()
