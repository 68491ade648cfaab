"""Recognizes data sets of detection and segmentation, and lists of labels beside pictures, and refuses them."""

import re
from pathlib import Path

from mobile_sdk.errors import DataError
from qat.data.folders.listing import LAYOUT_HINT, Folder, counted, no_pictures, printable

_EXPECTED = "expected pictures in a folder for each label in"
FOR_BOXES = "for boxes: --task detection, or qat.load_box_folder"
_FOR_MASKS = "for what every pixel shows: --task segmentation"
_COCO = re.compile(r".*coco.*\.json|instances_.*\.json|annotations?\.json|.*_annotations\.json")
_PICTURES = frozenset(("images", "image", "imgs", "img", "jpegimages", "leftimg8bit", "inputs"))
_ANNOTATIONS = frozenset(("annotations", "annotation", "labels", "xml", "xmls", "imagesets", "bboxes", "boxes"))
_MASKS = frozenset(
    ("masks", "mask", "segmentationclass", "segmentationobject", "gtfine", "gtcoarse", "trimaps", "segmentations")
)
_LISTS = (".csv", ".tsv", ".json", ".jsonl", ".mat", ".xlsx", ".parquet")


def check_no_other_task(folder: Folder) -> None:
    """Raises DataError, which names the layout, if the folder's own entries are another task's data set."""
    if found := other_task(folder):
        layout, hint = found
        raise DataError(f"expected pictures in a folder for each label in {folder.path}, found {layout}", hint=hint)


def other_task(folder: Folder) -> tuple[str, str] | None:
    """Returns the layout of another task's data set that the folder's own entries show, and a hint for it."""
    names = {each.name.lower(): each for each in folder.folders}
    annotations = [each for name, each in names.items() if name in _ANNOTATIONS]
    own, below = folder.others, [file for each in annotations for file in each.all_others()]
    if any(_COCO.fullmatch(file.name.lower()) for file in (*own, *below)):
        return "a COCO data set", FOR_BOXES
    if {"jpegimages", "segmentationclass"} <= names.keys():
        boxes = f"; {FOR_BOXES}" if _has(below, ".xml") else ""
        return "a PASCAL VOC data set with masks", f"{_FOR_MASKS}{boxes}"
    if _has(below, ".xml") or "jpegimages" in names or _beside(folder, ".xml"):
        return "a PASCAL VOC data set", FOR_BOXES
    if (_has(below, ".txt") and _PICTURES & set(names)) or _beside(folder, ".txt"):
        return "a YOLO data set", FOR_BOXES
    if _PICTURES & set(names) and (_MASKS | _ANNOTATIONS) & {each.name.lower() for each in folder.filled()}:
        return "pictures with masks", f"{_FOR_MASKS}; else move the masks away"
    if any(file.name.lower() == "_classes.csv" for file in own) and _drawn_beside(folder):
        return "pictures with masks", _FOR_MASKS
    return None


def found_flat(folder: Folder, splits: str) -> DataError:
    """Returns the error for pictures without folders of labels, in `folder` itself or in its `splits`."""
    check_no_other_task(folder)
    places = [each for each in folder.filled() if not each.filled()] or [folder]
    for place in places:
        check_no_other_task(place)
    pictures = sum(len(place.pictures) for place in places)
    lists = lists_beside(folder)
    where = f" in {splits}" if splits else ""
    if not pictures:
        return no_pictures(folder)
    hint = LAYOUT_HINT
    if lists:
        hint = f"if {printable(lists[0].name)} says their labels, move each picture into a folder named after its label"
    return DataError(f"{_EXPECTED} {folder.path}, found {counted(pictures, 'picture')}{where} without", hint=hint)


def lists_beside(folder: Folder) -> list[Path]:
    """Returns files in `folder`, or among the pictures one folder below, that may list the pictures' labels."""
    below = [each for each in folder.filled() if not each.filled()]
    return [file for place in (folder, *below) for file in place.others if file.suffix.lower() in _LISTS]


def _has(files: list[Path], suffix: str) -> bool:
    return any(file.suffix.lower() == suffix for file in files)


def _beside(folder: Folder, suffix: str) -> bool:
    """Returns whether most of the folder's own pictures have a file of that suffix beside them, by their name."""
    stems = {file.stem for file in folder.others if file.suffix.lower() == suffix}
    return bool(stems) and 2 * sum(file.stem in stems for file in folder.pictures) > len(folder.pictures)


def _drawn_beside(folder: Folder) -> bool:
    """Returns whether masks are beside the folder's own pictures, as NAME_mask.png."""
    return any(file.stem.lower().endswith("_mask") for file in folder.pictures)
