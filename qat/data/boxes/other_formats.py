"""Recognizes formats of boxes that have no reader, and says how to convert them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from qat.data.folders.listing import Folder, first_bytes, printable

_MOST_FILES = 64  # files of a suffix that are opened: formats with more have one for each picture, all alike
_CONVERT = "convert it to COCO's annotations.json"


class _Format(NamedTuple):
    """Describes a format by a file's suffix and a pattern that its name, a line end and its first bytes match."""

    suffix: str
    pattern: str
    name: str
    hint: str = _CONVERT


_ROWS = (
    _Format("txt", r".*\n\s*(imagesource:|gsd:|([-\d.]+ ){8}[^\d\s.+-])", "DOTA's rows of turned boxes"),
    _Format(
        "txt",
        r".*\n\s*[^\d\s,.+-][^\d\n]*([ \t]-?\d+(\.\d+)?){4}",
        "rows that begin with a name, as KITTI's and OIDv4's do",
    ),
    _Format("txt", r".*\n\s*(-?\d+(\.\d+)?,){5}", "rows with commas, as MOT and VisDrone have them"),
    _Format("txt", r"wider_face.*\n", "WIDER FACE's lists"),
)
_OTHERS = (
    _Format("xml", r"annotations\.xml\n", "CVAT's annotations.xml", "export the task as COCO 1.0"),
    _Format("json", r"person_keypoints_|panoptic_|stuff_|captions_", "COCO's annotations of another task"),
    _Format("json", r'.*\n.*"shapes"', "labelme's JSON"),
    _Format("json", r'.*\n.*("_via_|"shape_attributes"|"regions": *[\[{].*"region_attributes")', "VIA's JSON"),
    _Format("json", r'.*\n.*("assets?": *{|"visitedAssets)', "VoTT's JSON"),
    _Format("json", r'meta\.json\n.*"classes"', "a Supervisely project"),
    _Format("json", r'.*createml.*\n|.*\n.*"coordinates": *{', "CreateML's JSON"),
    _Format(
        "json",
        r'.*\n.*("rectanglelabels"|"original_width"|"result": *\[|"label": *\[)',
        "Label Studio's JSON",
        "export as COCO",
    ),
    _Format(
        "json", r'samples\.json\n|.*\n.*"labels": *{', "FiftyOne's JSON", "export as fo.types.COCODetectionDataset"
    ),
    _Format("json", r'.*\n.*("box2d"|"labels": *\[)', "BDD100K's JSON"),
    _Format("jsonl", r"", "rows of JSON, as Hugging Face has them"),
    _Format("csv", r"", "a table", f"{_CONVERT}; for labels without boxes: --task classification"),
    _Format("mat", r"", "a file of MATLAB"),
    _Format("manifest", r"", "a manifest of SageMaker"),
    _Format("tfrecord", r"", "TFRecords", "export the data set as COCO, with its pictures"),
    _Format("record", r"", "TFRecords", "export the data set as COCO, with its pictures"),
    _Format("zip", r"", "an archive", "unpack it there"),
    _Format("parquet", r"", "Parquet", "export the data set as COCO, with its pictures"),
)


def other_rows(folder: Folder) -> tuple[str, str] | None:
    """Returns which text files with boxes, but none of YOLO's, are in the folder, and a hint; None if none are."""
    return _found(folder, _ROWS)


def other_boxes(folder: Folder) -> tuple[str, str] | None:
    """Returns which files in the folder may hold boxes that no reader reads, and a hint; None if there are none."""
    return _found(folder, (*_OTHERS, *_ROWS))


def _found(folder: Folder, formats: Sequence[_Format]) -> tuple[str, str] | None:
    """Returns the first of the formats that a file matches, and where."""
    by_suffix: dict[str, list[Path]] = {}
    for file in folder.all_others():
        by_suffix.setdefault(file.suffix.lower().removeprefix("."), []).append(file)
    for each in formats:
        for file in by_suffix.get(each.suffix, [])[:_MOST_FILES]:
            start = first_bytes(file).decode("utf-8-sig", "replace")
            if re.match(each.pattern, f"{file.name}\n{start}", re.DOTALL if each.suffix == "json" else 0):
                return f"{each.name} ({printable(file.relative_to(folder.path))})", each.hint
    return None
