"""Writes small sets of pictures with labels, boxes and masks, in each format and layout that the SDK reads."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

import qat
from mobile_sdk.preprocess import open_picture

COUNT, WIDTH, HEIGHT = 6, 40, 30
LABELS = ("car", "tree")
BOX = (4, 6, 24, 26)  # left, top, right, bottom


def write_classes(folder: Path) -> None:
    """Writes a folder of pictures for each label."""
    for index in range(2 * COUNT):
        _save(_picture(index), folder / LABELS[index % 2] / f"{index}.png")


def write_shards(folder: Path) -> None:
    """Writes the same pictures as shards."""
    write_classes(folder / "classes")
    qat.write_shards(qat.load_folder(folder / "classes"), folder / "shards")


def write_coco(folder: Path) -> None:
    """Writes COCO's format."""
    _pictures(folder / "images")
    images = [{"id": n, "file_name": f"{n}.png", "width": WIDTH, "height": HEIGHT} for n in range(COUNT)]
    left, top, right, bottom = BOX
    annotations = [
        {"id": n, "image_id": n, "category_id": n % 2, "bbox": [left, top, right - left, bottom - top], "iscrowd": 0}
        for n in range(COUNT)
    ]
    categories = [{"id": n, "name": label, "supercategory": ""} for n, label in enumerate(LABELS)]
    content = {"images": images, "categories": categories, "annotations": annotations}
    _write(folder / "annotations" / "instances_default.json", json.dumps(content))


def write_voc(folder: Path) -> None:
    """Writes PASCAL VOC's format."""
    _pictures(folder / "JPEGImages")
    sides = "".join(
        f"<{name}>{side}</{name}>" for name, side in zip(("xmin", "ymin", "xmax", "ymax"), BOX, strict=True)
    )
    for n in range(COUNT):
        size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
        shown = f"<object><name>{LABELS[n % 2]}</name><difficult>0</difficult><bndbox>{sides}</bndbox></object>"
        text = f"<annotation><filename>{n}.png</filename>{size}{shown}</annotation>\n"
        _write(folder / "Annotations" / f"{n}.xml", text)
    for part, numbers in (("train", range(4)), ("val", range(4, COUNT))):
        _write(folder / "ImageSets" / "Main" / f"{part}.txt", "".join(f"{n}\n" for n in numbers))


def write_yolo(folder: Path) -> None:
    """Writes YOLO's format."""
    _write(folder / "data.yaml", f"train: images/train\nval: images/val\nnc: 2\nnames: [{', '.join(LABELS)}]\n")
    for part, numbers in (("train", range(4)), ("val", range(4, COUNT))):
        for n in numbers:
            _save(_picture(n), folder / "images" / part / f"{n}.png")
            _write(folder / "labels" / part / f"{n}.txt", f"{n % 2} 0.35 0.5 0.5 0.6\n")


def write_masks(folder: Path) -> None:
    """Writes masks in the SDK's own layout."""
    for n in range(COUNT):
        _save(_picture(n), folder / "images" / f"{n}.png")
        _save(_mask(n), folder / "masks" / f"{n}.png")
    _write(folder / "labels.txt", "\n".join(LABELS) + "\n")


def write_voc_masks(folder: Path) -> None:
    """Writes masks as CVAT's "Segmentation mask 1.1" does: colours, which a list names."""
    colours = np.array([[0, 0, 0], [128, 0, 64]], np.uint8)
    for n in range(COUNT):
        _save(_picture(n), folder / "JPEGImages" / f"{n}.png")
        _save(colours[_mask(n)], folder / "SegmentationClass" / f"{n}.png")
    lines = [f"{label}:{','.join(map(str, colours[n]))}::\n" for n, label in enumerate(LABELS)]
    _write(folder / "labelmap.txt", "# label:color_rgb:parts:actions\n" + "".join(lines))
    _write(folder / "ImageSets" / "Segmentation" / "default.txt", "".join(f"{n}\n" for n in range(COUNT)))


def write_roboflow_masks(folder: Path) -> None:
    """Writes masks as Roboflow's "Semantic Segmentation Masks" does."""
    for part, numbers in (("train", range(4)), ("valid", range(4, COUNT))):
        for n in numbers:
            _save(_picture(n), folder / part / f"{n}.png")
            _save(_mask(n), folder / part / f"{n}_mask.png")
        lines = [f" {n}, {label}\n" for n, label in enumerate(LABELS)]
        _write(folder / part / "_classes.csv", "Pixel Value, Class\n" + "".join(lines))


def write_labels(folder: Path) -> None:
    """Writes lists of labels, as text and as JSON."""
    _write(folder / "labels.txt", "\n".join(LABELS) + "\n")
    _write(folder / "labels.json", json.dumps(dict(enumerate(LABELS))))


def write_pictures(folder: Path) -> None:
    """Writes a picture in each mode of each format that Pillow writes here and reads again."""
    folder.mkdir(parents=True)
    Image.init()
    picture = Image.fromarray(_picture(1))
    for name in sorted(Image.SAVE.keys() & Image.OPEN.keys()):
        for mode in ("RGB", "RGBA", "L", "P", "1", "I;16", "CMYK", "F"):
            file = folder / f"{name}-{mode.replace(';', '')}".lower()
            try:
                _in_mode(picture, mode).save(file, format=name)
                open_picture(file)
            except Exception:  # noqa: BLE001 - a format without that mode refuses it, each in its own way
                file.unlink(missing_ok=True)


SETS: Mapping[str, Callable[[Path], None]] = {
    "classes": write_classes,
    "shards": write_shards,
    "coco": write_coco,
    "voc": write_voc,
    "yolo": write_yolo,
    "masks": write_masks,
    "voc masks": write_voc_masks,
    "roboflow masks": write_roboflow_masks,
    "labels": write_labels,
    "pictures": write_pictures,
}


def _in_mode(picture: Image.Image, mode: str) -> Image.Image:
    return picture.convert("I").convert("I;16") if mode == "I;16" else picture.convert(mode)


def _picture(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def _mask(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[6:20, 4 + seed : 24] = 1
    return mask


def _pictures(folder: Path) -> None:
    for n in range(COUNT):
        _save(_picture(n), folder / f"{n}.png")


def _save(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
