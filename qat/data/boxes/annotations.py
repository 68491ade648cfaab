"""Holds what the readers find: which picture has which boxes, and where each of them is written."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mobile_sdk.errors import DataError
from qat.data.folders.listing import printable


class Box(NamedTuple):
    """Holds a box as it is written: left, top, right, bottom; `entry` is its place in the file, "line 3"."""

    label: str
    sides: tuple[float, float, float, float]
    entry: str
    is_ignored: bool = False


@dataclass(frozen=True, kw_only=True)
class Boxed:
    """Holds the file of a picture and its boxes by the file `source`.

    Sides are pixels, or, with `are_shares`, shares of the picture's width and height. `size` is the width and height in
    the source, `name` the picture's name there.
    """

    picture: Path
    name: str
    source: Path
    boxes: tuple[Box, ...]
    size: tuple[int, int] | None = None
    are_shares: bool = False


Part = tuple[Boxed, ...]
_LONGEST = 120  # letters that an error repeats; Roboflow's picture names have 60


def quoted(text: str) -> str:
    """Returns a file's text as an error repeats it: in one line, and cut at the end if it is long."""
    plain = printable(text)
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"


def written_number(text: str, source: Path, entry: str) -> float:
    """Returns the number in an entry of a file; raises DataError if it is none, or written as no tool does."""
    try:
        if "_" in text:  # Python's own numbers may have some
            raise ValueError
        return float(text)
    except ValueError:
        raise DataError(
            f"expected a number in {entry} of {printable(source)}, found '{quoted(text)}'",
            hint="correct it, with a point before the decimals",
        ) from None


@dataclass(frozen=True, kw_only=True)
class BoxedFolder:
    """Holds what was found in the folder `root`: the pictures to train on and, if they are separate, to validate by.

    `said_by` is the file, or the folder of files, with the labels.
    """

    root: Path
    labels: tuple[str, ...]
    said_by: Path
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        """Raises DataError if a picture is listed twice, in one part or in both."""
        seen: dict[Path, Boxed] = {}
        for each in (each for part in self.parts for each in part):
            if first := seen.get(each.picture):
                raise DataError(
                    f"expected {printable(each.picture)} once in {self.root}, found it twice: as "
                    f"{quoted(first.name)} of {first.source.name} and as {quoted(each.name)} of {each.source.name}",
                    hint="a net cannot be judged by what it has learned: keep one of them, with all boxes",
                )
            seen[each.picture] = each
