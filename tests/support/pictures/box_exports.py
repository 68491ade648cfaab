"""Writes one set of pictures with boxes as each tool exports them: COCO's, PASCAL VOC's and YOLO's formats."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from qat.data.boxes.pictures import DetectionPictures

WIDTH, HEIGHT = 80, 60
LABELS = ("car", "person")
Boxes = tuple[tuple[str, tuple[int, int, int, int]], ...]
SCENES: tuple[Boxes, ...] = tuple(
    (("person", (4 + n, 6, 24 + n, 46)), ("car", (40, 10 + n, 70, 30 + n)))[: 1 + n % 2] for n in range(10)
)
"""By picture, its boxes: left, top, right, bottom."""

TRAIN, VALIDATION = range(7), range(7, 10)
EVERY = range(10)


def name(number: int) -> str:
    return f"frame_{number:06d}"


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def draw(folder: Path, numbers: Iterable[int], suffix: str = "png") -> None:
    """Pictures that are told apart by the colour of their first pixel."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        pixels = np.full((HEIGHT, WIDTH, 3), 20 * number, np.uint8)
        Image.fromarray(pixels).save(folder / f"{name(number)}.{suffix}")


def coco(
    numbers: Iterable[int], *, file_name: str = "{}.png", first: int = 1, fields: Mapping[str, object] = {}
) -> str:
    """A file of COCO's; identities count from `first`."""
    images, annotations = [], []
    for number in numbers:
        sides = {"width": WIDTH, "height": HEIGHT}
        images.append({"id": first + number, "file_name": file_name.format(name(number)), **sides})
        for label, (left, top, right, bottom) in SCENES[number]:
            annotations.append(
                {
                    "id": first + len(annotations),
                    "image_id": first + number,
                    "category_id": first + LABELS.index(label),
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "segmentation": [],
                    "iscrowd": 0,
                    **fields,
                }
            )
    categories = [{"id": first + index, "name": label, "supercategory": ""} for index, label in enumerate(LABELS)]
    return json.dumps(
        {"info": {}, "licenses": [], "images": images, "categories": categories, "annotations": annotations}
    )


def coco_2017(root: Path) -> None:
    for split, numbers in (("train2017", TRAIN), ("val2017", VALIDATION)):
        draw(root / split, numbers)
        write(root / "annotations" / f"instances_{split}.json", coco(numbers))
        write(root / "annotations" / f"captions_{split}.json", '{"images": [], "annotations": []}')
        write(root / "annotations" / f"person_keypoints_{split}.json", coco(numbers))


def coco_roboflow(root: Path) -> None:
    for split, numbers in (("train", TRAIN), ("valid", VALIDATION), ("test", TRAIN)):
        draw(root / split, numbers)
        said = json.loads(coco(numbers))
        said["categories"].insert(0, {"id": 0, "name": "street-7Xk2", "supercategory": "none"})
        for category in said["categories"][1:]:
            category["supercategory"] = "street-7Xk2"
        write(root / split / "_annotations.coco.json", json.dumps(said))
    write(root / "README.roboflow.txt", "street - v1")


def coco_cvat(root: Path) -> None:
    draw(root / "images", EVERY)
    write(root / "annotations" / "instances_default.json", coco(EVERY, fields={"attributes": {"occluded": False}}))


def coco_cvat_subset(root: Path) -> None:
    draw(root / "images" / "default", EVERY)
    write(root / "annotations" / "instances_default.json", coco(EVERY))


def coco_label_studio(root: Path) -> None:
    draw(root / "images", EVERY)
    write(root / "result.json", coco(EVERY, file_name="images\\{}.png", first=0, fields={"ignore": 0}))


def coco_fiftyone(root: Path) -> None:
    draw(root / "data", EVERY)
    write(root / "labels.json", coco(EVERY))


def coco_split_files(root: Path) -> None:
    draw(root / "images", EVERY)
    write(root / "train.json", coco(TRAIN, file_name="/content/data/{}.png"))
    write(root / "val.json", coco(VALIDATION, file_name="/content/data/{}.png"))


