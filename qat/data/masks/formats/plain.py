"""Reads pictures with masks in the SDK's own layout: `images/NAME.jpg`, `masks/NAME.png` and `labels.txt`.

labels.txt has a label a line. Folders may be divided, and named in letters of any case: `train/images/`,
`train/masks/`, `val/images/` …, or `images/train/`, `masks/train/`, `images/val/` …; `labels.txt` is above them.

It takes numbers that count the lines of labels.txt from 0, 255 being void; names that differ in the case of their
letters or in how these are composed; a byte-order mark, UTF-16, and blank lines at the list's end.

It leaves out, and names: masks without a picture, pictures in further folders, splits for tests.

It refuses: a picture without a mask, two files of one name (a.jpg, a.png), a blank line between labels, a repeated
label.
"""

from pathlib import Path

from mobile_sdk.errors import DataError
from mobile_sdk.labels.label_text import numbered_lines
from qat.data.folders.annotated import chosen
from qat.data.folders.listing import Folder
from qat.data.masks.annotations import Key, Masked, Pair, by_name, filled, mask_of, masks_by_name

LABELS, PICTURES, MASKS = "labels.txt", "images", "masks"
HINT = f"lay them out as DIR/{PICTURES}/NAME.jpg, DIR/{MASKS}/NAME.png and DIR/{LABELS}, a label a line"

Place = tuple[Folder, Folder]
"""Holds a folder of pictures, and the folder of their masks."""


def read_plain(folder: Folder) -> Masked | None:
    """Returns what the folder holds in this layout, or None if it has another."""
    places = _places(folder)
    if not places:
        return None
    parts = tuple(_pairs(*place) for place in places)
    file = next((each for each in folder.others if each.name.lower() == LABELS), None)
    if file is None:
        raise DataError(f"expected {LABELS} in {folder.path}, found No such file or directory", hint=HINT)
    return Masked(key=Key.counted(numbered_lines(file), str(file)), parts=parts)


def _places(folder: Folder) -> tuple[Place, ...]:
    within = _within(folder)
    if within and within[0].pictures:
        return (within,)
    places = {each.name: found for each in folder.folders if (found := _within(each))}
    if within:
        masks = {each.name: each for each in within[1].folders}
        places |= {each.name: (each, masks[each.name]) for each in within[0].folders if each.name in masks}
    if within and not places:
        raise DataError(f"expected two pictures or more in {folder.path / PICTURES}, found 0", hint=HINT)
    return chosen(places, folder.path) if places else ()


def _within(folder: Folder) -> Place | None:
    """Returns the folders of pictures and of masks in `folder`, if both are there."""
    names = {each.name.lower(): each for each in folder.folders}
    return (names[PICTURES], names[MASKS]) if {PICTURES, MASKS} <= names.keys() else None


def _pairs(pictures: Folder, masks: Folder) -> tuple[Pair, ...]:
    by_stem = masks_by_name(masks.path, masks.pictures)

    def mask(picture: Path, name: str) -> Path:
        return mask_of(picture, by_stem, name, masks.path / f"{picture.stem}.png")

    named = by_name(pictures.path, pictures.pictures)
    return filled([Pair(picture=picture, mask=mask(picture, name)) for name, picture in named.items()], pictures.path)
