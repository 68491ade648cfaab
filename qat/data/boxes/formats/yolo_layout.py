"""Finds a YOLO data set's pictures, rows and names of classes, in one of these layouts.

- data.yaml, and what it names: `images/train/` and `labels/train/`, `train/images/` and `train/labels/`, or lists
- `obj.data` and what it names: `train.txt`, `valid.txt`, `obj.names`, as Darknet and CVAT write them
- else the places of `qat.data.boxes.sidecars`, and classes.txt or another list of names

Paths may begin with folders that no longer exist, or with `..`, as Roboflow's do; no file outside the folder is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mobile_sdk.errors import DataError
from mobile_sdk.labels.label_text import lines_of, numbered_lines, read_text
from mobile_sdk.system.regular_file import MIB
from qat.data.boxes.annotations import quoted
from qat.data.boxes.file_finder import FileFinder, endings
from qat.data.boxes.formats.yolo_yaml import SUFFIXES, YoloData, read_yaml
from qat.data.boxes.other_formats import other_rows
from qat.data.boxes.sidecars import by_picture, places_of
from qat.data.folders.annotated import chosen
from qat.data.folders.listing import Folder, folded_name, listed
from qat.progress import say

ROWS = ".txt"
HINT = "give data.yaml with train, val and names; or pictures, rows of the same names, and classes.txt"
_NAMES = ("classes.txt", "labels.txt", "_darknet.labels")
_DARKNET = ".data"


@dataclass(frozen=True, kw_only=True)
class Yolo:
    """Holds, for each part, the pictures and their files of rows, None for a picture without; and the classes' names.

    `said_by` is the file with the names.
    """

    folder: Folder
    labels: tuple[str, ...]
    said_by: Path
    parts: tuple[dict[Path, Path | None], ...]


def find_yolo(folder: Folder) -> Yolo | None:
    """Returns what `folder` holds in this format, None if nothing; raises DataError if something is missing."""
    data = _data_yaml(folder) or _darknet(folder)
    places = places_of(folder, ROWS)
    if data and data.splits:
        parts = _named_parts(folder, data)
    elif places:
        chosen_places = (places[""],) if "" in places else chosen(places, folder.path)
        parts = tuple(
            {picture: rows.get(picture) for picture in place.pictures.all_pictures()}
            for place in chosen_places
            for rows in (by_picture(place, ROWS),)
        )
    elif data:
        raise DataError(f"expected pictures with rows beside {data.file}, found none", hint=HINT)
    else:
        return None
    labels, file = (data.labels, data.file) if data else _names(folder)
    return Yolo(folder=folder, labels=labels, said_by=file, parts=parts)


def names_files(folder: Folder) -> list[Path]:
    """Returns the files below the folder whose names mark them as lists of class names."""
    return [file for file in folder.all_others() if file.name.lower() in _NAMES or file.suffix.lower() == ".names"]


def _data_yaml(folder: Folder) -> YoloData | None:
    files = [file for file in folder.others if file.suffix.lower() in SUFFIXES]
    named = [file for file in files if file.stem.lower() in {"data", "dataset"}]
    found = [data for file in named or files if (data := read_yaml(file))]
    if len(found) > 1:
        raise DataError(
            f"expected one data.yaml in {folder.path}, found {listed(each.file.name for each in found)}",
            hint="move the others away",
        )
    return found[0] if found else None


def _darknet(folder: Folder) -> YoloData | None:
    """Returns the content of Darknet's file of `key = value`."""
    files = [file for file in folder.others if file.suffix.lower() == _DARKNET]
    if len(files) != 1:
        return None
    pairs = [line.partition("=") for line in lines_of(read_text(files[0], of="key = value"))]
    fields = {key.strip(): value.strip() for key, _, value in pairs}
    keys = (("train", "train"), ("validation", "valid"))
    splits: dict[str, tuple[str, ...]] = {split: (fields[key],) for split, key in keys if fields.get(key)}
    named = FileFinder((folder,)).find(fields.get("names", ""))
    labels = numbered_lines(named) if named else _names(folder)[0]
    return YoloData(file=files[0], labels=labels, splits=splits)


def _names(folder: Folder) -> tuple[tuple[str, ...], Path]:
    """Returns the names of classes from the lists below the folder, which must agree, and the first list."""
    found = {file: numbered_lines(file) for file in names_files(folder)}
    if empty := [file for file, names in found.items() if not names]:
        raise DataError(f"expected a name for each class in {empty[0]}, found none", hint=HINT)
    if not found:
        if other := other_rows(folder):
            raise DataError(f"expected YOLO's rows in {folder.path}, found {other[0]}", hint=other[1])
        raise DataError(
            f"expected the classes' names in data.yaml or classes.txt in {folder.path}, found none", hint=HINT
        )
    if len(set(found.values())) > 1:
        raise DataError(
            f"expected the same names in all lists in {folder.path}, found others in "
            f"{listed(file.relative_to(folder.path).as_posix() for file in found)}",
            hint="keep the one that was annotated with",
        )
    return next(iter(found.values())), next(iter(found))


