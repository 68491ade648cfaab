"""Folders of pictures as tests lay them out, and what came of loading one."""

from collections.abc import Callable, Iterable
from pathlib import Path

from PIL import Image

from mobile_sdk.errors import SdkError
from qat.data.picture_set import PictureSet

LABELS = ("cat", "dog")
FLAT = [f"{number}.png" for number in range(5)]


def fill(folder: Path, names: Iterable[str], shade: int = 0) -> None:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (shade, number % 256, number // 256)).save(folder / name)


def numbered(count: int, suffix: str = "png") -> list[str]:
    return [f"{number}.{suffix}" for number in range(count)]


def names_of(pictures: PictureSet) -> set[str]:
    return {f"{source.parent.name}/{source.name}" for source in pictures.sources if isinstance(source, Path)}


def lay(root: Path, *places: str, files: list[str] = FLAT) -> None:
    for place in places:
        fill(root, [f"{place}/{name}" for name in files])


def labelled(root: Path, *places: str) -> None:
    """Five pictures of a cat and of a dog in each place."""
    lay(root, *(f"{place}/{label}" for place in places for label in LABELS))


def yolo(root: Path) -> None:
    lay(root, "images/train", "images/val")
    for split in ("train", "val"):
        for name in FLAT:
            (root / "labels" / split).mkdir(parents=True, exist_ok=True)
            (root / "labels" / split / name.replace(".png", ".txt")).write_text("0 0.5 0.5 0.1 0.1")


def darknet(root: Path) -> None:
    lay(root, "train", "valid")
    for split in ("train", "valid"):
        for name in FLAT:
            (root / split / name.replace(".png", ".txt")).write_text("0 0.5 0.5 0.1 0.1")


def voc(root: Path) -> None:
    lay(root, "VOCdevkit/VOC2012/JPEGImages", "VOCdevkit/VOC2012/SegmentationClass")
    for kind, name in (("Annotations", "0.xml"), ("ImageSets", "train.txt")):
        (root / "VOCdevkit" / "VOC2012" / kind).mkdir()
        (root / "VOCdevkit" / "VOC2012" / kind / name).write_text("<annotation/>")


def loaded_or_refused(load: Callable[[Path], object], root: Path) -> object:
    """Returns the result of `load`, or the error with which it refuses the folder: one line and a hint."""
    try:
        return load(root)
    except SdkError as error:
        lines = [error.message, error.hint]
    assert "expected" in lines[0] and all(len(line.splitlines()) == 1 for line in lines)
    return lines
