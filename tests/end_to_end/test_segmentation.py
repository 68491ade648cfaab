"""`--task segmentation` from a folder of masks to a verdict and a report, and what is refused on the way."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobile_sdk.bundle.lowering import lower
from mobile_sdk.cli.app import call
from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.report.sections.segmentation import colour_of
from mobile_sdk.report.write import redraw_report, write_report
from mobile_sdk.verification.verification import verify
from mobile_sdk.workflow.tasks import TASKS
from tests.support.nets import segmenters

SETTINGS = ("--task", "segmentation", "--width", "0.35", "--size", "64", "--epochs", "1", "--name", "squares")


def save_masks(folder: Path, count: int = 40) -> Path:
    """Light squares on dark grounds, 80 × 60 px, and where they are."""
    random = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for index in range(count):
        rgb, mask = np.full((60, 80, 3), 40, np.uint8), np.zeros((60, 80), np.uint8)
        left, top = random.integers(0, 50), random.integers(0, 30)
        rgb[top : top + 30, left : left + 30] = 220
        mask[top : top + 30, left : left + 30] = 1
        Image.fromarray(rgb).save(folder / "images" / f"{index}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{index}.png")
    (folder / "labels.txt").write_text("ground\nsquare\n", encoding="utf-8")
    return folder


def test_a_segmenter_goes_from_a_folder_to_an_exact_bundle(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def result_of(*arguments: str) -> Any:
        code, spoken = call([*arguments, *data, "--json"]), capfd.readouterr()
        assert code == 0, spoken.err
        news.append(spoken.err)
        return json.loads(spoken.out)

    news: list[str] = []
    data, out = ("--data", str(save_masks(tmp_path / "squares"))), ("--out", str(tmp_path))
    trained = result_of("train", *SETTINGS, "--head", "r-aspp", "--output-stride", "8", *out)
    assert 0 <= trained["float_miou_share"] <= 1
    quantized = result_of("quantize", "--weights", str(tmp_path / "net.safetensors"), "--epochs", "1", *out)
    assert quantized["quantized"] == "qat" and quantized["reference_quality"]["images"] == 8
    assert quantized["net"] == "R-ASPP on mobilenet_v3_small"
    for each in news:
        assert "augmentation: scales of 0.5 to 2, 50% mirrored" in each
    program, bundles = str(tmp_path / "program.pt2"), tmp_path / "bundles"
    result_of("export", program, "--to", "tflite", "--out", str(bundles))
    (bundle,) = (str(path) for path in bundles.iterdir())
    (verdict,) = result_of("verify", bundle, "--program", program, "--out", str(tmp_path / "verify.json"))
    outcomes = {check["name"]: check["outcome"] for check in verdict["checks"]}
    assert outcomes["steps apart"] == outcomes["mIoU beside the reference"] == outcomes["recorded mIoU"] == "pass"


def test_a_report_draws_truth_and_masks_and_says_the_overlap(tmp_path: Path) -> None:
    program, pictures = segmenters.program(), segmenters.pictures()
    bundles = lower(program, tmp_path, runtimes=["tflite", "executorch"], pictures=pictures)
    verdicts = [verify(bundle, program, pictures) for bundle in bundles]
    report = write_report(tmp_path / "report.html", verdicts, program=program, bundles=bundles, pictures=pictures)
    drawn = [[mask.computed_by for mask in picture.answers] for picture in report.golden]
    assert drawn == [["truth", "scenes.tflite, scenes.executorch"]] * 3 and report.task == "segmentation"
    assert [each.label for each in report.golden[0].answers[0].labels] == ["thing 1", "thing 2"]
    assert [line.computed_by for line in report.qualities] == ["int8 reference", "scenes.tflite", "scenes.executorch"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count('class="swatch"') >= 6 and "Mean IoU" in page and "Mean intersection over union" in page
    redraw_report(tmp_path / "report.json", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_the_truth_of_other_pictures_is_not_drawn(tmp_path: Path) -> None:
    bundles = lower(segmenters.program(), tmp_path, runtimes=["tflite"], pictures=segmenters.pictures())
    others = segmenters.pictures()[::-1]
    report = write_report(tmp_path / "report.html", bundles=bundles, pictures=others)
    assert [[mask.computed_by for mask in picture.answers] for picture in report.golden] == [["scenes.tflite"]] * 3


def test_no_two_of_twenty_labels_have_one_colour() -> None:
    colours = np.array([colour_of(label) for label in range(1, 21)], float)
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    assert apart[~np.eye(20, dtype=bool)].min() > 20


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--task", "segmentaton"), "did you mean segmentation?"),
        (("run", "--task", "segmentation", "--net", "mobilenet_v4"), "expected a backbone"),
        (("run", "--task", "segmentation", "--size", "100"), "expected pictures of a multiple of 32 px"),
        (("run", "--task", "segmentation", "--head", "ssd"), "expected a head (lr-aspp, r-aspp, aspp), found 'ssd'"),
        (("run", "--task", "segmentation", "--output-stride", "4"), "expected an output stride of 8, 16 or 32"),
        (("run", "--head", "aspp"), "expected --head and --output-stride with --task detection or segmentation alone"),
        (("run", "--task", "detection", "--output-stride", "8"), "expected no --output-stride for detection"),
        (
            ("train", "--task", "segmentation", "--recipe", "digits"),
            "expected neither --recipe, --weights nor --labels",
        ),
    ],
)
def test_settings_that_do_not_fit_the_task_are_refused(
    arguments: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(arguments) == 2
    assert said in capfd.readouterr().err


UNFIT_LABELS = [("ground", ""), ("ground", "ground"), ("ground", "two\nlines")]


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        *itertools.product(TASKS, UNFIT_LABELS),
        *((task, ()) for task in TASKS if task != "features"),  # features have none
    ],
)
def test_labels_that_cannot_be_a_contracts_are_an_error_of_the_data(task: str, labels: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="expected labels that an app can show"):
        TASKS[task]().contract(None, "street", labels, ImageSpec(size_px=64))
    with pytest.raises(SettingError, match="expected a --name"):
        TASKS[task]().contract("a/b", "street", ("ground", "square"), ImageSpec(size_px=64))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (b"ground\nsquare\n\n", None),
        (b"\xef\xbb\xbfground\r\nsquare\r\n", None),
        (b"ground\n\nsquare\n", "labels.txt, found line 2 blank"),
        (b"square\nsquare\n", "labels.txt, found square more than once"),
        (b"square\n", "labels.txt, found 1"),
    ],
)
def test_a_list_of_labels_is_read_or_refused_by_its_line_before_anything_is_learned(
    labels: bytes, said: str | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = save_masks(tmp_path / "squares", count=3)
    (data / "labels.txt").write_bytes(labels)
    code = call(["train", *SETTINGS, "--data", str(data), "--out", str(tmp_path / "run")])
    spoken = capfd.readouterr().err
    assert (code == 3 and said in spoken) if said else code == 0, spoken
