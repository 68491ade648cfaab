"""Checks all masks together: that they can be learned from, and that validation pictures are not trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mobile_sdk.errors import DataError
from mobile_sdk.tasks.segmentation import VOID
from qat.data.content_hash import hash_array
from qat.data.folders.listing import counted, listed
from qat.data.masks.annotations import Key
from qat.data.masks.pictures import SegmentationPictures
from qat.progress import say


def check_masks(pictures: SegmentationPictures, names: Sequence[list[Path]], key: Key) -> None:
    """Raises DataError for masks that cannot be learned from or validated by, and reports other findings.

    `names` are the masks' files, of training and of validation.
    """
    parts = (pictures.train, pictures.validation)
    for part, files, purpose in zip(parts, names, ("learn from", "validate by"), strict=True):
        shown = [frozenset(np.flatnonzero(np.bincount(mask.ravel())).tolist()) for mask in part.truths]
        by_file = dict(zip(files, shown, strict=True))
        _check_void(by_file, purpose)
        _check_binary(by_file, purpose, key)
        if part is pictures.train:
            _say_unseen(frozenset().union(*shown), key)
    _say_repeated(pictures)


def _say_unseen(shown: frozenset[int], key: Key) -> None:
    if unseen := [label for index, label in enumerate(key.labels) if index not in shown]:
        say(f"no mask to learn from shows {counted(len(unseen), 'label')} of {len(key.labels)}: {listed(unseen)}")


def _check_void(by_file: Mapping[Path, frozenset[int]], purpose: str) -> None:
    void = [file for file, shown in by_file.items() if shown == {VOID}]
    if len(void) == len(by_file):
        raise DataError(
            f"expected a label in a mask to {purpose}, found void alone in all {len(void)}, such as {void[0]}",
            hint=f"{VOID} is void: write the labels' numbers",
        )
    if void:
        names = listed(file.name for file in void)
        say(f"{counted(len(void), 'mask')} of {len(by_file)} to {purpose} hold void alone: {names}")


def _check_binary(by_file: Mapping[Path, frozenset[int]], purpose: str, key: Key) -> None:
    """Raises DataError if all masks hold 0 and 255 alone, as many tools draw one object.

    255 is void here, so nothing would be learned.
    """
    binary = [file for file, shown in by_file.items() if shown == {0, VOID}]
    if binary and all(shown <= {0, VOID} for shown in by_file.values()):
        raise DataError(
            f"expected masks to {purpose} that show more than {key.labels[0]}, found only that and void, {VOID}, in "
            f"all {len(by_file)}, such as {binary[0]}",
            hint=f"{VOID} is void here: where it means the object, write its label's number, 1 for {key.labels[1]}",
        )
    if binary:
        names = listed(file.name for file in binary)
        say(f"{counted(len(binary), 'mask')} to {purpose} show {key.labels[0]} and void, {VOID}, alone: {names}")


def _say_repeated(pictures: SegmentationPictures) -> None:
    """Reports how many validation pictures are also trained on, under whatever name."""
    learned, held_out = ([hash_array(each) for each in part.sources] for part in (pictures.train, pictures.validation))
    if same := sum(each in set(learned) for each in held_out):
        say(f"{same} of {counted(len(held_out), 'picture')} to validate by are learned from, too")
