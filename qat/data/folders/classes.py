"""Decides which folders are labels and which are splits, and what is left out.

It takes a folder for each label; such folders in train and val (valid, Validation, dev …); and both in a folder of
their own, as archives unpack. Folders that look like labels and are none are refused by name.
"""

import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mobile_sdk.errors import DataError
from mobile_sdk.labels.label_text import check_labels
from qat.data.folders.listing import (
    LAYOUT_HINT,
    Folder,
    by_suffix,
    counted,
    listed,
    no_pictures,
    printable,
    read_folder,
)
from qat.data.folders.other_layouts import check_no_other_task, found_flat, lists_beside
from qat.data.folders.split_names import Split, splits_among


@dataclass(frozen=True, kw_only=True)
class Part:
    """Holds the folder `place` and, by label, the picture files below it; a label may have none."""

    place: Path
    by_label: dict[str, list[Path]]


@dataclass(kw_only=True)
class Layout:
    """Holds one part, which is to be split, or two, for training and validation; `left_out` names the rest."""

    root: Path
    parts: tuple[Part, ...] = ()
    left_out: list[str] = field(default_factory=list)  # relative to the root; a folder's name ends in /
    news: list[str] = field(default_factory=list)  # one line each

    def name(self, path: Path) -> str:
        """Returns the path relative to the root."""
        return path.relative_to(self.root).as_posix()

    def leave_out(self, files: Collection[Path], what: str) -> None:
        """Adds the files to what is left out, and to the news."""
        if files:
            self.left_out += [self.name(file) for file in files]
            self.news.append(f"left out {counted(len(files), 'picture')} {what}: {listed(file.name for file in files)}")

    def set_aside(self, folder: Folder) -> None:
        """Adds a folder of pictures to what is left out, and to the news."""
        count = len(folder.all_pictures())
        self.left_out.append(self.name(folder.path) + "/")
        self.news.append(f"left aside the folder {listed([self.name(folder.path)])} with {counted(count, 'picture')}")


def read_layout(root: Path, known: Collection[str] = ()) -> Layout:
    """Returns how the pictures of the folder `root` are laid out.

    Folders named as a `known` label are always labels. Raises DataError for no folder, no pictures in folders, pictures
    laid out for another task, and folders of which labels and splits are ambiguous.
    """
    folder = read_folder(root)
    if not folder.holds_pictures():
        raise no_pictures(folder)
    layout = Layout(root=root)
    place = _unwrapped(folder, layout, known)
    splits = _splits(place, known)
    chosen = _chosen(place, splits, layout) if splits else [place]
    layout.parts = tuple(_part(_unwrapped(each, layout, known), layout, known) for each in chosen)
    aside = tuple(name for name in layout.left_out if name.endswith("/"))
    if others := [file for file in folder.all_others() if not layout.name(file).startswith(aside)]:
        layout.left_out += [layout.name(file) for file in others]
        layout.news.append(f"left out {counted(len(others), 'other file')}: {by_suffix(others)}")
    return layout


def label_of(folder: str) -> str:
    """Returns the label that a folder's name says, with composed letters, however the file system stores them."""
    return unicodedata.normalize("NFC", folder)


def _unwrapped(folder: Folder, layout: Layout, known: Collection[str]) -> Folder:
    """Returns the folder of the labels or splits, below folders that hold one folder and nothing else."""
    place = folder
    while True:
        check_no_other_task(place)
        filled = place.filled()
        if len(filled) != 1 or filled[0].pictures or label_of(filled[0].name) in known:
            break
        if len(place.pictures) >= len(filled[0].all_pictures()):
            break
        layout.leave_out(place.pictures, "beside the folders")
        place = filled[0]
    if place is not folder:
        layout.news.append(f"pictures are read from the folder {listed([layout.name(place.path)])}")
    return place


def _splits(place: Folder, known: Collection[str]) -> dict[str, Split]:
    """Returns the folders in `place` that are splits, by name; raises DataError if that is ambiguous."""
    filled = place.filled()
    splits = splits_among(folder.name for folder in filled)
    splits = {name: split for name, split in splits.items() if label_of(name) not in known}
    nested = [folder.name for folder in filled if folder.name in splits and folder.filled()]
    rest = [folder.name for folder in filled if folder.name not in splits]
    if not splits or (rest and not nested):
        return {}  # pictures of trains, beside those of other vehicles
    if not nested:
        raise found_flat(place, listed(splits))
    if rest and len({splits[name] for name in nested}) < 2:
        raise DataError(
            f"expected labels or splits in {place.path}, found {listed(splits)}, with folders, beside {listed(rest)}",
            hint=f"{LAYOUT_HINT}; move the others away",
        )
    return splits


def _chosen(place: Folder, splits: dict[str, Split], layout: Layout) -> list[Folder]:
    """Returns the folders to train on and to validate by, or the only one; the others are left aside."""
    by_split: dict[Split, list[Folder]] = {"train": [], "validation": [], "test": []}
    for folder in place.filled():
        if folder.name in splits:
            by_split[splits[folder.name]].append(folder)
    for split in ("train", "validation"):
        if len(by_split[split]) > 1:
            names = listed(folder.name for folder in by_split[split])
            raise DataError(
                f"expected one folder for {split} in {place.path}, found: {names}",
                hint="move all but one away",
            )
    chosen = [*by_split["train"], *by_split["validation"]] or by_split["test"][:1]
    layout.leave_out(place.pictures, "beside the folders")
    for folder in place.filled():
        if folder not in chosen:
            layout.set_aside(folder)
    return chosen


def _part(place: Folder, layout: Layout, known: Collection[str]) -> Part:
    filled = place.filled()
    if not filled or (len(filled) == 1 and not known and lists_beside(place)):
        raise found_flat(place, "")
    _check_unambiguous(place, filled, known)
    layout.leave_out(place.pictures, "beside the folders of labels")
    by_label: dict[str, list[Path]] = {}
    for folder in place.folders:
        by_label.setdefault(label_of(folder.name), []).extend(folder.all_pictures())
    check_labels(tuple(by_label), printable(place.path))
    layout.news += _notes(place, filled, known)
    return Part(place=place.path, by_label=by_label)


def _check_unambiguous(place: Folder, filled: list[Folder], known: Collection[str]) -> None:
    """Raises DataError if all folders hold folders of equal names: outer or inner ones may be labels."""
    inner = [{each.name for each in folder.filled()} for folder in filled]
    common = set.intersection(*inner)
    if len(filled) < 2 or len(common) < 2 or any(folder.pictures for folder in filled):
        return
    if all(label_of(folder.name) in known for folder in filled):
        return
    raise DataError(
        f"expected labels that can be told in {place.path}, found folders ({listed(each.name for each in filled)}) "
        f"that all hold the same folders: {listed(common)}",
        hint="name splits train, val and test; where the outer folders are labels, let pictures lie in them directly",
    )


def _notes(place: Folder, filled: list[Folder], known: Collection[str]) -> Iterator[str]:
    """Yields notes on labels that may be meant otherwise."""
    if named := {name for name in splits_among(folder.name for folder in filled) if label_of(name) not in known}:
        yield f"{listed(named)} is taken as a label, beside {listed({folder.name for folder in filled} - named)}"
    if within := {each.name for folder in filled for each in folder.filled()}:
        yield (
            f"labels are the outer folders in {listed([str(place.path)])}: {listed(each.name for each in filled)}; "
            f"what lies in folders below them counts as theirs: {listed(within)}"
        )
