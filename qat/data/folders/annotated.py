"""Shares what folders of pictures with boxes and with masks have in common: splits, and refusals."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from mobile_sdk.errors import DataError
from qat.data.folders.listing import Folder, is_archive, listed
from qat.data.folders.other_layouts import other_task
from qat.data.folders.split_names import Split, splits_among
from qat.progress import say

Place = TypeVar("Place")
_MOST_TIMES_LONGER = 100  # longer to shorter side: stretched into a square, a narrower picture shows nothing

_TEXTS = frozenset((".md", ".pdf", ".html", ".rst", ".bib"))
_READMES = re.compile("(readme|licen[cs]e|citation|copying)([._-]|$)", re.IGNORECASE)


def unwrapped(folder: Folder) -> Folder:
    """Returns the only folder in `folder`, as an archive unpacks it; the archive and a readme may be beside it."""
    while len(folder.folders) == 1 and not folder.pictures:
        (inner,) = folder.folders
        if folder.others and (inner.pictures or not all(map(_is_beside, folder.others))):
            break
        folder = inner
    return folder


def _is_beside(file: Path) -> bool:
    """Returns whether the file is about no single picture."""
    return is_archive(file) or file.suffix.lower() in _TEXTS or bool(_READMES.match(file.name))


def chosen(places: Mapping[str, Place], root: Path) -> tuple[Place, ...]:
    """Returns the places named as the training split and, if there is one, as validation; others are left aside.

    A single place that is not named as a split is returned alone. Raises DataError for no training split, or two places
    of one split.
    """
    splits = splits_among(places)
    if len(places) == 1 and not splits:
        return tuple(places.values())
    by_split: dict[Split, list[str]] = {"train": [], "validation": [], "test": []}
    for name, split in splits.items():
        by_split[split].append(name)
    for wanted in ("train", "validation"):
        if len(by_split[wanted]) > 1:
            raise DataError(
                f"expected one {wanted} split in {root}, found: {listed(by_split[wanted])}", hint="move one away"
            )
    if not by_split["train"]:
        raise DataError(f"expected a train split in {root}, found: {listed(places)}", hint="name one train")
    names = [*by_split["train"], *by_split["validation"]]
    if aside := [name for name in places if name not in names]:
        say(f"left aside: {listed(aside)}")
    return tuple(places[name] for name in names)


def laid_out_otherwise(folders: Iterable[Folder], expected: str, found: str, hint: str) -> DataError:
    """Returns the error for a missing `expected`, with the layout that is there instead, else `found`."""
    for folder in folders:
        if other := other_task(folder):
            found, hint = other
            break
    return DataError(f"expected {expected}, found {found}", hint=hint)


def check_sides(file: Path, width_px: int, height_px: int) -> None:
    """Raises DataError for a picture that is too narrow to show a net anything."""
    if max(width_px, height_px) > _MOST_TIMES_LONGER * min(width_px, height_px):
        raise DataError(
            f"expected a picture whose sides differ by a factor of {_MOST_TIMES_LONGER} at most, found {width_px} × "
            f"{height_px} px in {file}",
            hint="remove it, or cut it into pieces",
        )
