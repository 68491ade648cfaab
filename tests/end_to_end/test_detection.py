"""`--task detection` from pictures in COCO's layout to a verdict and a report, and what is refused on the way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.app import call
from mobile_sdk.errors import DataError
from mobile_sdk.report.write import redraw_report, write_report
from mobile_sdk.verification.verification import verify
from qat.data.boxes.formats.coco import load_coco_folder
from tests.support.nets import detectors
from tests.support.pictures import box_exports

SETTINGS = ("--task", "detection", "--width", "0.35", "--size", "64", "--epochs", "1", "--name", "squares")


def save_coco(folder: Path, count: int = 40) -> Path:
    """Light squares on dark grounds, 80 × 60 px, in COCO's layout."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    images, annotations = [], []
    for index in range(count):
        rgb = np.full((60, 80, 3), 40, np.uint8)
        left, top = random.integers(0, 50), random.integers(0, 30)
        rgb[top : top + 30, left : left + 30] = 220
        Image.fromarray(rgb).save(folder / f"{index}.png")
        images.append({"id": 100 + index, "file_name": f"{index}.png"})
        box = [int(left), int(top), 30, 30]
        annotations.append({"image_id": 100 + index, "category_id": 7, "bbox": box, "id": index, "iscrowd": index % 2})
    content = {"images": images, "categories": [{"id": 7, "name": "square"}], "annotations": annotations}
    (folder / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_a_detector_goes_from_a_coco_folder_to_an_exact_bundle(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def result_of(*arguments: str) -> Any:
        code, spoken = call([*arguments, *data, "--json"]), capfd.readouterr()
        assert code == 0, spoken.err
        news.append(spoken.err)
        return json.loads(spoken.out)

    news: list[str] = []
    data, out = ("--data", str(save_coco(tmp_path / "squares"))), ("--out", str(tmp_path))
    trained = result_of("train", *SETTINGS, *out)
    assert 0 <= trained["float_average_precision_share"] <= 1
    quantized = result_of("quantize", "--weights", str(tmp_path / "net.safetensors"), "--epochs", "1", *out)
    assert quantized["quantized"] == "qat" and quantized["reference_quality"]["images"] == 8
    for each in news:
        assert "augmentation: crops of 10% to 100% around boxes, 50% mirrored" in each
    program, bundles = str(tmp_path / "program.pt2"), tmp_path / "bundles"
    result_of("export", program, "--to", "tflite", "--out", str(bundles))
    (bundle,) = (str(path) for path in bundles.iterdir())
    (verdict,) = result_of("verify", bundle, "--program", program, "--out", str(tmp_path / "verify.json"))
    outcomes = {check["name"]: check["outcome"] for check in verdict["checks"]}
    assert outcomes["steps apart"] == outcomes["precision beside the reference"] == "pass"


@pytest.mark.parametrize(
    ("export", "faulty"),
    [
        (box_exports.voc_devkit, "*/*/Annotations/frame_000003.xml"),
        (box_exports.yolo_roboflow, "train/labels/frame_000003.txt"),
        (box_exports.coco_roboflow, "train/_annotations.coco.json"),
    ],
)
def test_a_detector_is_trained_on_what_every_format_says_and_a_faulty_file_is_refused(
    export: Callable[[Path], None], faulty: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    export(tmp_path / "street")
    data, out = ("--data", str(tmp_path / "street")), ("--out", str(tmp_path / "run"))
    code, spoken = call(["train", *SETTINGS, *data, *out, "--json"]), capfd.readouterr()
    assert code == 0, spoken.err
    assert 0 <= json.loads(spoken.out)["float_average_precision_share"] <= 1
    (file,) = (tmp_path / "street").glob(faulty)
    file.write_text("1 2 3")
    code, spoken = call(["train", *SETTINGS, *data, "--out", str(tmp_path / "again")]), capfd.readouterr()
    assert code == DataError.exit_code and file.name in spoken.err


def test_a_report_draws_the_boxes_and_says_the_precision(tmp_path: Path) -> None:
    program, pictures = detectors.program(), detectors.pictures()
    bundles = lower(program, tmp_path, runtimes=["tflite"], pictures=pictures)
    verdicts = [verify(bundle, program, pictures) for bundle in bundles]
    report = write_report(tmp_path / "report.html", verdicts, program=program, bundles=bundles)
    drawn = [box for picture in report.golden for said in picture.answers for box in said.boxes]
    assert len(report.golden) == 3 and drawn and report.task == "detection"
    assert [line.computed_by for line in report.qualities] == ["int8 reference", "things.tflite"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<rect ") >= len(drawn) and "Average precision" in page and drawn[0].label in page
    redraw_report(tmp_path / "report.json", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_a_coco_folder_is_parted_by_names_and_its_crowds_are_ignored(tmp_path: Path) -> None:
    pictures = load_coco_folder(save_coco(tmp_path / "squares"))
    assert (len(pictures.train), len(pictures.validation), pictures.labels) == (32, 8, ("square",))
    truths = (*pictures.train.truths, *pictures.validation.truths)
    assert [len(truth.labels) for truth in truths] == [1] * 40
    assert sum(truth.is_ignored.sum() for truth in truths) == 20
    for source, truth in zip(pictures.train.sources, pictures.train.truths, strict=True):
        for left, top, right, bottom in truth.boxes.astype(int):
            assert (source[top:bottom, left:right] == 220).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected annotations.json"),
        ("{}", "expected COCO's format"),
        ('{"images": [], "categories": [], "annotations": []}', "expected COCO's format"),
    ],
)
def test_a_folder_in_another_layout_is_refused(content: str | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "annotations.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_coco_folder(tmp_path)


def test_a_category_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    folder = save_coco(tmp_path / "squares")
    content = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    content["annotations"][3]["category_id"] = 8
    (folder / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match="expected a listed category"):
        load_coco_folder(folder)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--task", "detectoin"), "did you mean detection?"),
        (("run", "--task", "detection", "--net", "mobilenet_v4"), "expected a backbone"),
        (("train", "--task", "detection", "--recipe", "digits"), "expected neither --recipe, --weights nor --labels"),
    ],
)
def test_settings_that_do_not_fit_the_task_are_refused(
    arguments: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(arguments) == 2
    assert said in capfd.readouterr().err
