"""Holds what `preview` and `mobile-sdk show` say and draw against the golden files that the apps are held to."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_sdk import lower, preview, write_report
from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.cli.app import call
from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import BundleError, SettingError
from mobile_sdk.previewing.answer import answer_of, check_finite
from mobile_sdk.previewing.drawing import label_color, lines_of
from mobile_sdk.previewing.preview import shown
from tests.support import bundles
from tests.support.fixtures import features_bundles
from tests.support.nets import detectors, segmenters


def golden(bundle: Bundle, index: int = 0) -> Image.Image:
    with Image.open(bundle.path / f"golden/{index}.png") as picture:
        picture.load()
        return picture


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundles.lowered(tmp_path_factory.mktemp("classifier"))


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return lower(detectors.program(), tmp_path_factory.mktemp("detector"), runtimes="tflite", progress=False)[0]


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return lower(segmenters.program(), tmp_path_factory.mktemp("segmenter"), runtimes="tflite", progress=False)[0]


def test_a_classifiers_labels_are_the_golden_winner_first(classifier: Bundle) -> None:
    for index, each in enumerate(classifier.manifest.golden.pictures):
        answer = preview(classifier, golden(classifier, index)).answer
        assert answer.shares[0].label_index == each.top1_index
        assert len(answer.shares) == min(5, len(classifier.manifest.labels))
        assert [one.share for one in answer.shares] == sorted((one.share for one in answer.shares), reverse=True)


def test_probabilities_are_the_shares_of_the_scores(classifier: Bundle, tmp_path: Path) -> None:
    (other,) = lower(
        bundles.program(), tmp_path, runtimes="tflite", choices={"output": "probabilities"}, progress=False
    )
    first, second = (preview(each, golden(classifier)).answer for each in (classifier, other))
    assert [each.label for each in first.shares] == [each.label for each in second.shares]
    np.testing.assert_allclose([each.share for each in first.shares], [each.share for each in second.shares], atol=1e-5)


def test_boxes_are_those_of_the_golden_detections(detector: Bundle) -> None:
    written = json.loads((detector.path / "golden/0.detections.json").read_text())["detections"]
    found = preview(detector, golden(detector)).answer.found
    assert len(found) == len(written) > 0
    side = detector.manifest.image.width_px
    for thing, wanted in zip(found, written, strict=True):
        assert thing.what.label_index == wanted["label_index"] and thing.what.share == pytest.approx(wanted["score"])
        np.testing.assert_allclose(np.array(thing.area) * side, wanted["box_px"], atol=1e-6)


def test_a_mask_is_the_golden_mask(segmenter: Bundle) -> None:
    answer = preview(segmenter, golden(segmenter)).answer
    assert answer.mask is not None
    assert answer.mask.tobytes() == (segmenter.path / "golden/0.mask.bin").read_bytes()
    assert sum(each.share for each in answer.shares) == pytest.approx(1)


def test_the_drawing_has_the_labels_colours_over_the_picture_and_before_the_words(segmenter: Bundle) -> None:
    found = preview(segmenter, golden(segmenter))
    page, answer = np.asarray(found.drawn()), found.answer
    assert found.picture is not None and page.shape[1] == 720
    height = round(found.picture.height * 720 / found.picture.width)
    for line, each in enumerate(answer.shares):
        assert tuple(page[height + 8 + line * 36 + 16, 16]) == label_color(each.label_index)


def test_label_colours_are_those_of_the_apps() -> None:
    assert [label_color(index) for index in range(3)] == [(255, 74, 74), (38, 117, 255), (159, 255, 38)]


def test_outputs_without_labels_are_shown_with_their_ranges(tmp_path: Path) -> None:
    features_bundles.write_features(tmp_path, ["tflite"])
    heads = open_bundle(tmp_path / "heads.tflite")
    lines = [line for line, _ in lines_of(preview(heads, golden(heads)).answer)]
    assert lines[0].startswith("scores  ") and ", mean " in lines[0] and len(lines) == 4
    spectrum = open_bundle(tmp_path / "spectrum.tflite")
    values = np.fromfile(spectrum.path / "golden/0.values.bin", "<f4").reshape(features_bundles.SPECTRUM.shape)
    found = preview(spectrum, values)
    assert found.picture is None and {*found.answer.features} == {"embedding", "map"}
    assert found.drawn().width == 720


@pytest.mark.parametrize(
    ("spec", "size"),
    [(ImageSpec(size_px=32), (32, 32)), (ImageSpec(size_px=32, fit="stretch"), (1024, 512))],
    ids=["crop", "stretch"],
)
def test_what_is_shown_is_what_the_net_reads_of_the_picture(spec: ImageSpec, size: tuple[int, int]) -> None:
    picture = shown(Image.new("RGB", (2048, 1024), (10, 20, 30)), spec)
    assert picture.size == size and picture.getpixel((5, 5)) == (10, 20, 30)


def test_grey_and_transparent_nets_show_colours() -> None:
    for channels in (1, 4):
        assert shown(Image.new("RGB", (64, 64), "red"), ImageSpec(size_px=32, channels=channels)).mode == "RGB"


def test_the_command_draws_beside_and_tells_in_json(
    classifier: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    picture = classifier.path / "golden/1.png"
    assert call(["show", str(classifier.path), str(picture)]) == 0
    first = capsys.readouterr().out.splitlines()
    assert " %  " in first[0] and first[-1] == f"written: 1-{classifier.path.name}.png"
    with Image.open(tmp_path / f"1-{classifier.path.name}.png") as drawn:
        assert drawn.width == 720
    assert call(["show", str(classifier.path), str(picture), "--out", "a.png", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["drawing"] == "a.png" and f"{100 * told['shares'][0]['share']:.1f} %" in first[0]


@pytest.mark.parametrize(
    ("picture", "code", "words"),
    [
        ("missing.png", 3, "missing.png"),
        ("labels.txt", 3, "labels.txt"),
        ("array.npy", 3, "expected a picture for a net that reads pictures, found an array"),
    ],
)
def test_a_file_that_is_no_picture_is_refused_in_one_line(
    picture: str, code: int, words: str, classifier: Bundle, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "labels.txt").write_text("cat")
    assert call(["show", str(classifier.path), str(tmp_path / picture), "--out", str(out)]) == code
    assert words in capsys.readouterr().err and not out.exists()


def test_a_picture_is_no_array(classifier: Bundle) -> None:
    with pytest.raises(SettingError, match="expected a picture, found ndarray"):
        preview(classifier, np.zeros((3, 8, 8)))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_have_no_answer_as_in_the_apps(number: float, detector: Bundle) -> None:
    output = detector.golden_output(0).copy()
    output[7] = number
    with pytest.raises(BundleError, match="expected finite numbers of boxes"):
        check_finite(output, detector.manifest)
    assert not answer_of(output, detector.manifest).found


def test_a_detector_that_gives_probabilities_finds_the_same_and_a_report_draws_it(
    detector: Bundle, tmp_path: Path
) -> None:
    choices = {"output": "probabilities"}
    (other,) = lower(detectors.program(), tmp_path, runtimes="tflite", choices=choices, progress=False)
    first, second = (preview(each, golden(detector)).answer.found for each in (detector, other))
    assert [each.what.label for each in first] == [each.what.label for each in second]
    np.testing.assert_allclose([each.area for each in first], [each.area for each in second], atol=1e-4)
    report = write_report(tmp_path / "report.html", bundles=[other], program=detectors.program())
    assert [box.label for box in report.golden[0].answers[0].boxes] == [each.what.label for each in second]
