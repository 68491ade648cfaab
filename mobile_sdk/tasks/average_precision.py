"""Computes COCO's mean average precision with pycocotools."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.tasks.boxes import Detections, Truth
from mobile_sdk.tasks.class_quality import ByClass
from mobile_sdk.tasks.quality import Quality

MEASURE = "average precision"
COCO_MEASURE = "average precision, IoU 0.50:0.95"


def average_precision(found: Sequence[Detections], truths: Sequence[Truth], labels: int) -> Quality:
    """Measures detections by the mean over all labels of their average precision at an IoU of 0.5.

    COCO's own figure, the mean over IoUs of 0.5, 0.55 … 0.95, is among the other measures. A label that no image shows
    has none. Detections in an ignored box count as neither right nor wrong, as in COCO's crowds.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools announces every step
        from pycocotools.coco import COCO  # type: ignore[import-untyped]
        from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]

        wanted = _coco(COCO, [_truth_entries(index, truth) for index, truth in enumerate(truths)], len(truths), labels)
        given = _coco(COCO, [_found_entries(index, each) for index, each in enumerate(found)], len(truths), labels)
        evaluation = COCOeval(wanted, given, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    coco, half = (max(float(value), 0.0) for value in evaluation.stats[:2])
    by_class = _by_class(evaluation)
    return Quality(measure=MEASURE, value=half, images=len(truths), by_class=by_class, others={COCO_MEASURE: coco})


def _by_class(evaluation: Any) -> ByClass:
    """Returns average precision at an IoU of a half, for all areas and all detections; pycocotools has -1 for none."""
    at_half = evaluation.eval["precision"][0, :, :, 0, -1]  # (recalls, labels)
    return tuple(float(column.mean()) if (column >= 0).all() else None for column in at_half.T)


def _coco(kind: Any, entries: list[list[dict[str, Any]]], pictures: int, labels: int) -> Any:
    """Returns a data set in pycocotools' form; its identities count from 1."""
    coco = kind()
    flat = [entry for of_picture in entries for entry in of_picture]
    coco.dataset = {
        "images": [{"id": index + 1} for index in range(pictures)],
        "categories": [{"id": index + 1} for index in range(labels)],
        "annotations": [{"id": index + 1, "iscrowd": 0, **entry} for index, entry in enumerate(flat)],
    }
    coco.createIndex()
    return coco


def _truth_entries(index: int, truth: Truth) -> list[dict[str, Any]]:
    rows = zip(truth.boxes, truth.labels, truth.is_ignored, strict=True)
    return [{**_entry(index, box, int(label)), "iscrowd": int(is_ignored)} for box, label, is_ignored in rows]


def _found_entries(index: int, found: Detections) -> list[dict[str, Any]]:
    rows = zip(found.boxes, found.labels, found.scores, strict=True)
    return [{**_entry(index, box, int(label)), "score": float(score)} for box, label, score in rows]


def _entry(index: int, box: NDArray[np.float64], label: int) -> dict[str, Any]:
    left, top, right, bottom = (float(side) for side in box)
    size = {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}
    return {"image_id": index + 1, "category_id": label + 1, **size}