def _named_parts(folder: Folder, data: YoloData) -> tuple[dict[Path, Path | None], ...]:
    """Returns the pictures of the folders and lists that data.yaml names, and their rows."""
    if "train" not in data.splits:
        raise DataError(f"expected train in {data.file}, found none", hint=HINT)
    if "test" in data.splits:
        say("left aside: test")
    finder = FileFinder((folder,))
    parts = [
        list(dict.fromkeys(picture for entry in entries for picture in _pictures(folder, finder, data, split, entry)))
        for split, entries in data.splits.items()
        if split != "test"
    ]
    if len(parts) == 2 and set(parts[0]) == set(parts[1]):
        say(f"{data.file.name} names the same pictures to learn from and to validate by: a fifth is held out instead")
        parts.pop()
    return tuple(_with_rows(folder, finder, part) for part in parts)


def _pictures(folder: Folder, finder: FileFinder, data: YoloData, split: str, entry: str) -> list[Path]:
    """Returns the pictures of one folder or list."""
    for name in _forms(folder, data.base, entry):
        if found := _folder_at(folder, name):
            return found.all_pictures()
    file = finder.find(f"{data.base}/{entry}")
    if file and file.suffix.lower() == ROWS:
        return list(_in_list(folder, finder, file))
    raise DataError(
        f"expected the pictures of {split} that {data.file} names, found nothing at {quoted(entry)}",
        hint="unpack the whole data set, or correct the path",
    )


def _forms(folder: Folder, base: str, entry: str) -> Iterator[str]:
    """Yields the paths below the folder that an entry may mean, the likeliest first; "" is the folder itself.

    Folders in front are left out only if they are another machine's, or the folder's own name, which Roboflow writes:
    `images` in place of a missing `train/images` would be other pictures.
    """
    yield next(endings(f"{base}/{entry}"), "")
    plain = next(endings(entry), "")
    if base:
        yield plain
    is_foreign = bool(base) or entry.replace("\\", "/").startswith(("/", "..")) or ":" in entry
    if is_foreign or folded_name(plain.split("/")[0]) == folded_name(folder.name):
        yield from endings(f"{base}/{entry}")


def _folder_at(folder: Folder, name: str) -> Folder | None:
    for part in name.split("/") if name else ():
        inner = {folded_name(each.name): each for each in folder.folders}
        if folded_name(part) not in inner:
            return None
        folder = inner[folded_name(part)]
    return folder


def _in_list(folder: Folder, finder: FileFinder, file: Path) -> Iterator[Path]:
    """Yields the pictures that a list names, one a line."""
    beside = file.parent.relative_to(folder.path).as_posix()
    for number, line in enumerate(lines_of(read_text(file, of="one path a line", at_most=256 * MIB)), start=1):
        if not line:
            continue
        picture = finder.find_exact(f"{beside}/{next(endings(line), '')}") or finder.find(line)
        if picture is None:
            raise DataError(
                f"expected the picture {quoted(line)} of line {number} of {file}, found none",
                hint="export the data set with its pictures, and unpack all of it",
            )
        yield picture


def _with_rows(folder: Folder, finder: FileFinder, pictures: list[Path]) -> dict[Path, Path | None]:
    """Returns the pictures and their rows.

    Rows are in `labels/` in place of the last `images/` of the picture's path, else beside the picture.
    """
    found: dict[Path, Path | None] = {}
    owners: dict[Path, Path] = {}
    for picture in pictures:
        path = PurePosixPath(picture.relative_to(folder.path).as_posix()).with_suffix(ROWS)
        parts = list(path.parts)
        last = max((place for place, part in enumerate(parts[:-1]) if part.casefold() == "images"), default=None)
        moved = [*parts[:last], "labels", *parts[last + 1 :]] if last is not None else parts
        rows = found[picture] = finder.find_exact("/".join(moved)) or finder.find_exact("/".join(parts))
        if rows and owners.setdefault(rows, picture) != picture:
            raise DataError(
                f"expected one picture for {rows}, found {listed(each.name for each in (picture, owners[rows]))}",
                hint="it cannot be told which was annotated: rename or remove one",
            )
    return found
