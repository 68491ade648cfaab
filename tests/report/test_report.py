"""The page says everything that report.json says, escapes everything, and needs nothing else."""

import base64
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobile_sdk.benchmarking.energy.windows import Energy
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.program.record import BitAllocation, FrontierPoint, Record
from mobile_sdk.report.data import (
    Check,
    GoldenPicture,
    Layer,
    Prediction,
    Report,
    Score,
)
from mobile_sdk.report.facts import answer
from mobile_sdk.report.page import render
from mobile_sdk.report.terminal import summary
from mobile_sdk.report.write import redraw_report, write_report
from mobile_sdk.verification.verification import verify
from tests.support import bundles
from tests.support.child_process import run
from tests.support.made_up_report import ENVIRONMENT, HOSTILE, device_numbers, measurement, numbers, png, report

VOID = {"meta", "link", "img", "br", "hr", "input", "use", "path"}


class Page(HTMLParser):
    """Collects the text that a reader sees, and the addresses that a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_a_device_is_shown_before_and_after_with_its_slowdown() -> None:
    page = Page(render(report(numbers=device_numbers())))
    summary = device_numbers().measurements[0].summary
    assert summary is not None
    for expected in ("Latency on adb:8A1X0Q2", "SM8150", "Android 13", "34.5 °C", "67.8 °C", "83%", "discharging"):
        assert expected in page.text
    assert f"{summary.last_over_first:.3f}" in page.text
    assert "seconds of running" in page.text
    assert not page.open


def test_a_device_that_was_lost_is_said_to_be() -> None:
    lost = device_numbers().model_copy(update={"stopped": "the cable fell out", "state_after": None})
    assert "cut short: the cable fell out" in Page(render(report(numbers=lost))).text


def test_two_bundles_that_are_no_twins_are_compared_in_a_sentence() -> None:
    first, second, _ = numbers().measurements
    pair = numbers().model_copy(
        update={"measurements": (first, second.model_copy(update={"precision": "int8"})), "stopped": None}
    )
    text = Page(render(report(numbers=pair))).text
    assert "fruit.tflite takes 0.333 times as long as fruit-float.tflite" in text


def test_bits_that_were_chosen_are_drawn_and_tabulated() -> None:
    points = (
        FrontierPoint(weight_bytes=3_145_728, predicted_db=24.0, measured_db=24.0),
        FrontierPoint(layer=f"features.1{HOSTILE}", weight_bytes=2_097_152, noise_share=0.00125, predicted_db=22.6),
        FrontierPoint(layer="head", weight_bytes=1_048_576, noise_share=0.25, predicted_db=5.9, measured_db=7.7),
    )
    choice = BitAllocation(max_mib=1.5, images=24, frontier=points, chosen=2)
    page = Page(render(report(record=Record(net="n", quantized="calibrated", bit_allocation=choice))))
    assert not page.open and "Bits of weights" not in Page(render(report())).text
    for expected in (
        "at most 1.5 MiB, on 24 held-back images: 4 in 2 of 2 layers",
        "1.000 MiB of weights instead of 3.000",
    ):
        assert expected in page.text
    for expected in (f"features.1{HOSTILE}", "0.125", "25.000", "22.6", "7.7", "size asked for", "weights (MiB)"):
        assert expected in page.text
    floor = choice.model_copy(update={"max_mib": None, "min_db": 7.0})
    text = Page(render(report(record=Record(net="n", quantized="calibrated", bit_allocation=floor)))).text
    assert "for scores of at least 7 dB" in text and "quality asked for" in text


def test_layers_in_float_and_accuracies_are_drawn_and_tabulated() -> None:
    points = (
        FrontierPoint(layer="stem", weight_bytes=5_242_880, noise_share=0.0015, predicted_db=25.1),
        FrontierPoint(layer="first", weight_bytes=4_194_304, noise_share=0.0025, predicted_db=24.6, measured_db=24.8),
        FrontierPoint(weight_bytes=3_145_728, predicted_db=24.0, measured_db=24.0),
        FrontierPoint(layer="head", weight_bytes=1_048_576, noise_share=0.25, predicted_db=5.9),
    )
    choice = BitAllocation(min_db=24.5, images=24, frontier=points, chosen=1)
    text = Page(render(report(record=Record(net="n", quantized="calibrated", bit_allocation=choice)))).text
    for expected in (
        "4 or 8 bits, or float32, were chosen for every layer for scores of at least 24.5 dB, on 24 held-back images: ",
        "float32 in 1 layer, 8 bits in all others, 4.000 MiB of weights instead of 3.000",
        *("Layers not at 8 bits", "2 in float32", "1 in float32", "1 at 4 bits", "with layers in float32"),
    ):
        assert expected in text
    accurate = BitAllocation(
        min_accuracy=0.97,
        images=24,
        accuracy_images=1000,
        frontier=tuple(each.model_copy(update={"measured_accuracy": 0.974}) for each in points[2:]),
        chosen=1,
    )
    text = Page(render(report(record=Record(net="n", quantized="calibrated", bit_allocation=accurate)))).text
    for expected in (
        "an accuracy of at least 97.00 % on 1,000 held-out images; the noise is that on 24 held-back images: 4 in",
        *("Accuracy", "97.40", "97.40%"),
    ):
        assert expected in text
    assert "float32" not in text.split("Bits of weights")[-1].split("Chosen")[0]  # behind the contents


def test_the_host_has_no_device_section() -> None:
    assert "Last tenth over first" not in Page(render(report())).text


def test_every_number_that_matters_is_on_the_page() -> None:
    text = Page(render(report())).text
    measured = numbers().measurements[0]
    assert measured.summary is not None
    for expected in (
        *("98.10", "97.90", "97.05 – 98.78", "979", "1,000"),  # accuracy
        *("3 held-out pictures and 97 crops of them", "96.00", "81.27 – 99.27", "24.1"),  # int8 beside float
        *("10,000", "412", "0.0443", "41.2", "99.90"),  # agreement
        *("0 of 10,000 differ", "this is no Mac"),  # checks
        *(f"{getattr(measured.summary, name):.3f}" for name in ("median_ms", "mad_ms", "p90_ms", "p99_ms")),
        *("3.210", "7.650", "12.3", "1.177", "100", "0.333"),  # load, first run, peak, size, runs, ratio
        *("a phone, tflite-2031", "2.468", "+23.4", "17 published"),  # predicted
        "Core ML needs a Mac",
        *("CONV_2D", "17", "MYSTERY_OP", "nobody knows it", "98.76", "0.954"),  # structure
        "fruit.tflite computes in strips of rows, within 1,735 KiB of activations",
        *("features.11", "29.0"),  # layers
        *("90.12", "6.18", "apple", "pear"),  # golden
        *("mobilenet_v2", "learning_rate", "0.045", "96 × 96 px"),  # training
        *("A processor", "9.8.7", "0.25 before, 0.75 after"),  # environment
        "mobile-sdk run --net mobilenet_v2",
    ):
        assert expected in text, expected


@pytest.mark.parametrize(
    ("fields", "shown", "left_out"),
    [
        ({}, "1 held-out picture and 99 crops of it; 95 %: 81.3–99.3 %", "nothing was kept away"),
        ({"kept_away": False}, "nothing was kept away", "held-out"),
        ({"interval": None, "changed": None, "whole_images": None}, "100 held-out pictures.", "81.27"),
    ],
)
def test_without_labels_the_page_begins_with_agreement_and_says_what_it_is_worth(
    fields: dict[str, object], shown: str, left_out: str
) -> None:
    whole = report()
    assert whole.record is not None and whole.record.agreement is not None
    found = whole.record.agreement.model_copy(update={"whole_images": 1, **fields})
    record = whole.record.model_copy(update={"agreement": found})
    text = Page(render(report(record=record, qualities=()))).text
    assert shown in text and left_out not in text
    assert "Same winner as the float net 96.00 %" in text
    assert ("1 picture says little of others" in text) == (found.whole_images == 1)


def test_the_page_needs_no_other_file_and_no_network() -> None:
    html = render(report())
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    sources = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "srcset")]
    assert sources and all(value and value.startswith("data:image/png;base64,") for value in sources)
    links = [value for _, attributes in page.tags for name, value in attributes.items() if name.endswith("href")]
    assert all(value and value.startswith("#") for value in links)
    assert "@import" not in html
    assert set(re.findall(r"url\(([^)]*?)\)", html)) <= set(re.findall(r"url\((#[^)]*)\)", html))


def test_the_page_is_well_formed_and_accessible() -> None:
    page = Page(render(report()))
    assert page.open == []
    assert next(attributes for tag, attributes in page.tags if tag == "html")["lang"] == "en"
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    plots = [attributes for tag, attributes in page.tags if attributes.get("role") == "img"]
    assert len(plots) == 9 and all(attributes["aria-label"] for attributes in plots)
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in page.tags if tag == "th")
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_hostile_texts_are_shown_and_not_executed() -> None:
    line = report().bundles[0]
    hostile = report(
        name=HOSTILE,
        bundles=(
            line.model_copy(
                update={
                    "bundle": HOSTILE,
                    "title": HOSTILE,
                    "checks": (Check(name=HOSTILE, outcome="fail", found=HOSTILE),),
                }
            ),
        ),
        layers=(Layer(tensor=HOSTILE, module=HOSTILE, sqnr_db=1.0), Layer(tensor="a", module="b", sqnr_db=2.0)),
        golden=(
            GoldenPicture(
                png_base64=png(),
                title=HOSTILE,
                label=HOSTILE,
                answers=(Prediction(computed_by=HOSTILE, scores=(Score(label=HOSTILE, share=1.0),)),),
            ),
        ),
        record=Record(net=HOSTILE, quantized="qat", settings={HOSTILE: HOSTILE}),
        numbers=numbers().model_copy(update={"measurements": (measurement(HOSTILE, "int8", 1.0),), "comparisons": ()}),
        commands=(HOSTILE,),
    )
    page = Page(render(hostile))
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(" ".join(HOSTILE.split())) >= 10
    assert any("<script>" in row[0] for row in summary(hostile).rows)


@pytest.mark.parametrize("outcome", ["pass", "fail", "not_run"])
def test_the_outcome_is_the_verdicts_and_not_a_count_of_checks(outcome: Any) -> None:
    line = report().bundles[0].model_copy(update={"outcome": outcome})
    assert report(bundles=(line,), numbers=None).outcome == outcome


def test_a_bundle_that_was_not_verified_makes_no_pass() -> None:
    line = report().bundles[0].model_copy(update={"outcome": None, "checks": ()})
    assert report(bundles=(line,), numbers=None).outcome == "not_run"


def test_not_run_is_marked_by_word_and_class_and_counted_in_the_title_line() -> None:
    html = render(report())
    verdict = html[html.index('class="verdict"') : html.index("</p>", html.index('class="verdict"'))]
    assert '<span class="pass">✓ pass</span>' in verdict
    assert '<span class="not_run">○ 2 not run</span>' in verdict
    assert html.count('<span class="not_run">○ not run</span><small>this is no Mac</small>') == 1


def test_a_failed_budget_fails_the_report() -> None:
    assert report(numbers=numbers(max_ms=1.0)).outcome == "fail"


@pytest.mark.parametrize(
    "section", ["record", "qualities", "bundles", "layers", "golden", "numbers", "predicted", "commands"]
)
def test_a_report_without_one_section_is_still_a_page(section: str) -> None:
    empty = None if section in ("record", "numbers") else ()
    assert Page(render(report(**{section: empty}))).open == []


def test_a_report_of_a_benchmark_alone_is_a_page() -> None:
    alone = Report(name="fruit", date="2026-01-02", environment=ENVIRONMENT, numbers=numbers())
    assert "Latency" in Page(render(alone)).text


def test_the_page_says_what_an_inference_costs_or_why_not() -> None:
    told = Energy(
        source="its battery's current", mj=12.34, low_mj=11.1, high_mj=13.6, rest_mw=480.0, pairs=5, runs=2000
    )
    first, *others = numbers().measurements
    expected = (
        (told, "12.3 mJ an inference (11.1 – 13.6) by its battery's current, above 480 mW at rest"),
        (Energy(not_run="it charges"), "energy not run: it charges"),
    )
    for energy, line in expected:
        measured = numbers().model_copy(update={"measurements": (first.model_copy(update={"energy": energy}), *others)})
        assert (
            line
            in Page(render(Report(name="fruit", date="2026-01-02", environment=ENVIRONMENT, numbers=measured))).text
        )


def test_the_page_is_drawn_again_from_the_json_alone_and_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(report().model_dump_json(), encoding="utf-8")
    assert redraw_report(tmp_path / "report.json", tmp_path / "again.html") == report()
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == render(report())


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b"\xff", None])
def test_a_damaged_report_json_is_one_line_of_error(tmp_path: Path, damage: bytes | None) -> None:
    if damage is not None:
        (tmp_path / "report.json").write_bytes(damage)
    with pytest.raises(DataError) as caught:
        redraw_report(tmp_path / "report.json", tmp_path / "again.html")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "again.html").exists()


def test_a_newer_report_json_is_refused(tmp_path: Path) -> None:
    content = json.loads(report().model_dump_json()) | {"schema_number": 3}
    (tmp_path / "report.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match="schema_number"):
        redraw_report(tmp_path / "report.json", tmp_path / "again.html")


def test_the_terminal_table_has_a_row_a_bundle_with_its_figures() -> None:
    shown = summary(report())
    rows = {row[0]: dict(zip(shown.columns, row, strict=True)) for row in shown.rows}
    assert rows["fruit.tflite"]["checks"] == "pass" and rows["fruit.tflite"]["MiB"] == "1.18"
    assert "not run" in rows["fruit.coreml"].values()


def test_the_terminal_names_what_did_not_run_with_the_reason() -> None:
    remarks = summary(report()).remarks
    assert any(remark.startswith("fruit.tflite: not run: ") and "this is no Mac" in remark for remark in remarks)
    assert any(remark.startswith("fruit.coreml: not run: time: ") for remark in remarks)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_browser_draws_the_page_in_light_and_dark(tmp_path: Path, mode: str) -> None:
    (tmp_path / "report.html").write_text(render(report()), encoding="utf-8")
    flags = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    done = run(
        [
            *("chromium", "--headless", *flags.split(), "--disable-component-update", "--disable-sync"),
            *(["--force-dark-mode"] if mode == "dark" else []),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--hide-scrollbars", "--window-size=1000,1200"),
            *(f"--screenshot={tmp_path / 'page.png'}", (tmp_path / "report.html").as_uri()),
        ]
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "page.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    assert pixels.std() > 5  # something is drawn
    assert (np.median(pixels) > 200) == (mode == "light")


def test_verdicts_numbers_and_bundles_become_a_report(tmp_path: Path) -> None:
    bundle, program = bundles.lowered(tmp_path), bundles.program()
    verdict = verify(bundle, program, bundles.pictures())
    written = write_report(tmp_path / "report.html", [verdict], program=program, bundles=[bundle], commands=["do it"])
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert redraw_report(tmp_path / "report.json", tmp_path / "again.html") == written
    assert written.outcome == verdict.status == "pass"
    assert all(check.name in text and check.found in text for check in verdict.checks)
    assert [line.computed_by for line in written.qualities] == ["float32 net", "int8 reference", "test.tflite"]
    assert {line.quality.value for line in written.qualities} == {verdict.quality.value if verdict.quality else None}
    assert [picture.png_base64 for picture in written.golden] == [
        base64.b64encode((bundle.path / "golden" / f"{index}.png").read_bytes()).decode() for index in range(3)
    ]
    for picture, golden in zip(written.golden, verdict.golden, strict=True):
        reference, found = picture.answers
        assert reference.scores == found.scores
        assert found.scores[0].label == program.contract.labels[golden.found_top1_index]
        assert sum(score.share for score in found.scores) <= 1 + 1e-9


def test_an_earlier_programs_verdicts_times_and_bundles_are_not_reported_as_this_ones(tmp_path: Path) -> None:
    bundle, program = bundles.lowered(tmp_path), bundles.program()
    verdict = verify(bundle, program, bundles.pictures())
    record = program.record.model_copy(update={"net": "another"})
    other = replace(program, record=record)
    for given, told in (
        ({"verdicts": [verdict], "program": other}, "the verdict on test.tflite of another one"),
        ({"bundles": [bundle], "program": other}, "the bundle test.tflite of another one"),
        (
            {"verdicts": [verdict.model_copy(update={"manifest_sha256": "0" * 64})], "bundles": [bundle]},
            "the verdict on an earlier test.tflite",
        ),
        (
            {
                "numbers": numbers().model_copy(
                    update={
                        "measurements": (measurement("test.tflite", "int8", 1.0).model_copy(update={"model_bytes": 1}),)
                    }
                ),
                "bundles": [bundle],
            },
            "the times of an earlier test.tflite",
        ),
    ):
        with pytest.raises(DataError, match=f"expected all of one program in a report, found {told}"):
            write_report(tmp_path / "report.html", **given)  # type: ignore[arg-type]


def test_a_report_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="found nothing"):
        write_report(tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_what_failed_is_at_the_head_of_the_page_with_what_was_found() -> None:
    line = report().bundles[0]
    checks = tuple(Check(name=f"check {number}", outcome="fail", found=f"found {number}") for number in range(3))
    page = Page(render(report(bundles=(line.model_copy(update={"checks": checks}),), numbers=numbers(max_ms=1.0))))
    head = page.text.partition("Accuracy 97.90 %")[0]
    for told in (
        "Do not ship it yet",
        "check 0 of fruit.tflite found 0",
        "check 2 of fruit.tflite found 2",
        "and 1 more",
    ):
        assert told in head, told


def test_checks_that_did_not_pass_come_first_and_the_rest_folds() -> None:
    html = render(report())
    section = html[html.index('<section id="checks">') : html.index('<section id="latency">')]
    shown, _, folded = section.partition("<details>")
    assert "this is no Mac" in shown and "0 of 10,000 differ" not in shown
    assert folded.index("Apple&#39;s runtime") < folded.index("0 of 10,000 differ")


def test_a_time_that_is_worth_little_is_said_to_be_beside_the_figure() -> None:
    first, *others = numbers().measurements
    assert first.summary is not None
    wild = first.summary.model_copy(update={"cv_share": 17.976})
    measured = (first.model_copy(update={"summary": wild}), *others)
    text = Page(render(report(numbers=numbers().model_copy(update={"measurements": measured})))).text
    assert "1797.6 interrupted runs: the median stands" in text
    loose = first.summary.model_copy(update={"robust_cv_share": 0.31})
    measured = (first.model_copy(update={"summary": loose, "advice": loose.advice}), *others)
    text = Page(render(report(numbers=numbers().model_copy(update={"measurements": measured})))).text
    assert text.count("scatters by 31 %: no verdict") == 2, "at the head, and in the table"
    busy = numbers().model_copy(update={"load_average_before": 9.3})
    text = Page(render(report(numbers=busy))).text
    assert "the machine was busy" in text and "a load of 9.3 on 2 cores" in text


def test_the_contents_lead_to_every_section() -> None:
    page = Page(render(report()))
    sections = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    links = [str(attributes["href"])[1:] for tag, attributes in page.tags if tag == "a"]
    assert len(sections) > 8 and set(sections) <= set(links) and set(links) <= set(sections)


def test_the_answer_claims_no_exactness_that_was_not_compared() -> None:
    (line,) = (each.model_copy(update={"outcome": "pass"}) for each in report().bundles)
    assert line.distance is not None
    equal = replace(line.distance, differing=0)
    exact = "It may ship as far as the checks go: the bundles compute what was evaluated."
    for distance, is_exact in ((equal, True), (line.distance, False), (None, False)):
        told = answer(report(bundles=(line.model_copy(update={"distance": distance}),), numbers=None))
        assert told.startswith("It may ship") and (told == exact) is is_exact
