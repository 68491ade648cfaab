"""Reads pictures with boxes in YOLO's format, a text file for each, as Ultralytics, Roboflow and CVAT write them.

Rows are in `qat.data.boxes.formats.yolo_rows`, the files' places in `qat.data.boxes.formats.yolo_layout`, and what
becomes of faulty boxes in `qat.data.boxes.faults`.

It takes data.yaml with names as a list or as number: name, `val` equal to `train` (a fifth is held out instead), and
lists of pictures; obj.data; classes.txt; UTF-8 with or without its mark, UTF-16, blank lines and line ends of all
systems; outlines, by the boxes around them; pictures without rows, which show nothing; and shares up to a hundredth
beyond 0 and 1, which are cut. It reports equal splits, outlines and pictures without rows.

It leaves out, and names: files of rows without a picture; splits for tests.

It refuses, naming file and line: a class beyond the names; rows of another count of numbers, such as predictions with
scores; pixels; key points; a folder, list or picture that is missing; names that are no texts, that are repeated, or
that differ between lists; a repeated number in data.yaml; no box at all.
"""

from collections.abc import Mapping
from pathlib import Path

from mobile_sdk.errors import DataError
from qat.data.boxes.annotations import Boxed, BoxedFolder, Part
from qat.data.boxes.formats.yolo_layout import HINT, ROWS, Yolo, names_files
from qat.data.boxes.formats.yolo_rows import read_rows
from qat.data.boxes.sidecars import say_left_out
from qat.data.folders.listing import counted, listed
from qat.progress import say


def read_yolo(yolo: Yolo) -> BoxedFolder:
    """Returns the checked content of the files."""
    taken = {rows for part in yolo.parts for rows in part.values() if rows}
    if not taken:
        raise DataError(
            f"expected files of rows ({ROWS}) for the pictures in {yolo.folder.path}, found none", hint=HINT
        )
    homes = {rows.parent for rows in taken}
    others = {*taken, *names_files(yolo.folder)}
    beside = [file for file in yolo.folder.all_others() if file.parent in homes and file.suffix.lower() == ROWS]
    say_left_out((file for file in beside if file not in others), "file of rows", "without a picture", "files of rows")
    parts, outlines = zip(*(_part(yolo, each) for each in yolo.parts), strict=True)
    if count := sum(outlines):
        say(f"took {counted(count, 'outline')} by the boxes around them")
    empty = [picture.name for part in yolo.parts for picture, rows in part.items() if rows is None]
    if empty:
        say(f"{counted(len(empty), 'picture')} without a file of rows, taken as showing nothing: {listed(empty)}")
    return BoxedFolder(root=yolo.folder.path, labels=yolo.labels, said_by=yolo.said_by, parts=tuple(parts))


def _part(yolo: Yolo, files: Mapping[Path, Path | None]) -> tuple[Part, int]:
    """Returns the pictures with their boxes, and how many boxes are drawn around outlines."""
    part, outlines = [], 0
    for picture, rows in files.items():
        boxes, count = read_rows(rows, yolo.labels) if rows else ((), 0)
        outlines += count
        name = picture.relative_to(yolo.folder.path).as_posix()
        part.append(Boxed(picture=picture, name=name, source=rows or picture, boxes=boxes, are_shares=True))
    return tuple(part), outlines
