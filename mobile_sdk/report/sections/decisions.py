"""Reports what a classifier gets wrong: label by label, as a confusion matrix, and where int8 decides otherwise."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mobile_sdk.contract import ImageSpec, NetInput
from mobile_sdk.preprocess import LabelledPictures, to_bytes
from mobile_sdk.program.agreement import Confusion, Decisions
from mobile_sdk.program.record import Record
from mobile_sdk.report.data import ChangedPicture, Report
from mobile_sdk.tasks.quality import Quality

MOST_MATRIX_LABELS = 20  # a matrix of more has letters that nobody reads
_LISTED = 20
_THUMBNAIL_PX = 96


@dataclass(frozen=True, kw_only=True)
class LabelRow:
    """Holds the quality of one label in float and in int8, shares; `images` is None if they were not counted."""

    label: str
    images: int | None
    in_float: float | None
    in_int8: float | None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Holds the images of a row's label that are taken for a column's, in int8 and in float; `share` is of the row."""

    in_int8: int
    in_float: int
    share: float
    is_right: bool


@dataclass(frozen=True, kw_only=True)
class ConfusionRow:
    """Holds a confusion by its labels' names, and how many images it takes in int8 and in float."""

    label: str
    found: str
    in_int8: int
    in_float: int


def label_rows(report: Report) -> list[LabelRow]:
    """Returns a row a label, the worst in int8 first; none if the record has no quality by label."""
    record, names = report.record, report.label_names
    shares = [quality.by_class if quality else None for quality in _qualities(record)]
    if not names or not any(shares):
        return []
    counts = record.decisions.images if record and record.decisions else ()
    in_float, in_int8 = (each or (None,) * len(names) for each in shares)
    rows = [
        LabelRow(label=name, images=counts[index] if counts else None, in_float=first, in_int8=second)
        for index, (name, first, second) in enumerate(zip(names, in_float, in_int8, strict=True))
    ]
    return sorted(rows, key=lambda row: _worth(row.in_float if row.in_int8 is None else row.in_int8))


def confusion_matrix(report: Report) -> list[tuple[str, list[Cell]]]:
    """Returns a row a true label with a cell a label that it is taken for; none for many labels."""
    decisions, names = _decisions(report), report.label_names
    if decisions is None or not decisions.images or not 2 <= len(names) <= MOST_MATRIX_LABELS:
        return []
    in_int8, in_float = (_dense(each, decisions.images) for each in (decisions.of_int8, decisions.of_float))
    return [
        (
            name,
            [
                Cell(
                    in_int8=int(in_int8[row, column]),
                    in_float=int(in_float[row, column]),
                    share=float(in_int8[row, column]) / max(1, decisions.images[row]),
                    is_right=row == column,
                )
                for column in range(len(names))
            ],
        )
        for row, name in enumerate(names)
    ]


def confusion_rows(report: Report) -> list[ConfusionRow]:
    """Returns the most frequent confusions of int8, and of float those that are among them."""
    decisions, names = _decisions(report), report.label_names
    if decisions is None or not names:
        return []
    in_float = {(each.label, each.found): each.images for each in decisions.of_float}
    return [
        ConfusionRow(
            label=names[each.label],
            found=names[each.found],
            in_int8=each.images,
            in_float=in_float.get((each.label, each.found), 0),
        )
        for each in decisions.of_int8[:_LISTED]
    ]


def changed_pictures(
    record: Record | None, spec: NetInput | None, pictures: LabelledPictures | None
) -> Iterator[ChangedPicture]:
    """Yields small drawings of the images that int8 decides otherwise, if the `pictures` are those that were judged."""
    decisions = record.decisions if record else None
    if decisions is None or pictures is None or not isinstance(spec, ImageSpec):
        return
    judged = next((each.images for each in _qualities(record) if each), None)
    if judged is not None and judged != len(pictures):
        return
    for changed in decisions.changed:
        if changed.position < len(pictures):
            picture, label = pictures[changed.position]
            if changed.label in (None, int(label)):
                yield ChangedPicture(position=changed.position, png_base64=_thumbnail(to_bytes(picture, spec)))


def _thumbnail(pixels: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> str:
    """Returns what the net sees (height, width, channels), at most 96 px wide and high, as a PNG in base64."""
    drawn = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    drawn.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    stream = io.BytesIO()
    drawn.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def _qualities(record: Record | None) -> tuple[Quality | None, Quality | None]:
    return (record.float_quality, record.reference_quality) if record else (None, None)


def _decisions(report: Report) -> Decisions | None:
    return report.record.decisions if report.record else None


def _dense(confusions: Sequence[Confusion], images: Sequence[int]) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    """Returns the images of each label (rows) by the label that they are given (columns)."""
    counts = np.diag(np.array(images, np.int64))
    for each in confusions:
        counts[each.label, each.found] += each.images
        counts[each.label, each.label] -= each.images
    return counts


def _worth(share: float | None) -> float:
    return 2.0 if share is None else share
