"""Folders of pictures with boxes or masks: how splits are called and laid out, and what is refused by its name."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_sdk.errors import DataError
from qat.data.boxes.formats.coco import load_coco_folder
from qat.data.masks.folder import load_mask_folder
from tests.support.pictures.folders import darknet, fill, labelled, voc, yolo
from tests.support.pictures.phone_photographs import noise, photograph

NAMES = [f"{number}.png" for number in range(5)]


def annotations(names: list[str], **fields: int) -> str:
    images = [{"id": index, "file_name": name, **fields} for index, name in enumerate(names)]
    boxes = [{"image_id": index, "category_id": 1, "bbox": [1, 2, 6, 8]} for index in range(len(names))]
    return json.dumps({"images": images, "categories": [{"id": 1, "name": "square"}], "annotations": boxes})


def write(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")


def as_coco(root: Path, train: str, validation: str) -> None:
    for split in (train, validation):
        fill(root / split, NAMES)
        write(root / "annotations" / f"instances_{split}.json", annotations(NAMES))
        write(root / "annotations" / f"captions_{split}.json", "{}")


def as_coco_in_images(root: Path, train: str, validation: str) -> None:
    for split in (train, validation):
        fill(root / "images" / split, NAMES)
        write(root / "annotations" / f"{split}.json", annotations(NAMES))


def as_roboflow(root: Path, train: str, validation: str) -> None:
    for split in (train, validation, "test"):
        fill(root / split, NAMES)
        write(root / split / "_annotations.coco.json", annotations(NAMES))


@pytest.mark.parametrize("lay", [as_coco, as_coco_in_images, as_roboflow])
@pytest.mark.parametrize(("train", "validation"), [("train2017", "val2017"), ("Train", "valid"), ("training", "dev")])
@pytest.mark.parametrize("wrapped", ["", "unpacked/again"])
def test_boxes_of_every_layout_are_read(
    tmp_path: Path,
    lay: Callable[..., None],
    train: str,
    validation: str,
    wrapped: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lay(tmp_path / wrapped, train, validation)
    pictures = load_coco_folder(tmp_path)
    assert pictures.labels == ("square",) and (len(pictures.train), len(pictures.validation)) == (5, 5)
    assert [truth.boxes.tolist() for truth in pictures.train.truths] == [[[1, 2, 7, 10]]] * 5
    assert ("left aside: test" in capsys.readouterr().err) is (lay is as_roboflow)


def test_boxes_for_training_alone_are_parted_and_test_is_left_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_roboflow(tmp_path, "train", "test")
    pictures = load_coco_folder(tmp_path)
    assert (len(pictures.train), len(pictures.validation)) == (4, 1)
    assert "left aside: test" in capsys.readouterr().err


def test_pictures_that_no_annotation_or_mask_belongs_to_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "boxes", [*NAMES, "stray.png"])
    write(tmp_path / "boxes" / "annotations.json", annotations(NAMES))
    assert len(load_coco_folder(tmp_path / "boxes").train) == 4
    assert "left out 1 picture that annotations.json does not name: stray.png" in capsys.readouterr().err
    masked(tmp_path / "masks" / "images", tmp_path / "masks" / "masks")
    write(tmp_path / "masks" / "labels.txt", "ground\nsquare")
    (tmp_path / "masks" / "images" / "3.jpg").unlink()
    assert len(load_mask_folder(tmp_path / "masks").train) == 3
    assert "left out 1 mask without a picture" in capsys.readouterr().err


def test_categories_that_differ_between_splits_are_refused(tmp_path: Path) -> None:
    as_roboflow(tmp_path, "train", "valid")
    file = tmp_path / "valid" / "_annotations.coco.json"
    file.write_text(file.read_text().replace("square", "circle"))
    with pytest.raises(DataError, match="same categories"):
        load_coco_folder(tmp_path)


@pytest.mark.parametrize("lay", [yolo, voc, darknet])
def test_boxes_in_other_formats_are_refused_by_name(tmp_path: Path, lay: Callable[[Path], None]) -> None:
    lay(tmp_path)
    with pytest.raises(DataError, match=r"expected annotations\.json in .*found a (YOLO|PASCAL VOC) data set"):
        load_coco_folder(tmp_path)


def test_labels_without_boxes_are_refused_by_name(tmp_path: Path) -> None:
    labelled(tmp_path, "train", "val")
    with pytest.raises(DataError, match=r"found folders of pictures without it .*--task classification"):
        load_coco_folder(tmp_path)
    with pytest.raises(DataError, match="expected a folder images"):
        load_mask_folder(tmp_path)


@pytest.mark.parametrize("load", [load_coco_folder, load_mask_folder])
def test_no_folder_and_archives_are_refused(tmp_path: Path, load: Callable[[Path], object]) -> None:
    (tmp_path / "street.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="unpack"):
        load(tmp_path / "street.zip")
    with pytest.raises(DataError, match="found none at"):
        load(tmp_path / "nowhere")


def masked(pictures: Path, masks: Path) -> None:
    fill(pictures, [name.replace(".png", ".jpg") for name in NAMES])
    masks.mkdir(parents=True)
    for name in NAMES:
        Image.fromarray(np.ones((20, 20), np.uint8)).save(masks / name)


@pytest.mark.parametrize(
    ("places", "counts"),
    [
        ([("images", "masks")], (4, 1)),
        ([("Images", "Masks")], (4, 1)),
        ([("train/images", "train/masks"), ("Valid/images", "Valid/masks")], (5, 5)),
        ([("images/training", "masks/training"), ("images/validation", "masks/validation")], (5, 5)),
        ([("train/images", "train/masks"), ("test/images", "test/masks")], (4, 1)),
    ],
)
@pytest.mark.parametrize("wrapped", ["", "unpacked"])
def test_masks_of_every_layout_are_read(
    tmp_path: Path, places: list[tuple[str, str]], counts: tuple[int, int], wrapped: str
) -> None:
    for pictures, masks in places:
        masked(tmp_path / wrapped / pictures, tmp_path / wrapped / masks)
    write(tmp_path / wrapped / "labels.txt", "\ufeffground\nsquare\n")
    found = load_mask_folder(tmp_path)
    assert found.labels == ("ground", "square") and (len(found.train), len(found.validation)) == counts
    assert all((truth == 1).all() for truth in (*found.train.truths, *found.validation.truths))


def test_vocs_masks_of_colours_are_refused_by_name(tmp_path: Path) -> None:
    voc(tmp_path)
    with pytest.raises(DataError, match=r"colours of PASCAL VOC's list in .*png, found \d+,\d+,0 at"):
        load_mask_folder(tmp_path)


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (20, 2_001)])
def test_a_picture_in_which_a_net_would_see_nothing_is_refused_by_its_name(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    fill(tmp_path, NAMES)
    Image.new("RGB", size).save(tmp_path / "3.png")
    write(tmp_path / "annotations.json", annotations(NAMES))
    with pytest.raises(DataError, match=rf"found {size[0]} × {size[1]} px in .*3\.png"):
        load_coco_folder(tmp_path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_those_of_the_upright_picture_unless_its_said_sides_are_the_stored_ones(
    tmp_path: Path, orientation: int
) -> None:
    upright = noise(40, 30)
    for name in NAMES:
        photograph(tmp_path / name, upright, orientation)
    for said, expected in (({}, (30, 40)), ({"width": 40, "height": 30}, (30, 40))):
        write(tmp_path / "annotations.json", annotations(NAMES, **said))
        pictures = load_coco_folder(tmp_path)
        for source in (*pictures.train.sources, *pictures.validation.sources):
            assert source.shape[:2] == expected and np.array_equal(source, np.asarray(upright))
    write(tmp_path / "annotations.json", annotations(NAMES, width=30, height=40))
    stored = load_coco_folder(tmp_path).train.sources[0].shape[:2]
    assert stored == ((40, 30) if orientation >= 5 else (30, 40))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_that_of_the_upright_picture_unless_its_sides_are_the_stored_ones(
    tmp_path: Path, orientation: int
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    write(tmp_path / "labels.txt", "ground\nsquare")
    for name, shape in (("a", (30, 40)), ("b", (40, 30) if orientation >= 5 else (30, 40))):
        photograph(tmp_path / "images" / f"{name}.png", noise(40, 30), orientation)
        Image.fromarray(np.ones(shape, np.uint8)).save(tmp_path / "masks" / f"{name}.png")
    found = load_mask_folder(tmp_path)
    for part in (found.train, found.validation):
        for source, truth in zip(part.sources, part.truths, strict=True):
            assert source.shape[:2] == truth.shape
            assert truth.shape == (40, 30) or np.array_equal(source, np.asarray(noise(40, 30)))
