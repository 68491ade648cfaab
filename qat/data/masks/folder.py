"""Loads pictures with masks from a folder, in whichever layout it finds.

Each layout has a reader in `qat.data.masks.formats`, whose module says what it takes, leaves out and refuses;
`qat.data.masks.other_formats` names layouts without a reader. If a picture has an orientation, its mask is that of the
upright picture, as labelling tools show it, unless its sides are those of the stored one.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.arguments import expect_path
from mobile_sdk.errors import DataError
from mobile_sdk.preprocess import open_picture, open_stored_picture
from mobile_sdk.tasks.segmentation import Masks
from qat.data.folders.annotated import check_sides, unwrapped
from qat.data.folders.listing import Folder, counted, listed, read_folder
from qat.data.held_out import fifth_held_out
from qat.data.masks.annotations import Key, Masked, Pair
from qat.data.masks.checks import check_masks
from qat.data.masks.formats import cvat, labelme
from qat.data.masks.formats.plain import read_plain
from qat.data.masks.formats.roboflow import read_roboflow
from qat.data.masks.formats.voc import find_voc, read_voc
from qat.data.masks.mask_file import read_mask
from qat.data.masks.other_formats import no_masks
from qat.data.masks.pictures import SegmentationPictures, SegmentationSet
from qat.progress import map_in_threads, say


def load_mask_folder(path: Path | str) -> SegmentationPictures:
    """Returns the pictures of a folder and their masks, laid out as the SDK's own, PASCAL VOC's, or an exporter's.

    Exporters are CVAT's "Segmentation mask 1.1", labelme's labelme2voc.py and Roboflow's "Semantic Segmentation Masks".
    If training and validation are not separate, a fifth is held out by a hash of the names. Pictures are decoded and
    kept in memory; what is left out is counted and named. Raises DataError, which names file and entry, for another
    layout, fewer than two pictures, a picture that is too narrow, damaged or has no mask, a mask of another size or
    with a number or a colour of no label, labels that look alike, and masks without a label.
    """
    expect_path("path", path)
    folder = unwrapped(read_folder(Path(path)))
    found = _read(folder)
    for line in _left_out(folder, found):
        say(line)
    groups = found.parts if len(found.parts) == 2 else _held_out(found.parts[0], folder)
    train, validation = (_part(pairs, found.key) for pairs in groups)
    pictures = SegmentationPictures(train=train, validation=validation, labels=found.key.labels)
    check_masks(pictures, [[pair.mask for pair in pairs] for pairs in groups], found.key)
    return pictures


def _read(folder: Folder) -> Masked:
    """Returns what the reader of the folder's layout finds."""
    if found := read_plain(folder):
        return found
    if voc := find_voc(folder):
        if file := voc.file(cvat.LABELS):
            return cvat.read_cvat(voc, file)
        if file := voc.file(labelme.LABELS):
            return labelme.read_labelme(voc, file)
        return read_voc(voc)
    if found := read_roboflow(folder):
        return found
    raise no_masks(folder)


def _left_out(folder: Folder, found: Masked) -> Iterator[str]:
    """Yields a line for each place with pictures or masks that are not read."""
    pairs = [pair for part in found.parts for pair in part]
    used = {file for pair in pairs for file in (pair.picture, pair.mask)}
    homes = {pair.mask.parent for pair in pairs}
    for place in _all_folders(folder):
        if rest := [file for file in place.pictures if file not in used]:
            masks = [file for file in rest if place.path in homes and file.suffix.lower() == ".png"]
            what = f"{counted(len(rest), 'picture')} in {place.path}"
            if len(masks) == len(rest):
                what = f"{counted(len(rest), 'mask')} without a picture in {place.path}"
            yield f"left out {what}: {listed(file.name for file in rest)}"


def _all_folders(folder: Folder) -> Iterator[Folder]:
    yield folder
    for each in folder.folders:
        yield from _all_folders(each)


def _held_out(pairs: Sequence[Pair], folder: Folder) -> tuple[Sequence[Pair], Sequence[Pair]]:
    """Returns the pictures to train on, and a fifth to validate by."""
    if len(pairs) < 2:
        raise DataError(
            f"expected two pictures or more with masks in {folder.path}, found {len(pairs)}",
            hint="one is held out to judge by",
        )
    return fifth_held_out(pairs, lambda pair: pair.picture.name)


def _part(pairs: Sequence[Pair], key: Key) -> SegmentationSet:
    decoded = map_in_threads(lambda pair: _decode(pair, key), pairs, what="decoding pictures")
    return SegmentationSet(sources=tuple(picture for picture, _ in decoded), truths=tuple(mask for _, mask in decoded))


def _decode(pair: Pair, key: Key) -> tuple[NDArray[np.uint8], Masks]:
    """Returns the picture and its mask, upright or both as they are stored."""
    picture = open_picture(pair.picture)
    check_sides(pair.picture, *picture.size)
    mask = read_mask(pair.mask, key)
    if mask.shape == picture.size != picture.size[::-1]:  # numpy's order is rows, columns
        stored = open_stored_picture(pair.picture)
        picture = stored if stored.size == mask.shape[::-1] else picture
    if mask.shape != picture.size[::-1]:
        width_px, height_px = picture.size
        raise DataError(
            f"expected a mask of {width_px} × {height_px} px, as its picture, in {pair.mask}, found {mask.shape[1]} × "
            f"{mask.shape[0]}",
            hint="export picture and mask at one size",
        )
    return np.asarray(picture, np.uint8), mask
