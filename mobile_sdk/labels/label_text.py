"""Reads labels as people and tools write them, and refuses labels that no app could show or tell apart."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mobile_sdk.errors import DataError
from mobile_sdk.system.regular_file import read_regular

LONGEST = 255
"""A label has at most so many letters, as a folder's name, the other place where labels are written."""

_MOST_BYTES = 2**22  # bytes; enough for 100,000 labels of 40 letters
_NO_TEXT = frozenset(("Cc", "Cs", "Zl", "Zp"))  # control characters, bytes that are no UTF-8, ends of lines
_SHOWN = 40  # letters of a label that an error repeats


def read_text(path: Path, *, of: str = "one label a line", at_most: int = _MOST_BYTES) -> str:
    """Returns the text of the file `path`: UTF-8, or UTF-16 with its mark; a mark before the first letter is dropped.

    Raises DataError for a file that is missing, cannot be read, is larger than `at_most` bytes, or is no text.
    """
    try:
        content = read_regular(path, at_most=at_most)
        is_utf16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        text = content.decode("utf-16" if is_utf16 else "utf-8-sig")
        if "\0" in text:
            raise ValueError("bytes that are no text")
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or error
        raise DataError(f"expected a text of {of} in {path}, found: {found}", hint="save it as UTF-8 text") from error
    return text


def lines_of(text: str) -> tuple[str, ...]:
    """Returns the lines without the white space around them, whatever their line ends; drops blank lines at the end."""
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text)]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def numbered_lines(path: Path) -> tuple[str, ...]:
    """Returns the labels of a text whose lines are numbered from 0, as masks refer to them.

    Raises DataError as `read_text` and `check_labels` do, and for a blank line between labels.
    """
    labels = lines_of(read_text(path))
    if "" in labels:
        raise DataError(
            f"expected a label in every line of {path}, found line {labels.index('') + 1} blank",
            hint="numbers count the lines: name the blank one, or remove it where no number means it",
        )
    check_labels(labels, str(path))
    return labels


def check_labels(labels: Sequence[str], place: str) -> None:
    """Raises DataError, which names `place` and the label, for one that no app could show or tell from another.

    These are blank labels, those of more than 255 letters, those with control characters or bytes that are no text, and
    those that occur twice, whatever way their letters are composed and whatever white space surrounds them.
    """
    for number, label in enumerate(labels, start=1):
        if fault := _fault(label):
            raise DataError(
                f"expected labels that are a line of UTF-8 text each in {place}, found label {number} {fault}: "
                f"{shown(label)}",
                hint="rename it",
            )
    counts = Counter(unicodedata.normalize("NFC", label).strip() for label in labels)
    if twice := [label for label, count in counts.items() if count > 1]:
        more = " …" if len(twice) > 3 else ""
        raise DataError(
            f"expected labels that differ in {place}, found {', '.join(map(shown, twice[:3]))}{more} more than once",
            hint="tell them apart by a word: apps know a label by its name",
        )


def shown(label: str) -> str:
    """Returns the label as an error repeats it: in one line, its end left out if it is long."""
    plain = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in label)
    return plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}…"


def _fault(label: str) -> str | None:
    if not label.strip():
        return "blank"
    if len(label) > LONGEST:
        return f"of {len(label):,} letters"
    return None if _NO_TEXT.isdisjoint(map(unicodedata.category, label)) else "with control characters"
