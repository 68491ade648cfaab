"""Pictures with masks in layouts that have no reader, by name: what is there, and how it becomes one that has."""

import re
from pathlib import Path

from mobile_sdk.errors import DataError
from qat.annotated_folders import laid_out_otherwise
from qat.picture_folder import Folder, listed, no_pictures
from qat.segmentation.plain_masks import HINT, MASKS, PICTURES

_LABEL_STUDIO = re.compile(r"task-\d+-annotation-\d+.*\.png")
_OF_PICTURES = re.compile("_?(masks?|labels|annot)$")  # train_masks of Carvana, train_labels and trainannot of CamVid
_OTHER_NAMES = frozenset(
    ("annotations", "annotation", "annot", "labels", "label", "mask", "gt", "segmentations", "segmentation", "trimaps")
)


def no_masks(folder: Folder) -> DataError:
    """What is said of a folder that no reader takes: which layout it is, or what is missing."""
    if not folder.holds_pictures():
        return no_pictures(folder)
    for place in (folder, *folder.folders):
        if known := _layout(place):
            found, hint = known
            return DataError(f"expected pictures with masks in {place.path}, found {found}", hint=hint)
    names = {each.name.lower() for each in folder.folders}
    missing = next((name for name in (PICTURES, MASKS) if name not in names), MASKS)
    return laid_out_otherwise((folder, *folder.folders), f"a folder {missing} in {folder.path}", "none", HINT)


def _layout(folder: Folder) -> tuple[str, str] | None:
    """The layout that the folder's own entries show, and a hint what to do with it."""
    names = {each.name.lower(): each for each in folder.folders}
    files = {file.name.lower() for file in folder.others}
    if "leftimg8bit" in names:
        return "Cityscapes", f"copy NAME_leftImg8bit.png to images/ and NAME_gtFine_labelTrainIds.png to masks/; {HINT}"
    if "objectinfo150.txt" in files or folder.name.lower().startswith("adechallenge"):
        return "ADE20K", f"subtract 1 of the masks' numbers, so that 0 becomes 255, which is void; {HINT}"
    if "class_dict.csv" in files:
        return (
            "CamVid's class_dict.csv",
            "write its lines as labelmap.txt (car:64,0,128::), beside JPEGImages/ and SegmentationClass/",
        )
    if "meta.json" in files and any(
        {"img", "ann"} <= {each.name.lower() for each in ds.folders} for ds in folder.folders
    ):
        return "a Supervisely project", f"export it as masks, whose machine masks hold numbers; {HINT}"
    if drawn := [file.name for file in folder.all_pictures() if _LABEL_STUDIO.fullmatch(file.name)]:
        return (
            f"Label Studio's masks, one for each label ({listed(drawn, 1)})",
            f"join those of a picture into one; {HINT}",
        )
    if "segmentationclass" in names and "jpegimages" not in names:
        return "SegmentationClass without JPEGImages", "export the data set with its pictures"
    return _near(folder, names)


def _near(folder: Folder, names: dict[str, Folder]) -> tuple[str, str] | None:
    """Layouts that differ from the SDK's own by names alone."""
    for name, each in names.items():
        if _OF_PICTURES.sub("", name) in names.keys() - {name}:
            return f"masks in {each.name}, beside their pictures' folder", HINT
        if name in _OTHER_NAMES and PICTURES in names and _are_masks(each):
            return f"masks in {each.name}", f"rename it {MASKS}, and write labels.txt, a label a line"
    if any(_is_labelme(file) for file in folder.others):
        return "labelme's JSON beside pictures", "draw the masks with labelme's labelme2voc.py"
    return None


def _are_masks(folder: Folder) -> bool:
    files = folder.all_pictures()
    return bool(files) and all(file.suffix.lower() == ".png" for file in files)


def _is_labelme(file: Path) -> bool:
    if file.suffix.lower() != ".json" or not file.is_file():
        return False
    try:
        with file.open("rb") as opened:
            return b'"shapes"' in opened.read(4096)
    except OSError:
        return False
