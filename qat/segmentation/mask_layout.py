"""Where pictures and their masks lie: `images/` and `masks/`, parted or not, in letters of any case.

- `images/NAME.jpg`, `masks/NAME.png`
- `train/images/`, `train/masks/`, `val/images/` …
- `images/train/`, `masks/train/`, `images/val/` …
"""

from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.errors import DataError
from qat.annotated_folders import chosen, laid_out_otherwise, unwrapped
from qat.picture_folder import Folder, counted, listed, read_folder
from qat.progress import say

LABELS, PICTURES, MASKS = "labels.txt", "images", "masks"
HINT = f"lay them out as DIR/{PICTURES}/NAME.jpg, DIR/{MASKS}/NAME.png and DIR/{LABELS}, a label a line"


@dataclass(frozen=True, kw_only=True)
class Masked:
    """The files of pictures, and the folder of their masks."""

    place: Path
    pictures: tuple[Path, ...]
    masks: Path


def find_masks(root: Path) -> tuple[Path, tuple[Masked, ...]]:
    """The folder with the labels, and what is to learn from and, where they are parted, to validate by.

    DataError names what is there instead.
    """
    folder = unwrapped(read_folder(root))
    within = _within(folder)
    if within and within["pictures"].pictures:
        return folder.path, (_masked(within["pictures"], within["masks"]),)
    places = {each.name: _masked(**found) for each in folder.folders if (found := _within(each))}
    if within:
        masks = {each.name: each for each in within["masks"].folders}
        for each in within["pictures"].folders:
            if each.name in masks:
                places[each.name] = _masked(each, masks[each.name])
    if places:
        return folder.path, chosen(places, root)
    names = {each.name.lower() for each in folder.folders}
    missing = next((name for name in (PICTURES, MASKS) if name not in names), None)
    if missing is None:
        raise DataError(f"expected two pictures or more in {root / PICTURES}, found 0", hint=HINT)
    raise laid_out_otherwise((folder,), f"a folder {missing} in {root}", "none", HINT)


def _within(folder: Folder) -> dict[str, Folder] | None:
    """The folders of pictures and of masks in `folder`, if both are there."""
    names = {each.name.lower(): each for each in folder.folders}
    return {"pictures": names[PICTURES], "masks": names[MASKS]} if {PICTURES, MASKS} <= names.keys() else None


def _masked(pictures: Folder, masks: Folder) -> Masked:
    """What is in the two folders; masks without a picture are left out with a word."""
    stems = {file.stem for file in pictures.pictures}
    if rest := [file.name for file in masks.pictures if file.stem not in stems]:
        say(f"left out {counted(len(rest), 'mask')} without a picture in {pictures.path}: {listed(rest)}")
    return Masked(place=pictures.path, pictures=pictures.pictures, masks=masks.path)
