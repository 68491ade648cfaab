"""Reads Roboflow's export "Semantic Segmentation Masks": NAME.jpg, NAME_mask.png and `_classes.csv`, in each split.

Splits are `train/` and `valid/`. `_classes.csv` begins with `Pixel Value, Class`, and each line maps a number of the
masks to a label.

It takes numbers as `_classes.csv` maps them, labels in its order, 255 being void unless it is named there; and the same
files in one folder without splits, of which a fifth is held out.

It leaves out, and names: masks without a picture, and `test/`.

It refuses: a picture without a mask, a repeated number or name, a line of another form, other classes in valid.
"""

import csv
import io
import re
from pathlib import Path

from mobile_sdk.errors import DataError
from mobile_sdk.labels.label_text import read_text, shown
from mobile_sdk.tasks.segmentation import VOID
from qat.data.folders.annotated import chosen
from qat.data.folders.listing import Folder
from qat.data.masks.annotations import Key, Masked, Pair, by_name, filled, mask_of, masks_by_name

CLASSES, ENDING = "_classes.csv", "_mask"
_HEADER = ["pixel value", "class"]


def read_roboflow(folder: Folder) -> Masked | None:
    """Returns what the folder holds in this layout, or None if it has another."""
    places = {each.name: each for each in (folder, *folder.folders) if _classes(each)}
    if not any(_masks(place) for place in places.values()):
        return None  # the list of classifiers' labels has the same name
    chosen_places = (folder,) if folder.name in places else chosen(places, folder.path)
    keys = [_key(file) for place in chosen_places if (file := _classes(place))]
    if (keys[0].labels, keys[0].numbers) != (keys[-1].labels, keys[-1].numbers):
        raise DataError(
            f"expected the same classes in {keys[0].place} and {keys[-1].place}, found others",
            hint="export the data set again, as one version",
        )
    return Masked(key=keys[0], parts=tuple(_pairs(place) for place in chosen_places))


def _classes(folder: Folder) -> Path | None:
    return next((file for file in folder.others if file.name.lower() == CLASSES), None)


def _masks(folder: Folder) -> list[Path]:
    return [file for file in folder.pictures if file.stem.lower().endswith(ENDING)]


def _key(file: Path) -> Key:
    rows = [[cell.strip() for cell in row] for row in _rows(file)]
    if not rows or [cell.casefold() for cell in rows[0]] != _HEADER:
        raise DataError(
            f"expected the header Pixel Value, Class in {file}, found: {shown(', '.join(rows[0] if rows else []))}",
            hint="export it as Semantic Segmentation Masks",
        )
    labels: list[str] = []
    numbers: dict[int, int] = {}
    for row in rows[1:]:
        number = int(row[0]) if len(row) == 2 and re.fullmatch("[0-9]{1,3}", row[0]) else None
        if number is None or number > 255 or number in numbers:
            found = "twice" if number in numbers else "it"
            raise DataError(
                f"expected a number 0..255 of its own and a class in each line of {file}, found {found}: "
                f"{shown(', '.join(row))}",
                hint="write it as Roboflow does: 1, car",
            )
        numbers[number] = len(labels)
        labels.append(row[1])
    return Key(labels=tuple(labels), place=str(file), numbers={VOID: VOID, **numbers})


def _rows(file: Path) -> list[list[str]]:
    text = read_text(file, of="Pixel Value, Class a line")
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True) if any(row)]
    except csv.Error as error:
        raise DataError(f"expected lines of CSV in {file}, found: {error}", hint="export it again") from error


def _pairs(place: Folder) -> tuple[Pair, ...]:
    drawn = _masks(place)
    masks = masks_by_name(place.path, drawn, ENDING)
    pictures = by_name(place.path, [file for file in place.pictures if file not in drawn])

    def mask(picture: Path, name: str) -> Path:
        return mask_of(picture, masks, name, place.path / f"{picture.stem}{ENDING}.png")

    return filled([Pair(picture=picture, mask=mask(picture, name)) for name, picture in pictures.items()], place.path)
