"""Recognizes layouts of pictures with masks that have no reader, and says how to convert them."""

import re
from collections.abc import Callable

from mobile_sdk.errors import DataError
from qat.data.folders.annotated import laid_out_otherwise
from qat.data.folders.listing import Folder, first_bytes, no_pictures
from qat.data.masks.formats.plain import HINT, LABELS, MASKS, PICTURES

_LABEL_STUDIO = re.compile(r"task-\d+-annotation-\d+.*\.png")
_OF_PICTURES = re.compile("_?(masks?|labels|annot)$")  # train_masks of Carvana, trainannot of CamVid, beside train
_FOR_MASKS = frozenset(
    ("annotations", "annotation", "annot", "labels", "label", "mask", "gt", "segmentations", "segmentation", "trimaps")
)


def no_masks(folder: Folder) -> DataError:
    """Returns the error for a folder that no reader takes: which layout it has, or what is missing."""
    if not folder.holds_pictures():
        return no_pictures(folder)
    for place in (folder, *folder.folders):
        for shows, found, hint in _LAYOUTS:
            if shows(place):
                return DataError(f"expected pictures with masks in {place.path}, found {found}", hint=hint)
    names = _folders(folder)
    missing = next((name for name in (PICTURES, MASKS) if name not in names), MASKS)
    return laid_out_otherwise((folder, *folder.folders), f"a folder {missing} in {folder.path}", "none", HINT)


def _folders(folder: Folder) -> dict[str, Folder]:
    return {each.name.lower(): each for each in folder.folders}


def _has(file: str) -> Callable[[Folder], bool]:
    return lambda folder: any(each.name.lower() == file for each in folder.others)


def _is_supervisely(folder: Folder) -> bool:
    return _has("meta.json")(folder) and any({"img", "ann"} <= _folders(each).keys() for each in folder.folders)


def _is_label_studio(folder: Folder) -> bool:
    return any(_LABEL_STUDIO.fullmatch(file.name) for file in folder.pictures)


def _has_no_pictures(folder: Folder) -> bool:
    return "segmentationclass" in _folders(folder) and "jpegimages" not in _folders(folder)


def _lies_beside(folder: Folder) -> bool:
    """Returns whether a folder is named as another one's masks, such as train_masks beside train."""
    names = _folders(folder).keys()
    return any(_OF_PICTURES.sub("", name) in names - {name} for name in names)


def _is_called_otherwise(folder: Folder) -> bool:
    """Returns whether PNGs are in a folder of another name beside images/."""
    names = _folders(folder)
    others = [file for name in _FOR_MASKS & names.keys() for file in names[name].all_pictures()]
    return PICTURES in names and bool(others) and all(file.suffix.lower() == ".png" for file in others)


def _is_labelme(folder: Folder) -> bool:
    return any(file.suffix.lower() == ".json" and b'"shapes"' in first_bytes(file) for file in folder.others)


_LAYOUTS: tuple[tuple[Callable[[Folder], bool], str, str], ...] = (
    (
        lambda folder: "leftimg8bit" in _folders(folder),
        "Cityscapes' leftImg8bit",
        f"copy NAME_leftImg8bit.png to images/NAME.png and NAME_gtFine_labelTrainIds.png to masks/NAME.png; {HINT}",
    ),
    (
        lambda folder: _has("objectinfo150.txt")(folder) or folder.name.lower().startswith("adechallenge"),
        "ADE20K, whose masks count from 1",
        f"subtract 1 of its numbers, so that 0 becomes 255, which is void; {HINT}",
    ),
    (
        _has("class_dict.csv"),
        "class_dict.csv, as CamVid has it",
        "write its lines as labelmap.txt (car:64,0,128::), beside JPEGImages/ and SegmentationClass/",
    ),
    (_is_supervisely, "a Supervisely project", f"export its masks as images of numbers; {HINT}"),
    (_is_label_studio, "Label Studio's masks, one for each label", f"join those of a picture into one; {HINT}"),
    (_has_no_pictures, "SegmentationClass without JPEGImages", "export the data set with its pictures"),
    (_is_labelme, "labelme's JSON beside pictures", "draw the masks with labelme's labelme2voc.py"),
    (_lies_beside, "masks in a folder beside their pictures'", HINT),
    (
        _is_called_otherwise,
        "masks in a folder of another name",
        f"rename it {MASKS}, and write {LABELS}, a label a line",
    ),
)
