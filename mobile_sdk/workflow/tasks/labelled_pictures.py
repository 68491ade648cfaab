"""Loads the labelled pictures that a classifier is trained on, or the unlabelled ones that it is calibrated on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mobile_sdk.contract import Contract
from mobile_sdk.errors import DataError
from mobile_sdk.labels.lists import is_list, other_names
from mobile_sdk.preprocess.array_files import ARRAYS_SUFFIX
from mobile_sdk.workflow.choices import DIGITS
from qat.data.arrays import load_arrays
from qat.data.folders.listing import printable
from qat.data.picture_set import PictureSet
from qat.data.pictures import (
    Pictures,
    folder_labels,
    has_labels,
    load_folder,
    load_labelled,
    load_mnist,
    load_unlabelled,
    without_labels,
)
from qat.data.shards.shards import is_sharded, load_shards
from qat.progress import say

_LISTED = 12


def load_pictures(data: str) -> Pictures:
    """Returns the pictures of a folder, of one with shards, or the digits."""
    if data == DIGITS:
        return load_mnist()
    if is_arrays_file(data):
        return load_arrays(data)
    return load_shards(data) if is_sharded(data) else load_folder(data)


def load_pictures_of(contract: Contract, data: str) -> Pictures:
    """Returns the pictures for a net that has its contract, labelled or not.

    Some of the pictures without labels are held out too. Raises DataError if the labels differ.
    """
    if not is_folder(data):
        return in_order_of(contract, load_pictures(data))
    if _says_labels(contract, data):
        return load_labelled(data, contract.labels, known_as=other_names(contract.labels))
    return load_unlabelled_of(contract, data)


def load_unlabelled_of(contract: Contract, data: str) -> Pictures:
    """Returns all pictures below the folder, without labels; news says so if there are folders that name none."""
    if has_labels(data):
        say(f"no folder in {data} is named after a label: the pictures are taken without labels")
    return without_labels(load_unlabelled(data), contract.labels)


def labels_of(data: str) -> tuple[str, ...]:
    """Returns the labels that the pictures' folders name; none if there are no folders."""
    return folder_labels(data) if is_folder(data) else load_pictures(data).labels


def is_folder(data: str) -> bool:
    """Returns True if `data` names a folder of picture files: not the digits, not shards."""
    return data != DIGITS and not is_sharded(data) and not is_arrays_file(data)


def is_arrays_file(data: str) -> bool:
    """Returns True if `data` names a file of arrays."""
    return Path(data).suffix == ARRAYS_SUFFIX


def in_order_of(contract: Contract, pictures: Pictures) -> Pictures:
    """Returns the pictures with targets that index the contract's labels; raises DataError for another label."""
    if pictures.labels == contract.labels:
        return pictures
    known_as = other_names(contract.labels)
    names = [known_as.get(label, label) for label in pictures.labels]
    if others := sorted(set(names) - set(contract.labels)):
        listed = ", ".join(others[:5]) + (" …" if len(others) > 5 else "")
        raise DataError(
            f"expected pictures of the {len(contract.labels)} labels of {contract.name}, found others: {listed}",
            hint="name the pictures' folders after the labels",
        )
    index = [contract.labels.index(name) for name in names]

    def part(pictures: PictureSet) -> PictureSet:
        return replace(pictures, targets=tuple(index[target] for target in pictures.targets))

    return replace(pictures, train=part(pictures.train), validation=part(pictures.validation), labels=contract.labels)


def counts_line(pictures: Pictures) -> str:
    """Returns a line with the labels in the order of the scores, and how many pictures each has for both parts.

    A long line gives the first labels, and those with the fewest and the most pictures. Pictures without labels are not
    counted.
    """
    if max(pictures.train.targets) < 0:
        return f"{labels_line(pictures.labels)}; no picture says one"
    counts = [Counter(part.targets) for part in (pictures.train, pictures.validation)]
    rows = [(label, counts[0][index], counts[1][index]) for index, label in enumerate(pictures.labels)]

    def with_counts(row: tuple[str, int, int]) -> str:
        return f"{printable(row[0])} ({row[1]:,}+{row[2]:,})"

    line = f"{len(rows)} labels: {', '.join(map(with_counts, rows[:_LISTED]))}"
    if len(rows) <= _LISTED:
        return line
    fewest, most = (choose(rows, key=lambda row: row[1] + row[2]) for choose in (min, max))
    return f"{line} …; fewest {with_counts(fewest)}, most {with_counts(most)}"


def labels_line(labels: Sequence[str]) -> str:
    """Returns a line with the labels in the order of the scores, or the first of many."""
    return f"{len(labels)} labels: {', '.join(map(printable, labels[:_LISTED]))}{' …' if len(labels) > _LISTED else ''}"


def _says_labels(contract: Contract, data: str) -> bool:
    """Returns True if the pictures are in folders that name the contract's labels.

    A published checkpoint's labels are so particular that a folder has one only on purpose: photographs sorted by year
    or place have none, and count as unlabelled.
    """
    if not is_folder(data):
        return True
    known_as = other_names(contract.labels)
    if is_list(contract.labels) and not {*contract.labels, *known_as}.intersection(labels_of(data)):
        return False
    return has_labels(data, contract.labels, known_as)
