"""Holds what the readers find: which picture has which mask, and the labels of a mask's numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.contract import MOST_MASK_LABELS
from mobile_sdk.errors import DataError
from mobile_sdk.labels.label_text import check_labels
from mobile_sdk.tasks.segmentation import VOID
from qat.data.folders.listing import folded_name, listed


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Holds the file of a picture and that of its mask."""

    picture: Path
    mask: Path


@dataclass(frozen=True, kw_only=True)
class Key:
    """Maps the numbers in masks to labels: each to a label's index, or to `VOID`.

    If there are `colours` (0xRRGGBB), they decide in masks of colours and of palettes. `place` is the file that says
    so.
    """

    labels: tuple[str, ...]
    place: str
    numbers: Mapping[int, int]
    colours: Mapping[int, int] | None = None

    def __post_init__(self) -> None:
        """Raises DataError for labels that are too few or too many, or that an app could not show or distinguish."""
        if not 2 <= len(self.labels) <= MOST_MASK_LABELS:
            raise DataError(
                f"expected 2 to {MOST_MASK_LABELS} labels in {self.place}, found {len(self.labels)}",
                hint="what no object covers needs a label as well, such as background",
            )
        check_labels(self.labels, self.place)

    @classmethod
    def counted(cls, labels: tuple[str, ...], place: str) -> "Key":
        """Returns the key of masks whose numbers count the labels from 0, 255 being void."""
        return cls(labels=labels, place=place, numbers={**{index: index for index in range(len(labels))}, VOID: VOID})


@dataclass(frozen=True, kw_only=True)
class Masked:
    """Holds a folder's pictures to train on and, if they are separate, to validate by."""

    key: Key
    parts: tuple[tuple[Pair, ...], ...]


def filled(pairs: Sequence[Pair], place: Path) -> tuple[Pair, ...]:
    """Returns the pairs; raises DataError if `place`, a folder or a list, holds none."""
    if not pairs:
        raise DataError(
            f"expected a picture with a mask or more in {place}, found none", hint="fill it, or move it away"
        )
    return tuple(pairs)


def by_name(home: Path, files: Iterable[Path], ending: str = "") -> dict[str, Path]:
    """Maps the folded paths of the files below `home`, without `ending`, to files; DataError names two of one name."""
    found: dict[str, Path] = {}
    for file in files:
        name = folded_name(file.relative_to(home).with_suffix("").as_posix()).removesuffix(ending)
        if name in found:
            raise DataError(
                f"expected one file of each name in {home}, found {file.name} beside {found[name].name}",
                hint="it cannot be told which is meant: rename or remove one",
            )
        found[name] = file
    return found


def masks_by_name(home: Path, files: Iterable[Path], ending: str = "") -> dict[str, Path]:
    """Maps names as `by_name` does, for PNG files alone, as only they can be masks."""
    return by_name(home, (file for file in files if file.suffix.lower() == ".png"), ending)


def mask_of(picture: Path, masks: Mapping[str, Path], name: str, expected: Path) -> Path:
    """Returns the mask of that name; DataError says what is there instead of the `expected` one."""
    if name in masks:
        return masks[name]
    near = [file.name for file in expected.parent.glob("*") if file.stem.startswith(picture.stem) and file != picture]
    hint = f"give {picture.name} a mask, or move it away"
    if near:
        hint = f"call the mask {expected.name}, and let it be a PNG: JPEG changes numbers"
    raise DataError(f"expected a mask at {expected}, found {listed(near) if near else 'No such file'}", hint=hint)
