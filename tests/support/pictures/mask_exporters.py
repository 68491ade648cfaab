"""Pictures with masks as exporters write them: the same scenes, in the layout of each tool."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.tasks.segmentation import VOID
from qat.data.masks.pictures import SegmentationPictures

LABELS = ("background", "car", "tree")
COLOURS = {0: (0, 0, 0), 1: (128, 0, 64), 2: (10, 200, 30), VOID: (224, 224, 192)}
VOCS = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), VOID: (224, 224, 192)}
Mask = NDArray[np.uint8]


def scene(seed: int) -> tuple[NDArray[np.uint8], Mask]:
    """A picture of 12 × 10 px and what its pixels show; every label and void are somewhere in it."""
    random = np.random.default_rng(seed)
    mask = np.zeros((10, 12), np.uint8)
    mask[2:6, 1 + seed % 4 : 6], mask[5:9, 7:], mask[0, :3] = 1, 2, VOID
    return random.integers(0, 256, (10, 12, 3), np.uint8), mask


SCENES = tuple(scene(seed) for seed in range(5))


def save(pixels: NDArray[np.uint8], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


def save_palette(mask: Mask, file: Path, colours: Mapping[int, tuple[int, int, int]] = VOCS) -> None:
    """As VOC and labelme write masks: numbers, and a palette that shows them in VOC's colours."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(mask).convert("L")
    image.putpalette([value for index in range(256) for value in colours.get(index, (index, 0, 255))])
    image.save(file)


def save_colours(mask: Mask, file: Path) -> None:
    """As CVAT writes masks: three channels."""
    rgb = np.zeros((*mask.shape, 3), np.uint8)
    for label, colour in COLOURS.items():
        rgb[mask == label] = colour
    save(rgb, file)


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def plain(root: Path, names: Sequence[str] = "abcde") -> None:
    for name, (picture, mask) in zip(names, SCENES, strict=True):
        save(picture, root / "images" / f"{name}.png")
        save(mask, root / "masks" / f"{name}.png")
    write(root / "labels.txt", "\n".join(LABELS) + "\n")


def voc(root: Path, names: Sequence[str] = "abcde") -> None:
    """VOC2012's kit: boxes' annotations and instances' masks lie beside."""
    home = root / "VOCdevkit" / "VOC2012"
    for name, (picture, mask) in zip(names, SCENES, strict=True):
        save(picture, home / "JPEGImages" / f"{name}.png")
        save_palette(mask, home / "SegmentationClass" / f"{name}.png")
        save_palette(mask, home / "SegmentationObject" / f"{name}.png")
        write(home / "Annotations" / f"{name}.xml", "<annotation/>")
    save(SCENES[0][0], home / "JPEGImages" / "boxes_only.png")
    parts = {"train": names[:3], "val": names[3:], "trainval": names}
    for part, own in parts.items():
        write(home / "ImageSets" / "Segmentation" / f"{part}.txt", "".join(f"{name}\n" for name in own))
        write(home / "ImageSets" / "Main" / f"{part}.txt", "".join(f"{name}\n" for name in own))


def cvat(root: Path, names: Sequence[str] = "abcde") -> None:
    """CVAT's "Segmentation mask 1.1" with pictures: one list, labels in any order."""
    for name, (picture, mask) in zip(names, SCENES, strict=True):
        save(picture, root / "JPEGImages" / f"{name}.png")
        save_colours(mask, root / "SegmentationClass" / f"{name}.png")
        save_colours(mask, root / "SegmentationObject" / f"{name}.png")
    lines = [f"{label}:{','.join(map(str, COLOURS[index]))}::" for index, label in enumerate(LABELS)]
    write(root / "labelmap.txt", "# label:color_rgb:parts:actions\n" + "\n".join(lines) + "\n")
    quoted = (f'"{name}"' if " " in name else name for name in names)
    write(root / "ImageSets" / "Segmentation" / "default.txt", "".join(f"{name}\n" for name in quoted))


def labelme(root: Path, names: Sequence[str] = "abcde") -> None:
    """labelme2voc.py of labelme 4: arrays in SegmentationClass, PNGs in SegmentationClassPNG."""
    for name, (picture, mask) in zip(names, SCENES, strict=True):
        save(picture, root / "JPEGImages" / f"{name}.png")
        save_palette(mask, root / "SegmentationClassPNG" / f"{name}.png")
        save(picture, root / "SegmentationClassVisualization" / f"{name}.jpg")
        array = io.BytesIO()
        np.save(array, np.where(mask == VOID, -1, mask).astype(np.int32))
        (root / "SegmentationClass").mkdir(exist_ok=True)
        (root / "SegmentationClass" / f"{name}.npy").write_bytes(array.getvalue())
    write(root / "class_names.txt", "\n".join(LABELS))


def labelme_5(root: Path, names: Sequence[str] = "abcde") -> None:
    """labelme2voc.py of labelme 5: PNGs in SegmentationClass, arrays in SegmentationClassNpy."""
    labelme(root, names)
    (root / "SegmentationClass").rename(root / "SegmentationClassNpy")
    (root / "SegmentationClassPNG").rename(root / "SegmentationClass")


def roboflow(root: Path, names: Sequence[str] = "abcde") -> None:
    """Roboflow's "Semantic Segmentation Masks"."""
    for part, own in {"train": range(3), "valid": range(3, 5), "test": range(1)}.items():
        for index in own:
            picture, mask = SCENES[index]
            stem = f"{names[index]}_png.rf.0123456789abcdef"
            save(picture, root / part / f"{stem}.png")
            save(mask, root / part / f"{stem}_mask.png")
        lines = [f" {index}, {label}" for index, label in enumerate(LABELS)]
        write(root / part / "_classes.csv", "Pixel Value, Class\n" + "\n".join(lines) + "\n")
    write(root / "README.roboflow.txt", "exported\n")


EXPORTERS: dict[str, Callable[..., None]] = {
    each.__name__: each for each in (plain, voc, cvat, labelme, labelme_5, roboflow)
}


def check_scenes(pictures: SegmentationPictures, count: int = len(SCENES)) -> None:
    """Every scene is in one part, with its own mask."""
    masks = {picture.tobytes(): mask for picture, mask in SCENES}
    found = [
        pair for part in (pictures.train, pictures.validation) for pair in zip(part.sources, part.truths, strict=True)
    ]
    assert len({picture.tobytes() for picture, _ in found}) == len(found) == count
    assert all(np.array_equal(mask, masks[picture.tobytes()]) for picture, mask in found)