def xml(number: int, *, suffix: str = "png", database: str = "Unknown", shift: int = 0, size: bool = True) -> str:
    """A file of PASCAL VOC's; VOC's own count pixels from 1, `shift`."""
    objects = "".join(
        f"""
    <object>
        <name>{label}</name>
        <pose>Unspecified</pose>
        <truncated>0</truncated>
        <difficult>0</difficult>
        <bndbox>
            <xmin>{left + shift}</xmin>
            <ymin>{top + shift}</ymin>
            <xmax>{right}</xmax>
            <ymax>{bottom}</ymax>
        </bndbox>
    </object>"""
        for label, (left, top, right, bottom) in SCENES[number]
    )
    sides = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>" if size else ""
    return f"""<annotation>
    <folder>street</folder>
    <filename>{name(number)}.{suffix}</filename>
    <path>C:\\Users\\me\\street\\{name(number)}.{suffix}</path>
    <source><database>{database}</database></source>
    {sides}
    <segmented>0</segmented>{objects}
</annotation>
"""


def voc_devkit(root: Path) -> None:
    home = root / "VOCdevkit" / "VOC2012"
    draw(home / "JPEGImages", EVERY)
    for number in EVERY:
        write(home / "Annotations" / f"{name(number)}.xml", xml(number, database="The VOC2008 Database", shift=1))
    for file, numbers in (("train", TRAIN), ("val", VALIDATION), ("trainval", EVERY)):
        write(home / "ImageSets" / "Main" / f"{file}.txt", "".join(f"{name(number)}\n" for number in numbers))
        rows = "".join(f"{name(number)} {-1 if number % 2 else 1}\n" for number in numbers)
        write(home / "ImageSets" / "Main" / f"car_{file}.txt", rows)
    draw(home / "SegmentationClass", [0])


def voc_labelimg(root: Path) -> None:
    draw(root, EVERY)
    for number in EVERY:
        write(root / f"{name(number)}.xml", xml(number))


def voc_folders(root: Path) -> None:
    draw(root / "images", EVERY)
    for number in EVERY:
        write(root / "annotations" / f"{name(number)}.xml", '<?xml version="1.0" ?>\n' + xml(number))


def voc_roboflow(root: Path) -> None:
    for split, numbers in (("train", TRAIN), ("valid", VALIDATION), ("test", TRAIN)):
        draw(root / split, numbers)
        for number in numbers:
            write(root / split / f"{name(number)}.xml", xml(number, database="roboflow.com"))


def voc_cvat(root: Path) -> None:
    draw(root / "JPEGImages", EVERY)
    for number in EVERY:
        write(root / "Annotations" / f"{name(number)}.xml", xml(number))
    write(root / "ImageSets" / "Main" / "default.txt", "".join(f"{name(number)}\n" for number in EVERY))
    write(root / "labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncar:1,2,3::\nperson:4,5,6::\n")


def voc_label_studio(root: Path) -> None:
    draw(root / "images", EVERY)
    for number in EVERY:
        write(root / "Annotations" / f"{name(number)}.xml", xml(number, database="MyDatabase"))


def rows(number: int) -> str:
    """A file of YOLO's."""
    return "".join(
        f"{LABELS.index(label)} {(left + right) / 2 / WIDTH:.6f} {(top + bottom) / 2 / HEIGHT:.6f} "
        f"{(right - left) / WIDTH:.6f} {(bottom - top) / HEIGHT:.6f}\n"
        for label, (left, top, right, bottom) in SCENES[number]
    )


def outlines(number: int) -> str:
    """Returns the boxes as outlines of four corners, as a segmenter's data set has them."""
    return "".join(
        f"{LABELS.index(label)} {left / WIDTH} {top / HEIGHT} {right / WIDTH} {top / HEIGHT} "
        f"{right / WIDTH} {bottom / HEIGHT} {left / WIDTH} {bottom / HEIGHT}\n"
        for label, (left, top, right, bottom) in SCENES[number]
    )


def yolo_ultralytics(root: Path) -> None:
    for split, numbers in (("train", TRAIN), ("val", VALIDATION)):
        draw(root / "images" / split, numbers)
        for number in numbers:
            write(root / "labels" / split / f"{name(number)}.txt", rows(number))
    text = "path: ../datasets/street  # dataset root dir\ntrain: images/train\nval: images/val\ntest:\n\nnames:\n"
    write(root / "data.yaml", text + "  0: car\n  1: person\n")


