"""Decides which pictures are held out to validate by, by a hash, for each label or for all together."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

ByLabel = Mapping[str, Sequence[Path]]
Item = TypeVar("Item")
_FIFTH, _LEAST = 0.2, 3


def split(root: Path, by_label: ByLabel, share: float, seed: int) -> tuple[ByLabel, ByLabel]:
    """Returns the pictures to train on, and `share` of each label's pictures, held out.

    A label with a single picture has none held out. If every label has a single one, whole labels are held out.
    """
    train, validation = {}, {}
    for label, files in by_label.items():
        ranked = shuffled(root, files, f"split {seed}")
        count = max(0, min(max(1, round(len(files) * share)), len(files) - 1))
        validation[label], train[label] = ranked[:count], ranked[count:]
    if not any(validation.values()):
        single = shuffled(root, [file for files in train.values() for file in files], f"split {seed}")
        held_out = frozenset(single[: min(max(1, round(len(single) * share)), len(single) - 1)])
        validation = {label: [file for file in files if file in held_out] for label, files in train.items()}
        train = without(train, held_out)
    return train, validation


def fifth_held_out(items: Sequence[Item], name: Callable[[Item], str]) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Returns what to train on, and a fifth to validate by; the hashes of the names alone decide."""
    ranked = sorted(items, key=lambda item: hashlib.sha256(in_bytes(name(item))).digest())
    count = max(1, round(len(ranked) * _FIFTH))
    return tuple(ranked[count:]), tuple(ranked[:count])


def count_held_out(count: int) -> int:
    """Returns how many of so many pictures without labels to judge by: a fifth, and three of few; at most a third.

    Of two it is one, of one none: one that was kept away says little, but what was learned from says less.
    """
    return min(count - 1, max(1, round(count * _FIFTH), min(_LEAST, count // 3)))


def without(by_label: ByLabel, files: Collection[Path]) -> dict[str, list[Path]]:
    """Returns the pictures that are none of `files`."""
    return {label: [file for file in own if file not in files] for label, own in by_label.items()}


def shuffled(root: Path, files: Sequence[Path], salt: str) -> list[Path]:
    """Returns the files in an order that depends only on their names below `root` and the salt."""

    def rank(file: Path) -> bytes:
        return hashlib.sha256(in_bytes(f"{salt} {file.relative_to(root).as_posix()}")).digest()

    return sorted(files, key=rank)


def in_bytes(name: str) -> bytes:
    """Returns a file's name in UTF-8; bytes that are no UTF-8 stay as they are."""
    return name.encode("utf-8", "surrogateescape")
