"""Folders of pictures with boxes as the usual tools export them, in COCO's, PASCAL VOC's and YOLO's formats."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import qat
from mobile_sdk.contract import Contract, DetectionSpec
from mobile_sdk.errors import DataError
from mobile_sdk.workflow.tasks.detection import Detection
from qat.data.boxes.pictures import DetectionPictures, DetectionSet
from tests.support.pictures import box_exports
from tests.support.pictures.box_exports import LABELS, PARTED, SCENES, TRAIN, VALIDATION, WHOLE

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


def test_no_boxes_are_refused_by_what_is_there_instead(tmp_path: Path) -> None:
    box_exports.draw(tmp_path / "alone", range(3))
    box_exports.draw(tmp_path / "labelled" / "car", range(3))
    box_exports.draw(tmp_path / "labelled" / "bus", range(3))
    box_exports.draw(tmp_path / "masked" / "images", range(3))
    box_exports.draw(tmp_path / "masked" / "masks", range(3))
    box_exports.draw(tmp_path / "labelme", range(3))
    box_exports.write(tmp_path / "labelme" / "frame_000001.json", '{"shapes": []}')
    box_exports.draw(tmp_path / "cvat" / "images", range(3))
    box_exports.write(tmp_path / "cvat" / "annotations.xml", "<annotations/>")
    for folder, found in (
        ("alone", "found pictures alone"),
        ("labelled", "found folders of pictures without them .for labels without boxes: --task classification"),
        ("masked", "found pictures with masks"),
        ("labelme", "found labelme's JSON .frame_000001.json."),
        ("cvat", "found CVAT's annotations.xml"),
    ):
        with pytest.raises(DataError, match=found):
            qat.load_box_folder(tmp_path / folder)


def devkit(root: Path) -> Path:
    """VOC's own layout; the folder of its lists."""
    box_exports.voc_devkit(root)
    return root / "VOCdevkit" / "VOC2012" / "ImageSets" / "Main"


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("frame_000000\nframe_000000\n", "line 2 of .*train.txt, found it listed twice"),
        ("frame_000000\nframe_000077\n", "for frame_000077 of line 2 of .*train.txt, found none"),
        ("frame_000001\nframe_000008\n", "frame_000008.png once in .*found it twice"),  # val.txt has it
        ("\n", "expected boxes to learn from"),
    ],
)
def test_faulty_lists_of_voc_are_refused_by_file_and_line(tmp_path: Path, train: str, message: str) -> None:
    (devkit(tmp_path) / "train.txt").write_text(train)
    with pytest.raises(DataError, match=message):
        qat.load_box_folder(tmp_path)


def test_entries_of_vocs_lists_may_have_suffixes_quotes_marks_and_blank_lines(tmp_path: Path) -> None:
    text = '\ufeff"frame_000000"\r\n\r\nJPEGImages/frame_000001.png\r\nFRAME_000002 1\r\n'
    (devkit(tmp_path) / "train.txt").write_bytes(text.encode())
    train, validation = check_scenes(qat.load_box_folder(tmp_path))
    assert (train, validation) == ({0, 1, 2}, set(VALIDATION))


def test_vocs_trainval_is_parted_where_train_is_not_listed(tmp_path: Path) -> None:
    lists = devkit(tmp_path)
    for name in ("train.txt", "val.txt"):
        (lists / name).unlink()
    pictures = qat.load_box_folder(tmp_path)
    assert (len(pictures.train), len(pictures.validation)) == (8, 2)


def test_a_label_that_is_held_out_alone_is_refused(tmp_path: Path) -> None:
    box_exports.voc_roboflow(tmp_path)
    file = tmp_path / "valid" / "frame_000008.xml"
    file.write_text(file.read_text().replace("person", "dog"))
    with pytest.raises(DataError, match=r"object 1 of .*frame_000008\.xml, found dog"):
        qat.load_box_folder(tmp_path)


def test_pictures_in_folders_and_two_data_sets_beside_each_other(tmp_path: Path) -> None:
    for year in ("VOC2007", "VOC2012"):
        box_exports.voc_label_studio(tmp_path / "kit" / year)
    with pytest.raises(DataError, match=r"expected a train split in .*found: VOC2007, VOC2012"):
        qat.load_box_folder(tmp_path / "kit")
    box_exports.yolo_label_studio(tmp_path / "flat")
    for kind in ("images", "labels"):
        (tmp_path / "flat" / kind).rename(tmp_path / kind)
        (tmp_path / "deep" / kind).mkdir(parents=True)
        (tmp_path / kind).rename(tmp_path / "deep" / kind / "monday")
    (tmp_path / "flat" / "classes.txt").rename(tmp_path / "deep" / "classes.txt")
    assert len(check_scenes(qat.load_box_folder(tmp_path / "deep"))[0]) == 8


@pytest.mark.parametrize(
    ("train", "names"),
    [
        ("images/train/", "['car', 'person']"),
        ("./images/train", "{'0': car, '1': person}"),
        ("[images/train]", "{1: person, 0: car}"),
        ("/content/street/images/train", "[car, person]"),
        ("C:\\Users\\me\\street\\Images\\Train", "[car, person]"),
        ("street/images/train", "[car, person]"),
        ("../images/train", "[car, person]"),
    ],
)
@pytest.mark.parametrize("base", ["", "path: /content/street\n", "path: ../datasets/street\n", "path: .\n"])
def test_paths_and_names_of_data_yaml_are_understood_as_tools_write_them(
    tmp_path: Path, train: str, names: str, base: str
) -> None:
    root = tmp_path / "street"
    box_exports.yolo_ultralytics(root)
    (root / "data.yaml").write_text(f"{base}train: {train}\nval: images/val\nnames: {names}\n")
    assert check_scenes(qat.load_box_folder(root)) == (set(TRAIN), set(VALIDATION))


def test_boxes_of_fewer_labels_in_another_order_are_counted_as_the_contract_counts(tmp_path: Path) -> None:
    box_exports.voc_labelimg(tmp_path)
    pictures = qat.load_box_folder(tmp_path)
    contract = Contract(name="street", task="detection", labels=("person", "bus", "car"), detection=DetectionSpec())
    counted = Detection().in_order_of(contract, pictures)
    assert counted.labels == contract.labels
    for one, other in zip(pictures.train.truths, counted.train.truths, strict=True):
        names = [
            [labels[label] for label in truth.labels] for labels, truth in ((LABELS, one), (counted.labels, other))
        ]
        assert names[0] == names[1]
    with pytest.raises(DataError, match="found others: car, person"):
        Detection().in_order_of(contract.model_copy(update={"labels": ("person", "bus")}), pictures)
