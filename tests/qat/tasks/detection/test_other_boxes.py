"""Pictures with boxes in formats without a reader are refused by name; what lies beside those with one is no reason."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

import qat
from mobile_sdk.errors import DataError
from tests.support.pictures.box_exports import (
    EVERY,
    coco,
    coco_2017,
    coco_fiftyone,
    draw,
    name,
    rows,
    voc_cvat,
    voc_folders,
    voc_labelimg,
    write,
    xml,
    yolo_cvat,
    yolo_labelimg,
    yolo_ultralytics,
)

KITTI = "Car 0.00 0 -1.58 587.01 173.33 614.12 200.12 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59\n"
CREATEML = '[{"image": "a.png", "annotations": [{"label": "car", "coordinates": {"x": 1, "y": 1}}]}]'


@pytest.mark.parametrize(
    ("pictures", "file", "text", "found"),
    [
        ("images", "labels/frame_000000.json", '{"version": "5.0", "shapes": [{"label": "car"}]}', "labelme's JSON"),
        ("training/image_2", "training/label_2/frame_000000.txt", KITTI, "rows that begin with a name"),
        ("images", "labels/frame_000000.txt", KITTI, "rows that begin with a name"),
        ("", "frame_000000.txt", KITTI, "rows that begin with a name"),
        ("a/Apple", "a/Apple/Label/frame_000000.txt", "Red apple 1.0 2.0 30.0 40.0\n", "rows that begin with a name"),
        ("images", "annotations/frame_000000.txt", "684,8,273,116,0,0,0,0\n", "rows with commas"),
        ("images", "labelTxt/frame_000000.txt", "imagesource:GoogleEarth\ngsd:0.1\n", "DOTA's rows"),
        ("images", "labels/frame_000000.txt", "1.0 2 3 4 5 6 7 8 plane 0\n", "DOTA's rows"),
        ("train", "train/_annotations.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\n", "a table"),
        ("train", "train-annotations-bbox.csv", "ImageID,Source,LabelName,Confidence,XMin\n", "a table"),
        ("train", "train/_annotations.createml.json", CREATEML, "CreateML's JSON"),
        ("WIDER_train/images/0--Parade", "wider_face_split/wider_face_train_bbx_gt.txt", "0--Parade/x.jpg\n", "WIDER"),
        (None, "train/cars.tfrecord", "x", "TFRecords"),
        (None, "data/train-00000-of-00001.parquet", "PAR1", "Parquet"),
        (
            "",
            "via_region_data.json",
            '{"a.png1": {"regions": [{"shape_attributes": {"x": 1}}]}}',
            "VIA's JSON",
        ),
        ("", "f00-asset.json", '{"asset": {"format": "png"}, "regions": []}', "VoTT's JSON"),
        ("ds0/img", "meta.json", '{"classes": [], "tags": []}', "a Supervisely project"),
        ("images", "project-1.json", '[{"id": 1, "annotations": [{"result": []}]}]', "Label Studio's JSON"),
        ("images", "min.json", '[{"image": "/x.png", "label": [{"x": 1}]}]', "Label Studio's JSON"),
        ("data", "samples.json", '{"samples": []}', "FiftyOne's JSON"),
        ("images", "det_train.json", '[{"name": "x.jpg", "labels": [{"box2d": {"x1": 1}}]}]', "BDD100K's JSON"),
        ("train2017", "annotations/person_keypoints_train2017.json", "{}", "COCO's annotations of another task"),
        ("train", "train/metadata.jsonl", '{"file_name": "a.png"}\n', "rows of JSON"),
        ("images", "annotations.zip", "PK", "an archive .annotations.zip. .unpack it there"),
    ],
)
def test_formats_without_a_reader_are_refused_by_name(
    tmp_path: Path, pictures: str | None, file: str, text: str, found: str
) -> None:
    if pictures is not None:
        draw(tmp_path / pictures, EVERY)
    write(tmp_path / file, text)
    with pytest.raises(DataError, match=rf"found {found}") as caught:
        qat.load_box_folder(tmp_path)
    assert Path(file).name in caught.value.message and caught.value.hint


def counts(root: Path) -> tuple[int, int]:
    """Pictures, and boxes."""
    pictures = qat.load_box_folder(root)
    parts = (pictures.train, pictures.validation)
    return sum(map(len, parts)), sum(len(truth.boxes) for part in parts for truth in part.truths)


def test_outlines_are_not_taken_for_another_format(tmp_path: Path) -> None:
    yolo_labelimg(tmp_path)
    write(tmp_path / f"{name(0)}.txt", "1 .1 .1 .5 .1 .5 .5 .1 .5 .1 .3\n")
    assert counts(tmp_path) == (10, 15)


def test_text_files_beside_xml_files_are_no_second_format(tmp_path: Path) -> None:
    voc_folders(tmp_path)
    write(tmp_path / "annotations" / "list.txt", "frame_000000 1 1 1\n")
    assert counts(tmp_path) == (10, 15)


def test_xml_files_may_lie_a_folder_deeper_as_those_of_the_oxford_pets_do(tmp_path: Path) -> None:
    draw(tmp_path / "images", EVERY)
    for number in range(5):
        write(tmp_path / "annotations" / "xmls" / f"{name(number)}.xml", xml(number))
    assert counts(tmp_path) == (5, 7)


def test_a_data_set_a_folder_below_may_have_files_beside_it(tmp_path: Path) -> None:
    draw(tmp_path / "one" / "data", EVERY)  # FiftyOne's YOLOv4
    for number in EVERY:
        write(tmp_path / "one" / "data" / f"{name(number)}.txt", rows(number))
    write(tmp_path / "one" / "obj.names", "car\nperson")
    write(tmp_path / "one" / "images.txt", "".join(f"data/{name(number)}.png\n" for number in EVERY))
    voc_labelimg(tmp_path / "two" / "street")
    write(tmp_path / "two" / "README.md", "street")
    yolo_ultralytics(tmp_path / "three" / "street")
    write(tmp_path / "three" / "street.zip", "PK")
    coco_2017(tmp_path / "four" / "street")
    write(tmp_path / "four" / "README.dataset.txt", "street")
    write(tmp_path / "four" / "LICENSE", "free")
    for each in ("one", "two", "three", "four"):
        assert counts(tmp_path / each) == (10, 15)


def test_names_composed_otherwise_belong_together(tmp_path: Path) -> None:
    for number in range(4):
        draw(tmp_path, [number])
        (tmp_path / f"{name(number)}.png").rename(tmp_path / unicodedata.normalize("NFD", f"é{number}.png"))
        write(tmp_path / f"é{number}.xml", xml(number))
    assert counts(tmp_path) == (4, 6)


def test_boxes_in_shares_where_pixels_are_expected_are_refused(tmp_path: Path) -> None:
    coco_fiftyone(tmp_path)
    said: dict[str, Any] = json.loads(coco(EVERY))
    for each in said["annotations"]:
        left, top, width, height = each["bbox"]
        each["bbox"] = [left / 80, top / 60, width / 80, height / 60]
    (tmp_path / "labels.json").write_text(json.dumps(said))
    with pytest.raises(DataError, match=r"expected boxes in pixels .* found shares of the pictures"):
        qat.load_box_folder(tmp_path)


def test_numbers_of_yaml_are_names_as_they_are_written(tmp_path: Path) -> None:
    yolo_ultralytics(tmp_path)
    write(tmp_path / "data.yaml", "train: images/train\nval: images/val\nnc: '2'\nnames: [007, 1:30]\n")
    assert qat.load_box_folder(tmp_path).labels == ("007", "1:30")


def test_a_list_of_another_split_alone_is_not_learned_from(tmp_path: Path) -> None:
    voc_cvat(tmp_path)
    lists = tmp_path / "ImageSets" / "Main"
    (lists / "default.txt").rename(lists / "test.txt")
    with pytest.raises(DataError, match=r"expected a list train.txt in .*, found test.txt"):
        qat.load_box_folder(tmp_path)


def test_what_darknets_file_names_in_vain_is_said_with_its_name(tmp_path: Path) -> None:
    yolo_cvat(tmp_path)
    (tmp_path / "train.txt").unlink()
    with pytest.raises(DataError, match=r"that .*obj.data names, found nothing at data/train.txt"):
        qat.load_box_folder(tmp_path)
