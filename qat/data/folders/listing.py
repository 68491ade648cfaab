"""Lists a folder on the disk: its pictures, its other files and its folders, without hidden files."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from mobile_sdk.errors import DataError
from mobile_sdk.preprocess.array_files import ARRAY_SUFFIX

PICTURE_SUFFIXES = frozenset(
    # .heic is listed although Pillow cannot read it: better that it is named as unreadable than silently left out.
    (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".heif", ".jfif", ".jpe")
)
LAYOUT_HINT = "lay the pictures out as FOLDER/<label>/*.jpg, or FOLDER/train/<label>/ and FOLDER/val/<label>/"
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_OF_SYSTEMS = frozenset(("__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db", "$recycle.bin", "@eadir", "lost+found"))
_DEEPEST = 32
_START = 4096  # bytes that show a file's format
_MOST_LINKS = 4  # on the way to a folder: links that lead across each other would multiply without end


@dataclass(frozen=True, kw_only=True)
class Folder:
    """Holds the content of the folder `path`, each kind sorted by name."""

    path: Path
    pictures: tuple[Path, ...]
    others: tuple[Path, ...]
    folders: "tuple[Folder, ...]"

    @property
    def name(self) -> str:
        """Returns the folder's own name."""
        return self.path.name

    def all_pictures(self) -> list[Path]:
        """Returns its pictures and those of all folders below."""
        return [*self.pictures, *(file for folder in self.folders for file in folder.all_pictures())]

    def all_others(self) -> list[Path]:
        """Returns its other files and those of all folders below."""
        return [*self.others, *(file for folder in self.folders for file in folder.all_others())]

    def filled(self) -> "list[Folder]":
        """Returns its folders that hold pictures, at any depth."""
        return [folder for folder in self.folders if folder.holds_pictures()]

    def holds_pictures(self) -> bool:
        """Returns whether it holds a picture, at any depth."""
        return bool(self.pictures) or any(folder.holds_pictures() for folder in self.folders)


def read_folder(path: Path) -> Folder:
    """Returns the folder at `path`; raises DataError if there is none, or if one below cannot be read.

    Its pictures are files of arrays (`.npy`) if it holds no other.
    """
    if path.is_file():
        hint = "unpack it and name the folder" if is_archive(path) else LAYOUT_HINT
        raise DataError(f"expected a folder of pictures, found a file at {path}", hint=hint)
    if not path.is_dir():
        raise DataError(f"expected a folder of pictures, found none at {path}", hint=LAYOUT_HINT)
    pictures = _read(path, PICTURE_SUFFIXES, (), 0)
    if pictures.holds_pictures():
        return pictures
    arrays = _read(path, frozenset((ARRAY_SUFFIX,)), (), 0)
    return arrays if arrays.holds_pictures() else pictures


def folded_name(name: str) -> str:
    """Returns a name with letters folded and composed, as archives change both."""
    return unicodedata.normalize("NFC", name).casefold()


def natural_order(name: str) -> tuple[tuple[str | Decimal, ...], str]:
    """Returns a sort key by which 2 is before 10, and class_2 before class_10."""
    parts = re.split("([0-9]+)", name)  # every other one is a number, for which int() has a limit of digits
    return tuple(Decimal(part) if index % 2 else part for index, part in enumerate(parts)), name


def listed(names: Iterable[str], most: int = 5) -> str:
    """Returns the first names in natural order, in one line, and how many more there are."""
    ordered = [printable(name) for name in sorted(names, key=natural_order)]
    return ", ".join(ordered[:most]) + (f" and {len(ordered) - most} more" if len(ordered) > most else "") or "none"


def counted(count: int, what: str, plural: str = "") -> str:
    """Returns a count with its noun: "1 picture", "2 pictures", "2 boxes"."""
    return f"{count:,} {what if count == 1 else plural or what + 's'}"


def by_suffix(files: Iterable[Path]) -> str:
    """Returns the number of files of each suffix, the commonest first: "3 .txt, 1 .mov"."""
    counts = Counter(file.suffix.lower() or "without suffix" for file in files)
    return ", ".join(f"{count} {printable(suffix)}" for suffix, count in counts.most_common(5))


def printable(name: str | Path) -> str:
    """Returns a name or path in one line of text, with letters that cannot be printed replaced."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(name))


def is_archive(file: Path) -> bool:
    """Returns whether the file's suffix is that of an archive."""
    return file.suffix.lower() in _ARCHIVES


def first_bytes(file: Path) -> bytes:
    """Returns the bytes that show a file's format; none if it cannot be read."""
    try:
        if not file.is_file():
            return b""
        with file.open("rb") as opened:
            return opened.read(_START)
    except OSError:
        return b""


def no_pictures(folder: Folder) -> DataError:
    """Returns the error for a folder without pictures, with what it holds instead."""
    others = folder.all_others()
    found = f"none, but files: {by_suffix(others)}" if others else "none"
    packed = any(map(is_archive, others))
    hint = "unpack the archive there" if packed else f"give files that end in {' '.join(sorted(PICTURE_SUFFIXES))}"
    return DataError(f"expected pictures in {folder.path}, found {found}", hint=hint)


def _read(path: Path, suffixes: frozenset[str], above: tuple[str, ...], links: int) -> Folder:
    if len(above) > _DEEPEST:
        raise DataError(f"expected at most {_DEEPEST} folders in each other, found more at {path}", hint=LAYOUT_HINT)
    pictures: list[Path] = []
    others: list[Path] = []
    folders: list[Folder] = []
    above = (*above, os.path.realpath(path))
    for entry in _entries(path):
        place = path / entry.name
        if not entry.is_dir():
            is_picture = place.suffix.lower() in suffixes
            (pictures if is_picture else others).append(place)
        elif not entry.is_symlink():
            folders.append(_read(place, suffixes, above, links))
        elif os.path.realpath(place) not in above and links < _MOST_LINKS:  # a link to a folder above would never end
            folders.append(_read(place, suffixes, above, links + 1))
    return Folder(path=path, pictures=tuple(pictures), others=tuple(others), folders=tuple(folders))


def _entries(path: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(path) as found:
            shown = [entry for entry in found if _is_shown(entry.name)]
    except OSError as error:
        raise DataError(
            f"expected a folder that can be read at {path}, found: {error.strerror}",
            hint="check the right to read it",
        ) from error
    yield from sorted(shown, key=lambda entry: entry.name)


def _is_shown(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _OF_SYSTEMS
