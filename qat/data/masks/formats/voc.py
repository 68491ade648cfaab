"""Reads PASCAL VOC's pictures with masks: `JPEGImages/`, `SegmentationClass/`, `ImageSets/Segmentation/*.txt`.

Source: VOC2012's development kit, `devkit_doc.pdf`, sections 4 and 8: masks are PNGs with a palette, whose numbers are
0 for background, 1 to 20 for the classes in alphabetical order, and 255 for void.

It takes train.txt and val.txt, or other names of splits; trainval.txt, another single list, or without any list all
masks, of which a fifth is held out; entries in quotes and in folders; and the labels of labels.txt, which numbers
count. Without labels.txt it takes VOC's 21 labels and reports that: masks are then read by VOC's colours, in whatever
order a palette has them, and grey masks by its numbers.

It leaves out, and names: pictures that no list names, SegmentationObject, lists for tests.

It refuses: an entry without a picture or mask, or repeated, also in train and val; colours that are not VOC's, or any
colours beside labels.txt; two data sets beside each other, such as VOC2007 and VOC2012.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from mobile_sdk.errors import DataError
from mobile_sdk.labels.label_text import lines_of, numbered_lines, read_text
from mobile_sdk.labels.lists import shipped_labels
from mobile_sdk.tasks.segmentation import VOID
from qat.data.folders.annotated import chosen
from qat.data.folders.listing import Folder, counted, folded_name, listed
from qat.data.folders.split_names import splits_among
from qat.data.masks.annotations import Key, Masked, Pair, by_name, filled, masks_by_name
from qat.progress import say

PICTURES, LISTS = "jpegimages", "imagesets"
MASKS = ("segmentationclasspng", "segmentationclass")  # labelme2voc wrote arrays of NumPy into the latter
LABELS = "labels.txt"


@dataclass(frozen=True, kw_only=True)
class Voc:
    """Holds the folders of pictures and masks in `folder`, and the lists of training and validation pictures."""

    folder: Folder
    pictures: Folder
    masks: Folder
    lists: tuple[Path, ...]

    def file(self, name: str) -> Path | None:
        """Returns the file of this name beside these folders, or None."""
        return next((each for each in self.folder.others if each.name.lower() == name), None)


def find_voc(folder: Folder) -> Voc | None:
    """Returns what `folder`, or the only folder of this layout in it, holds; raises DataError for several."""
    if own := _voc(folder):
        return own
    found = [voc for each in folder.folders if (voc := _voc(each))]
    if len(found) > 1:
        names = listed(each.folder.name for each in found)
        raise DataError(f"expected one data set in {folder.path}, found {names}", hint="name one of these folders")
    return found[0] if found else None


def read_voc(voc: Voc) -> Masked:
    """Returns the content of the layout, with the labels of labels.txt, or VOC's own."""
    if file := voc.file(LABELS):
        key = Key.counted(numbered_lines(file), str(file))
    else:
        labels = shipped_labels("voc")
        say(f"no list of labels lies in {voc.folder.path}: masks are taken for PASCAL VOC's {len(labels)} labels")
        colours = {colour_of(number): number for number in (*range(len(labels)), VOID)}
        key = replace(Key.counted(labels, "PASCAL VOC's list"), colours=colours)
    return Masked(key=key, parts=parts_of(voc))


def colour_of(number: int) -> int:
    """Returns VOC's palette colour of a number, 0xRRGGBB: its bits in turn, from each channel's top.

    Source: VOC2012's development kit, `VOCcode/VOClabelcolormap.m`.
    """
    return sum(
        (number >> 3 * place + channel & 1) << 23 - 8 * channel - place for place in range(8) for channel in range(3)
    )


def parts_of(voc: Voc, *, is_partly_masked: bool = False) -> tuple[tuple[Pair, ...], ...]:
    """Returns the pairs that the lists name, or all pairs.

    With `is_partly_masked`, listed pictures may have no mask and are left out.
    """
    pictures = by_name(voc.pictures.path, voc.pictures.all_pictures())
    masks, home = masks_by_name(voc.masks.path, voc.masks.all_pictures()), voc.masks.path
    if not voc.lists:
        return (filled([Pair(picture=pictures[name], mask=masks[name]) for name in masks if name in pictures], home),)
    read = [_entries(file) for file in voc.lists]
    if len(read) == 2 and (both := read[0].keys() & read[1].keys()):
        names = listed(read[0][name] for name in both)
        raise DataError(
            f"expected each picture in one of {voc.lists[0]} and {voc.lists[1].name}, found in both: {names}",
            hint="a net cannot be judged by what it has learned: remove it from one",
        )
    parts = []
    for file, entries in zip(voc.lists, read, strict=True):
        unmasked = {name: entry for name, entry in entries.items() if is_partly_masked and name not in masks}
        if unmasked:
            say(f"left out {counted(len(unmasked), 'picture')} of {file} without a mask: {listed(unmasked.values())}")
        asked = {name: entry for name, entry in entries.items() if name not in unmasked}
        parts.append(filled([_pair(file, *each, pictures, masks, voc) for each in asked.items()], file))
    return tuple(parts)


def _voc(folder: Folder) -> Voc | None:
    names = {each.name.lower(): each for each in folder.folders}
    filled = [names[name] for name in MASKS if name in names and names[name].holds_pictures()]
    if not filled or PICTURES not in names:
        return None
    return Voc(folder=folder, pictures=names[PICTURES], masks=filled[0], lists=_lists(names.get(LISTS)))


def _lists(folder: Folder | None) -> tuple[Path, ...]:
    """Returns the lists of training and validation, or the only list."""
    segmentation = (
        next((each for each in folder.folders if each.name.lower() == "segmentation"), None) if folder else None
    )
    files = [file for file in segmentation.others if file.suffix.lower() == ".txt"] if segmentation else []
    by_stem = {file.stem: file for file in files}
    splits = splits_among(by_stem)
    if "train" in splits.values():
        by_stem.pop("trainval", None)  # both together
        return chosen(by_stem, files[0].parent)
    whole = tuple(file for stem, file in by_stem.items() if stem not in splits)
    if len(whole) > 1 or (files and not whole):
        raise DataError(
            f"expected a list train.txt in {files[0].parent}, found {listed(file.name for file in files)}",
            hint="name the lists train.txt and val.txt",
        )
    return whole


def _entries(file: Path) -> dict[str, str]:
    """Returns the names in a list: as they are compared, mapped to as they are written."""
    entries: dict[str, str] = {}
    for line in lines_of(read_text(file, of="one name a line")):
        entry = line[1:-1] if len(line) > 2 and line[0] == line[-1] == '"' else line
        if folded_name(entry) in entries:
            raise DataError(f"expected each picture once in {file}, found {entry} twice", hint="remove one of them")
        if entry:
            entries[folded_name(entry)] = entry
    return entries


def _pair(file: Path, name: str, entry: str, pictures: dict[str, Path], masks: dict[str, Path], voc: Voc) -> Pair:
    for files, home, what in ((pictures, voc.pictures, "picture"), (masks, voc.masks, "PNG mask")):
        if name not in files:
            raise DataError(
                f"expected a {what} in {home.path} for {entry} of {file}, found none",
                hint="unpack the whole archive, or remove the name from the list",
            )
    return Pair(picture=pictures[name], mask=masks[name])
