"""Holds what `predict` and `mobile-sdk classify` say and draw against the golden files that the apps are held to."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_sdk import (
    BoxPrediction,
    ClassPrediction,
    MaskPrediction,
    OutputPrediction,
    Prediction,
    lower,
    open_bundle,
    write_report,
)
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.cli.app import call
from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import BundleError, DataError, MachineError, SettingError
from mobile_sdk.prediction.drawing import label_color
from mobile_sdk.prediction.predicting import check_finite, shown
from mobile_sdk.runtimes.coreml.apple_system import not_run
from tests.support import bundles
from tests.support.fixtures import features_bundles
from tests.support.nets import detectors, segmenters


def golden(bundle: Bundle, index: int = 0) -> Image.Image:
    with Image.open(bundle.path / f"golden/{index}.png") as picture:
        picture.load()
        return picture


def classes(found: Prediction) -> ClassPrediction:
    assert isinstance(found, ClassPrediction)
    return found


def boxes(found: Prediction) -> BoxPrediction:
    assert isinstance(found, BoxPrediction)
    return found


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundles.lowered(tmp_path_factory.mktemp("classifier"))


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return lower(detectors.program(), tmp_path_factory.mktemp("detector"), runtimes="tflite", progress=False)[0]


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return lower(segmenters.program(), tmp_path_factory.mktemp("segmenter"), runtimes="tflite", progress=False)[0]


def test_a_classifiers_first_class_is_the_golden_winner(classifier: Bundle) -> None:
    for index, each in enumerate(classifier.manifest.golden.pictures):
        found = classes(classifier.predict(golden(classifier, index)))
        scores = [one.score for one in found.classes]
        assert found.classes[0].index == each.top1_index and found.label == found.classes[0].label
        assert len(scores) == len(classifier.manifest.labels) and sum(scores) == pytest.approx(1)
        assert scores == sorted(scores, reverse=True) and found.score == scores[0]


def test_a_path_a_picture_and_its_pixels_give_the_same_and_so_does_the_program(classifier: Bundle) -> None:
    picture, path = golden(classifier), classifier.path / "golden/0.png"
    for given in (path, str(path), picture, np.asarray(picture.convert("RGB"))):
        assert classes(classifier.predict(given)).classes == classes(bundles.program().predict(given)).classes
    twin = classes(bundles.program(int8=False).predict(path))
    assert twin.label == classes(classifier.predict(path)).label


def test_many_pictures_load_the_model_once_and_come_in_their_order(classifier: Bundle) -> None:
    pictures = [golden(classifier, index) for index in range(len(classifier.manifest.golden.pictures))]
    found = [classes(each).classes[0].index for each in classifier.predict_each(iter(pictures))]
    assert found == [each.top1_index for each in classifier.manifest.golden.pictures]
    by_reference = [classes(each).classes[0].index for each in bundles.program().predict_each(pictures)]
    assert by_reference == found


def test_probabilities_are_the_scores_of_the_logits(classifier: Bundle, tmp_path: Path) -> None:
    choices = {"output": "probabilities"}
    (other,) = lower(bundles.program(), tmp_path, runtimes="tflite", choices=choices, progress=False)
    first, second = (classes(each.predict(golden(classifier))).classes for each in (classifier, other))
    assert [each.label for each in first] == [each.label for each in second]
    np.testing.assert_allclose([each.score for each in first], [each.score for each in second], atol=1e-5)


def test_boxes_are_those_of_the_golden_detections(detector: Bundle) -> None:
    written = json.loads((detector.path / "golden/0.detections.json").read_text())["detections"]
    found = boxes(detector.predict(golden(detector))).objects
    assert len(found) == len(written) > 0
    side = detector.manifest.image.width_px
    for thing, wanted in zip(found, written, strict=True):
        assert thing.index == wanted["label_index"] and thing.score == pytest.approx(wanted["score"])
        np.testing.assert_allclose(np.array(thing.area) * side, wanted["box_px"], atol=1e-6)
    expected = boxes(detector.golden_prediction(0))
    assert expected.picture is None
    np.testing.assert_allclose([each.box_px for each in expected.objects], [each["box_px"] for each in written])
    by_program = boxes(detectors.program().predict(golden(detector))).objects
    assert [each.label for each in by_program] == [each.label for each in found]
    np.testing.assert_allclose([each.area for each in by_program], [each.area for each in found], atol=1e-4)


def test_boxes_are_in_pixels_of_the_picture_that_was_given(detector: Bundle) -> None:
    """A stretched picture, three times as wide and twice as high, has its boxes there."""
    assert detector.manifest.image.fit == "stretch"
    small = golden(detector)
    large = small.resize((3 * small.width, 2 * small.height), Image.Resampling.NEAREST)
    for thing in boxes(detector.predict(large)).objects:
        np.testing.assert_allclose(thing.box_px, np.array(thing.area) * ([large.width, large.height] * 2))


def test_boxes_in_a_cut_are_where_the_cut_lies_in_the_picture(detector: Bundle) -> None:
    program = detectors.program()
    image = program.contract.image.model_copy(update={"fit": "crop"})
    cutting = replace(program, contract=program.contract.model_copy(update={"inputs": (image,)}))
    square = golden(detector).crop((0, 0, 80, 80))
    wide = Image.new("RGB", (square.width + 40, square.height))
    wide.paste(square, (20, 0))
    whole, cut = boxes(program.predict(square)).objects, boxes(cutting.predict(wide)).objects
    assert [each.area for each in cut] == [each.area for each in whole]
    moved = [np.add(each.box_px, (20, 0, 20, 0)) for each in whole]
    np.testing.assert_allclose([each.box_px for each in cut], moved)


def test_a_mask_is_the_golden_mask(segmenter: Bundle) -> None:
    found = segmenter.predict(golden(segmenter))
    assert isinstance(found, MaskPrediction)
    assert found.mask.tobytes() == (segmenter.path / "golden/0.mask.bin").read_bytes()
    assert sum(each.score for each in found.classes) == pytest.approx(1)
    by_program = segmenters.program().predict(golden(segmenter))
    assert isinstance(by_program, MaskPrediction) and np.array_equal(by_program.mask, found.mask)


def test_the_drawing_has_the_labels_colours_over_the_picture_and_before_the_words(segmenter: Bundle) -> None:
    found = segmenter.predict(golden(segmenter))
    page = np.asarray(found.drawn())
    assert isinstance(found, MaskPrediction) and found.picture is not None and page.shape[1] == 720
    height = round(found.picture.height * 720 / found.picture.width)
    for line, each in enumerate(found.classes):
        assert tuple(page[height + 8 + line * 36 + 16, 16]) == label_color(each.index)


def test_label_colours_are_those_of_the_apps() -> None:
    assert [label_color(index) for index in range(3)] == [(255, 74, 74), (38, 117, 255), (159, 255, 38)]


def test_outputs_without_classes_are_told_with_their_ranges(tmp_path: Path) -> None:
    features_bundles.write_features(tmp_path, ["tflite"])
    heads = open_bundle(tmp_path / "heads.tflite")
    found = heads.predict(golden(heads))
    lines = [line for line, _ in found.lines()]
    assert lines[0].startswith("scores  ") and ", mean " in lines[0] and len(lines) == 4
    assert len(list(found.lines(1))) == 2
    spectrum = open_bundle(tmp_path / "spectrum.tflite")
    values = np.fromfile(spectrum.path / "golden/0.values.bin", "<f4").reshape(features_bundles.SPECTRUM.shape)
    np.save(tmp_path / "values.npy", values)
    for given in (values, tmp_path / "values.npy"):
        found = spectrum.predict(given)
        assert isinstance(found, OutputPrediction) and found.picture is None
        assert {*found.outputs} == {"embedding", "map"} and found.drawn().width == 720
    golden(heads).save(tmp_path / "photo.png")
    for picture in (tmp_path / "photo.png", golden(heads)):
        with pytest.raises((SettingError, DataError), match="expected an array"):
            spectrum.predict(picture)


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


def test_predictions_are_one_short_line_and_a_picture_in_a_notebook(
    classifier: Bundle, detector: Bundle, segmenter: Bundle, tmp_path: Path
) -> None:
    features_bundles.write_features(tmp_path, ["tflite"])
    for bundle in (classifier, detector, segmenter, open_bundle(tmp_path / "heads.tflite")):
        found = bundle.predict(golden(bundle))
        text = repr(found)
        assert text.startswith(f"{type(found).__name__}(") and "\n" not in text and len(text) <= 200
        assert found._repr_png_().startswith(b"\x89PNG")
    first = classes(classifier.predict(golden(classifier)))
    assert f"'{first.label}' {100 * first.score:.1f} %" in repr(first)
    assert repr(BoxPrediction(objects=())) == "BoxPrediction(nothing found)"


def test_the_command_tells_every_picture_and_draws_where_it_is_asked_to(
    classifier: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model, pictures = str(classifier.path), [str(classifier.path / f"golden/{index}.png") for index in range(2)]
    assert call(["classify", model, *pictures]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == pictures
    assert len(lines) == 2 * (1 + min(5, len(classifier.manifest.labels))) and list(tmp_path.iterdir()) == []
    assert call(["classify", model, *pictures, "--top", "1", "--out", "drawn", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == model and told["task"] == "classification"
    for number, each in enumerate(told["predictions"]):
        (best,) = each["classes"]
        assert f"  {100 * best['score']:5.1f} %  {best['label']}" in lines
        with Image.open(f"drawn/{number}-{classifier.path.name}.png") as drawn:
            assert each["drawing"] == drawn.filename and drawn.width == 720


def test_pictures_of_one_name_are_drawn_into_files_of_their_own(
    detector: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A detector draws without --out, into predictions."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        golden(detector).save(tmp_path / name / "photo.png")
    assert call(["classify", str(detector.path), "a/photo.png", "b/photo.png"]) == 0
    name = detector.path.name
    drawn = [f"  drawn: predictions/photo-{name}{end}.png" for end in ("", "-2")]
    assert [line for line in capsys.readouterr().out.splitlines() if "drawn" in line] == drawn
    assert len(list((tmp_path / "predictions").iterdir())) == 2


def test_a_program_is_computed_by_the_reference(
    classifier: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundles.program().save(tmp_path / "program.pt2")
    picture, told = str(classifier.path / "golden/0.png"), []
    for model in (tmp_path / "program.pt2", classifier.path):
        assert call(["classify", str(model), picture, "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out)["predictions"])
    assert told[0] == told[1]
    assert call(["classify", str(tmp_path / "program.pt2"), picture, "--key", "key.pem"]) == 2
    assert "programs carry no signature" in capsys.readouterr().err


def test_a_bundle_whose_runtime_is_not_here_says_why_and_nothing_answers_in_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = bundles.lowered(tmp_path, "coreml")
    reason = not_run()
    if reason is None:
        pytest.skip("this machine runs Core ML")
    with pytest.raises(MachineError, match="expected to run coreml, found that Core ML runs models only on Apple's"):
        bundle.predict(golden(bundle))
    assert call(["classify", str(bundle.path), str(bundle.path / "golden/0.png")]) == 7
    out, err = capsys.readouterr()
    assert out == "" and reason in err and "program.pt2" in err


@pytest.mark.parametrize(
    ("picture", "code", "words"),
    [
        ("missing.png", 3, "found nothing"),
        ("labels.txt", 3, "labels.txt"),
        ("array.npy", 3, "expected a picture for a net that reads pictures, found an array"),
        (".", 3, "found a folder"),
    ],
)
def test_a_file_that_is_no_picture_is_refused_in_one_line(
    picture: str, code: int, words: str, classifier: Bundle, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "labels.txt").write_text("cat")
    assert call(["classify", str(classifier.path), str(tmp_path / picture), "--out", str(tmp_path / "out")]) == code
    assert words in capsys.readouterr().err and not any((tmp_path / "out").iterdir())


@pytest.mark.parametrize("verb", ["predict", "export", "inspect", "verify", "bench", "classify"])
def test_a_picture_in_a_models_place_is_answered_with_the_verb_that_is_meant(
    verb: str, classifier: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    golden(classifier).save("photo.jpg")
    bundles.program().save("program.pt2")
    more = {"verify": ["--program", "program.pt2", "--data", "digits"], "classify": [str(classifier.path)]}
    assert call([verb, "photo.jpg", *more.get(verb, [])]) in (3, 6)
    err = capsys.readouterr().err
    assert "photo.jpg" in err.splitlines()[0] and "mobile-sdk classify BUNDLE photo.jpg" in err.splitlines()[1]


def test_a_picture_that_is_not_there_is_no_nets_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["predict", "nowhere/photo.jpg"]) == 3
    assert "found nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((8, 8, 3), np.float32), np.zeros((3, 8, 8), np.uint8), np.zeros((1, 8, 8, 3), np.uint8)],
    ids=["normalized", "transposed", "a batch"],
)
def test_pixels_are_bytes_as_a_decoder_gives_them(classifier: Bundle, pixels: np.ndarray) -> None:
    with pytest.raises(SettingError, match=r"expected pixels as uint8 \(height, width, 3\), found"):
        classifier.predict(pixels)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_have_no_answer_as_in_the_apps(number: float) -> None:
    with pytest.raises(BundleError, match="expected finite numbers of boxes"):
        check_finite({"boxes": np.array([0.0, number])})


def test_a_detector_that_gives_probabilities_finds_the_same_and_a_report_draws_it(
    detector: Bundle, tmp_path: Path
) -> None:
    choices = {"output": "probabilities"}
    (other,) = lower(detectors.program(), tmp_path, runtimes="tflite", choices=choices, progress=False)
    first, second = (boxes(each.predict(golden(detector))).objects for each in (detector, other))
    assert [each.label for each in first] == [each.label for each in second]
    np.testing.assert_allclose([each.area for each in first], [each.area for each in second], atol=1e-4)
    report = write_report(tmp_path / "report.html", bundles=[other], program=detectors.program())
    assert [box.label for box in report.golden[0].answers[0].boxes] == [each.label for each in second]
