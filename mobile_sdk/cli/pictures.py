"""The labelled pictures that `--data` names, and the contract that they and the settings give."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mobile_sdk.cli.options import DIGITS
from mobile_sdk.cli.terminal import say
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.labels.lists import is_list, other_names

if TYPE_CHECKING:
    from mobile_sdk.contract import Contract, ImageSpec
    from qat.data.picture_set import PictureSet
    from qat.data.pictures import Pictures

_LONGEST_NAME = 64
_LISTED = 12


def load_pictures(data: str) -> "Pictures":
    """The pictures of a folder, or of one with shards, or the digits."""
    from qat.data.pictures import load_folder, load_mnist
    from qat.data.shards.shards import is_sharded, load_shards

    if data == DIGITS:
        return load_mnist()
    return load_shards(data) if is_sharded(data) else load_folder(data)


def load_pictures_of(contract: "Contract", data: str) -> "Pictures":
    """The pictures for a net that has its contract, labelled or not; DataError where the labels are others.

    Of pictures without labels some are held out too.
    """
    from qat.data.pictures import load_labelled

    if not is_folder(data):
        return in_order_of(contract, load_pictures(data))
    if _says_labels(contract, data):
        return load_labelled(data, contract.labels, known_as=other_names(contract.labels))
    return load_unlabelled_of(contract, data)


def load_unlabelled_of(contract: "Contract", data: str) -> "Pictures":
    """The folder's pictures without labels, wherever they lie below it; folders that are no labels are mentioned."""
    from qat.data.pictures import has_labels, load_unlabelled, without_labels

    if has_labels(data):
        say(f"no folder in {data} is named after a label: the pictures are taken without labels")
    return without_labels(load_unlabelled(data), contract.labels)


def labels_of(data: str) -> tuple[str, ...]:
    """The labels that the pictures say, none where they lie in no folders."""
    from qat.data.pictures import folder_labels

    return folder_labels(data) if is_folder(data) else load_pictures(data).labels


def is_folder(data: str) -> bool:
    """Whether `data` names a folder of picture files: not the digits, not shards."""
    from qat.data.shards.shards import is_sharded

    return data != DIGITS and not is_sharded(data)


def in_order_of(contract: "Contract", pictures: "Pictures") -> "Pictures":
    """The pictures with targets that count the contract's labels; DataError where a label is none of them."""
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

    def part(pictures: "PictureSet") -> "PictureSet":
        return replace(pictures, targets=tuple(index[target] for target in pictures.targets))

    return replace(pictures, train=part(pictures.train), validation=part(pictures.validation), labels=contract.labels)


def counts_line(pictures: "Pictures") -> str:
    """The labels in the order of the scores and how many pictures each has to learn from and to validate by.

    Of many labels the first ones stand there, and those with the fewest and the most pictures. Pictures that say none
    are counted by nothing.
    """
    from qat.data.folders.listing import printable

    if max(pictures.train.targets) < 0:
        return f"{labels_line(pictures.labels)}; no picture says one"
    counts = [Counter(part.targets) for part in (pictures.train, pictures.validation)]
    rows = [(label, counts[0][index], counts[1][index]) for index, label in enumerate(pictures.labels)]

    def told(row: tuple[str, int, int]) -> str:
        return f"{printable(row[0])} ({row[1]:,}+{row[2]:,})"

    line = f"{len(rows)} labels: {', '.join(map(told, rows[:_LISTED]))}"
    if len(rows) <= _LISTED:
        return line
    fewest, most = (choose(rows, key=lambda row: row[1] + row[2]) for choose in (min, max))
    return f"{line} …; fewest {told(fewest)}, most {told(most)}"


def labels_line(labels: Sequence[str]) -> str:
    """The labels in the order of the scores, the first of them where there are many."""
    from qat.data.folders.listing import printable

    return f"{len(labels)} labels: {', '.join(map(printable, labels[:_LISTED]))}{' …' if len(labels) > _LISTED else ''}"


def make_contract(name: str | None, data: str, labels: tuple[str, ...], image: "ImageSpec") -> "Contract":
    """The contract of that name (the data's, if None); SettingError for a name, DataError for labels that cannot be."""
    from mobile_sdk.contract import Contract

    with blaming_labels(name):
        return Contract(name=name or data_name(data), labels=labels, image=image)


@contextmanager
def blaming_labels(name: str | None) -> Iterator[None]:
    """Inside, a contract that cannot be is a SettingError for its name, else a DataError for its labels."""
    from mobile_sdk.contract import ContractError

    try:
        yield
    except ContractError as error:
        if error.field == "name":
            raise SettingError(
                f"expected a --name of up to {_LONGEST_NAME} letters, digits, _ . and -, found {name!r}",
                hint="write a plain one, such as fruit",
            ) from error
        raise DataError(
            f"expected labels that an app can show, found: {error.message}",
            hint="rename the pictures' folders, or change the list of labels",
        ) from error


def data_name(data: str) -> str:
    """A bundle's default name: the last part of the data's folder, in letters that a file name may have."""
    stem = DIGITS if data == DIGITS else Path(data).resolve().name
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "_" for letter in stem)
    return plain.lstrip("_.-")[:_LONGEST_NAME] or "pictures"


def size_px(data: str, size: int | None) -> int:
    """The pictures' side: as asked, else 32 for the digits (they are 28 × 28) and 224 for photographs."""
    return size or (32 if data == DIGITS else 224)


def _says_labels(contract: "Contract", data: str) -> bool:
    """Whether the pictures lie in folders that say which of the contract's labels they show.

    Folders never bear the labels that a published checkpoint counts by unless they mean them: a folder of photographs
    by year or place has none of them, and says nothing.
    """
    from qat.data.pictures import has_labels

    if not is_folder(data):
        return True
    known_as = other_names(contract.labels)
    if is_list(contract.labels) and not {*contract.labels, *known_as}.intersection(labels_of(data)):
        return False
    return has_labels(data, contract.labels, known_as)