def yolo_outlines(root: Path) -> None:
    yolo_ultralytics(root)
    for split, numbers in (("train", TRAIN), ("val", VALIDATION)):
        for number in numbers:
            write(root / "labels" / split / f"{name(number)}.txt", outlines(number))


def yolo_roboflow(root: Path) -> None:
    for split, numbers in (("train", TRAIN), ("valid", VALIDATION), ("test", TRAIN)):
        draw(root / split / "images", numbers)
        for number in numbers:
            write(root / split / "labels" / f"{name(number)}.txt", rows(number).rstrip())
    text = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\nnames: ['car', 'person']\n"
    write(root / "data.yaml", text + "\nroboflow:\n  workspace: me\n  version: 1\n")


def yolo_roboflow_darknet(root: Path) -> None:
    for split, numbers in (("train", TRAIN), ("valid", VALIDATION)):
        draw(root / split, numbers)
        for number in numbers:
            write(root / split / f"{name(number)}.txt", rows(number))
        write(root / split / "_darknet.labels", "car\nperson\n")


def yolo_cvat(root: Path) -> None:
    draw(root / "obj_train_data", EVERY, "PNG")
    for number in EVERY:
        write(root / "obj_train_data" / f"{name(number)}.txt", rows(number))
    write(root / "obj.data", "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n")
    write(root / "obj.names", "car\nperson\n")
    write(root / "train.txt", "".join(f"data/obj_train_data/{name(number)}.PNG\n" for number in EVERY))


def yolo_cvat_ultralytics(root: Path) -> None:
    draw(root / "images" / "train", EVERY)
    for number in EVERY:
        write(root / "labels" / "train" / f"{name(number)}.txt", rows(number))
    write(root / "train.txt", "".join(f"data/images/train/{name(number)}.png\n" for number in EVERY))
    write(root / "data.yaml", "names:\n  0: car\n  1: person\npath: .\ntrain: train.txt\n")


def yolo_label_studio(root: Path) -> None:
    draw(root / "images", EVERY)
    for number in EVERY:
        write(root / "labels" / f"{name(number)}.txt", rows(number))
    write(root / "classes.txt", "car\nperson\n")
    write(root / "notes.json", '{"categories": [{"id": 0, "name": "car"}], "info": {"year": 2026}}')


def yolo_labelimg(root: Path) -> None:
    draw(root, EVERY)
    for number in EVERY:
        write(root / f"{name(number)}.txt", rows(number))
    write(root / "classes.txt", "car\nperson\n")


PARTED = (
    *(coco_2017, coco_roboflow, coco_split_files, voc_devkit, voc_roboflow),
    *(yolo_ultralytics, yolo_outlines, yolo_roboflow, yolo_roboflow_darknet),
)
WHOLE = (
    *(coco_cvat, coco_cvat_subset, coco_label_studio, coco_fiftyone, voc_labelimg, voc_folders, voc_cvat),
    *(voc_label_studio, yolo_cvat, yolo_cvat_ultralytics, yolo_label_studio, yolo_labelimg),
)


def one_by_one(pictures: DetectionPictures) -> list[tuple[str, list[float], bool]]:
    """All boxes, which are within their pictures and have an area: label, sides, whether ignored."""
    found = []
    for part in (pictures.train, pictures.validation):
        for source, truth in zip(part.sources, part.truths, strict=True):
            height, width = source.shape[:2]
            assert truth.boxes.shape == (len(truth.labels), 4) and truth.is_ignored.shape == truth.labels.shape
            assert np.isfinite(truth.boxes).all() and (truth.boxes >= 0).all()
            assert (truth.boxes <= [width, height, width, height]).all()
            assert (truth.boxes[:, 2:] > truth.boxes[:, :2]).all()
            names = [pictures.labels[label] for label in truth.labels]
            found += list(zip(names, truth.boxes.tolist(), truth.is_ignored.tolist(), strict=True))
    return found
