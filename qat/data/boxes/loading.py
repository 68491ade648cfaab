"""Loads the pictures that a reader found: holds out, decodes and checks them, and reports what is left out.

If pictures have an orientation, boxes are those of the upright picture, as labelling tools show it (CVAT, Label Studio,
labelme), unless the annotations' width and height are those of the stored one, which pycocotools and torchvision read.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import DataError
from mobile_sdk.labels.label_text import check_labels
from mobile_sdk.preprocess import open_picture, open_stored_picture
from mobile_sdk.tasks.boxes import Truth
from qat.data.boxes.annotations import Boxed, BoxedFolder, Part
from qat.data.boxes.faults import EXCHANGED, News, check_pixels, news_lines, truth_of
from qat.data.boxes.pictures import DetectionPictures, DetectionSet
from qat.data.content_hash import hash_array
from qat.data.folders.annotated import check_sides
from qat.data.folders.listing import counted, listed, printable
from qat.data.held_out import fifth_held_out
from qat.progress import map_in_threads, say

Pixels = NDArray[np.uint8]


def load_boxed(found: BoxedFolder) -> DetectionPictures:
    """Returns the pictures, decoded, with their boxes; reports what is left out or cut, a line for each kind.

    If they are not separate, a fifth is held out by a hash of their names. Raises DataError for labels that look alike,
    fewer than two pictures, a picture that does not decode, is too narrow or has other sides than annotated, a box that
    is none, and no box to train on.
    """
    check_labels(found.labels, printable(found.said_by))
    check_pixels(found)
    parts = found.parts if len(found.parts) == 2 else _held_out(found)
    index = {label: position for position, label in enumerate(found.labels)}
    read = [map_in_threads(lambda each: _read(each, index), part, what="decoding pictures") for part in parts]
    for line in news_lines(news for part in read for _, _, news in part):
        say(line)
    train, validation = (
        DetectionSet(sources=tuple(each[0] for each in part), truths=tuple(each[1] for each in part)) for part in read
    )
    _check_has_boxes(found, train, validation)
    for line in (*_unlearned(found.labels, train), *_leaks(parts, train, validation)):
        say(line)
    return DetectionPictures(train=train, validation=validation, labels=found.labels)


def _held_out(found: BoxedFolder) -> tuple[Part, Part]:
    """Returns the pictures to train on, and a fifth to validate by."""
    (pictures,) = found.parts
    if len(pictures) < 2:
        raise DataError(
            f"expected two pictures or more in {found.root}, found {len(pictures) or 'none'}",
            hint="one is held out to judge by",
        )
    return fifth_held_out(pictures, lambda each: each.name)


def _read(each: Boxed, index: Mapping[str, int]) -> tuple[Pixels, Truth, News]:
    """Returns the picture that the boxes belong to, its truth, and what became of boxes that are left out or cut."""
    picture = open_picture(each.picture)
    check_sides(each.picture, *picture.size)
    is_exchanged = each.size == picture.size[::-1] != picture.size
    if is_exchanged:
        stored = open_stored_picture(each.picture)
        picture, is_exchanged = (stored, False) if stored.size == each.size else (picture, True)
    elif each.size and each.size != picture.size:
        raise DataError(
            f"expected a picture of {each.size[0]} × {each.size[1]} px, as {printable(each.source)} says, found "
            f"{picture.width} × {picture.height} px in {printable(each.picture)}",
            hint="boxes in pixels belong to one size: give the picture that was annotated, or export again",
        )
    truth, news = truth_of(each, picture.size, index)
    return np.asarray(picture, np.uint8), truth, {**news, EXCHANGED: [each.picture.name] * is_exchanged}


def _check_has_boxes(found: BoxedFolder, train: DetectionSet, validation: DetectionSet) -> None:
    """Raises DataError if there is no box to train on, and reports if there is none to validate by."""
    if not _box_labels(train):
        raise DataError(
            f"expected boxes to learn from in {found.root}, found none in {counted(len(train), 'picture')}",
            hint="look at what is said to be left out, or annotate the pictures first",
        )
    if not _box_labels(validation):
        say(f"no box is in the {counted(len(validation), 'picture')} held out: average precision will be 0")


def _unlearned(labels: Sequence[str], train: DetectionSet) -> list[str]:
    """Returns a line on labels without a box to train on."""
    asked = set(_box_labels(train))
    rest = [label for position, label in enumerate(labels) if position not in asked]
    return [f"no box to learn from has {counted(len(rest), 'label')}: {listed(rest)}"] if rest else []


def _leaks(parts: Sequence[Part], train: DetectionSet, validation: DetectionSet) -> list[str]:
    """Returns a line on validation pictures that are also trained on, under another name."""
    learned = {hash_array(pixels) for pixels in train.sources}
    again = [
        each.name for each, pixels in zip(parts[1], validation.sources, strict=True) if hash_array(pixels) in learned
    ]
    if not again:
        return []
    return [
        f"{counted(len(again), 'picture')} held out that training learns from as well, pixel for pixel: {listed(again)}"
    ]


def _box_labels(pictures: DetectionSet) -> list[int]:
    """Returns the labels of all boxes that are not ignored."""
    return [label for truth in pictures.truths for label in truth.labels[~truth.is_ignored].tolist()]
