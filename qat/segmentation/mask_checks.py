"""What is checked of all masks together: what they ask for, and whether a net is judged by what it has learned."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mobile_sdk.errors import DataError
from mobile_sdk.masks import VOID
from qat.picture_folder import counted, listed
from qat.progress import say
from qat.segmentation.masked import Key
from qat.segmentation.pictures import SegmentationPictures, SegmentationSet


def check_masks(pictures: SegmentationPictures, names: Sequence[list[Path]], key: Key) -> None:
    """Raises DataError for masks from which nothing could be learned or judged, and says what else is to be known.

    `names` are the masks' files, of training and of validation.
    """
    parts = (pictures.train, pictures.validation)
    for part, files, purpose in zip(parts, names, ("learn from", "validate by"), strict=True):
        _check_asked(part, files, purpose)
    shown = np.unique(np.concatenate([np.unique(mask) for mask in pictures.train.truths]))
    if key.colours is None and set(shown.tolist()) == {0, VOID} and key.numbers.get(VOID) == VOID:
        raise DataError(
            f"expected masks that show more than {key.labels[0]}, found only the numbers 0 and {VOID} in all "
            f"{len(names[0])} to learn from, such as {names[0][0]}",
            hint=f"{VOID} is void here: where it means the object, write its label's number, 1 for {key.labels[1]}",
        )
    if unseen := [label for index, label in enumerate(key.labels) if index not in shown]:
        say(f"no mask to learn from shows {counted(len(unseen), 'label')} of {len(key.labels)}: {listed(unseen)}")
    _say_repeated(pictures)


def _check_asked(part: SegmentationSet, files: list[Path], purpose: str) -> None:
    void = [file.name for file, mask in zip(files, part.truths, strict=True) if (mask == VOID).all()]
    if len(void) == len(files):
        raise DataError(
            f"expected a label in a mask to {purpose}, found void alone in all {len(files)}, such as {files[0]}",
            hint=f"{VOID} is void: write the labels' numbers",
        )
    if void:
        say(f"{counted(len(void), 'mask')} of {len(files)} to {purpose} hold void alone: {listed(void)}")


def _say_repeated(pictures: SegmentationPictures) -> None:
    """Says how many pictures to validate by are learned from, too, under whatever name."""
    learned, held_out = ([_digest(each) for each in part.sources] for part in (pictures.train, pictures.validation))
    if same := sum(each in set(learned) for each in held_out):
        say(f"{same} of {counted(len(held_out), 'picture')} to validate by are learned from, too")


def _digest(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
