"""Folders of pictures with boxes as the usual tools export them, in COCO's, PASCAL VOC's and YOLO's formats."""

from collections.abc import Callable
from pathlib import Path

import box_exports
import numpy as np
import pytest
from box_exports import LABELS, PARTED, SCENES, TRAIN, VALIDATION, WHOLE

import qat
from mobile_sdk.errors import DataError
from qat.detection.pictures import DetectionPictures, DetectionSet

Export = Callable[[Path], None]


def boxes_by_picture(pictures: DetectionSet, labels: tuple[str, ...]) -> dict[int, list[tuple[str, list[float]]]]:
    """By the number that a picture's colour says, its boxes."""
    found = {}
    for source, truth in zip(pictures.sources, pictures.truths, strict=True):
        assert source.shape == (60, 80, 3) and not truth.is_ignored.any()
        names = [labels[label] for label in truth.labels]
        found[int(source[0, 0, 0]) // 20] = list(zip(names, truth.boxes.tolist(), strict=True))
    return found


def check_scenes(pictures: DetectionPictures) -> tuple[set[int], set[int]]:
    """The numbers of the pictures in both parts, whose boxes are those of the scenes."""
    assert pictures.labels == LABELS
    numbers = []
    for part in (pictures.train, pictures.validation):
        found = boxes_by_picture(part, pictures.labels)
        for number, boxes in found.items():
            assert [label for label, _ in boxes] == [label for label, _ in SCENES[number]]
            wanted = [sides for _, sides in SCENES[number]]
            np.testing.assert_allclose([sides for _, sides in boxes], wanted, atol=1e-4)
        numbers.append(set(found))
    return numbers[0], numbers[1]


@pytest.mark.parametrize("export", PARTED)
@pytest.mark.parametrize("wrapped", ["", "unpacked/again"])
def test_parted_exports_of_every_tool_are_read_as_they_are_parted(tmp_path: Path, export: Export, wrapped: str) -> None:
    export(tmp_path / wrapped)
    train, validation = check_scenes(qat.load_box_folder(tmp_path))
    assert (train, validation) == (set(TRAIN), set(VALIDATION))


@pytest.mark.parametrize("export", WHOLE)
@pytest.mark.parametrize("wrapped", ["", "unpacked/again"])
def test_of_exports_that_are_not_parted_a_fifth_is_held_out(tmp_path: Path, export: Export, wrapped: str) -> None:
    export(tmp_path / wrapped)
    train, validation = check_scenes(qat.load_box_folder(tmp_path))
    assert len(train) == 8 and len(validation) == 2 and not train & validation


@pytest.mark.parametrize("export", [each for each in (*PARTED, *WHOLE) if each.__name__.startswith("coco")])
def test_a_coco_folder_is_read_alike_by_its_own_loader(tmp_path: Path, export: Export) -> None:
    export(tmp_path)
    one, other = qat.load_coco_folder(tmp_path), qat.load_box_folder(tmp_path)
    assert one.train.fingerprint() == other.train.fingerprint()


def test_two_formats_beside_each_other_are_refused(tmp_path: Path) -> None:
    box_exports.voc_labelimg(tmp_path)
    box_exports.yolo_labelimg(tmp_path)
    with pytest.raises(DataError, match="found PASCAL VOC's, YOLO's"):
        qat.load_box_folder(tmp_path)
