"""Reads one file of YOLO's labels: a row `class x y width height` for each object, in shares of the picture.

Source: https://docs.ultralytics.com/datasets/detect/ and /segment/. Rows `class x1 y1 x2 y2 x3 y3 …` are outlines; the
box around each is taken, as Ultralytics' own training of detectors does.
"""

from collections.abc import Sequence
from pathlib import Path

from mobile_sdk.errors import DataError
from mobile_sdk.labels.label_text import lines_of, read_text
from qat.data.boxes.annotations import Box, quoted, written_number
from qat.data.folders.listing import printable

_HINT = "write a row as: class x-centre y-centre width height, in shares of the picture"
_BOX, _LEAST_OUTLINE = 4, 6  # numbers after the class
_ROUNDING = 0.01  # tools write values this far outside 0..1


def read_rows(file: Path, labels: Sequence[str]) -> tuple[tuple[Box, ...], int]:
    """Returns the boxes of a file, in shares, and how many of them are drawn around outlines.

    Raises DataError, which names the file and the line, for no numbers, another count of them, a class beyond the
    labels, or pixels.
    """
    lines = enumerate(lines_of(read_text(file, of="a row for each object")), start=1)
    rows = [(f"line {number}", line.split()) for number, line in lines if line]
    boxes = tuple(_box(words, file, entry, labels) for entry, words in rows)
    return boxes, sum(len(words) > _BOX + 1 for _, words in rows)


def _box(words: list[str], file: Path, entry: str, labels: Sequence[str]) -> Box:
    number, *numbers = (written_number(word, file, entry) for word in words)
    if not (number.is_integer() and 0 <= number < len(labels)):
        raise DataError(
            f"expected a class from 0 to {len(labels) - 1} in {entry} of {printable(file)}, found {quoted(words[0])}",
            hint="list all names of classes, in data.yaml or classes.txt, or correct the row",
        )
    is_outline = len(numbers) >= _LEAST_OUTLINE and len(numbers) % 2 == 0
    if len(numbers) != _BOX and not is_outline:
        found = "5, of which one may be a prediction's score" if len(numbers) == _BOX + 1 else str(len(numbers))
        raise DataError(
            f"expected {_BOX} numbers after the class in {entry} of {printable(file)}, found {found}", hint=_HINT
        )
    for word, value in zip(words[1:], numbers, strict=True):
        if not -_ROUNDING <= value <= 1 + _ROUNDING:
            raise DataError(
                f"expected shares of the picture, 0 to 1, in {entry} of {printable(file)}, found {quoted(word)}",
                hint="divide pixels by the picture's width and height",
            )
    return Box(labels[int(number)], _around(numbers) if is_outline else _sides(numbers), entry)


def _sides(numbers: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = numbers
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _around(numbers: Sequence[float]) -> tuple[float, float, float, float]:
    return (min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2]))
