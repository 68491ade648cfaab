"""Turns the raw maps of an anchor-free detection head, such as YOLOv8's and YOLO11's, into detections.

A net of the task `features` gives these maps, channels last; an app calls this rule on them. Kotlin and Swift repeat
it. All of it is double precision.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.arguments import described, expect, expect_each
from mobile_sdk.contract import DetectionSpec, SizePx
from mobile_sdk.errors import SettingError
from mobile_sdk.tasks.boxes import BOX_COLUMNS, Detections, best_of
from mobile_sdk.tasks.softmax import exponential, softmax


def detect_anchor_free(
    maps: Sequence[NDArray[np.generic]], labels: int, spec: DetectionSpec, size_px: SizePx
) -> Detections:
    """Returns the detections in maps (rows, columns, 4 × bins + labels) of a picture of `size_px`.

    1. A map's position covers a cell of the picture: its sides are the picture's, divided by the map's.
    2. The distances from a cell's centre to the left, top, right and bottom side of its box are the means of the bins'
       numbers 0, 1, 2 … by the softmax over the bins, in cells.
    3. A label's score is the sigmoid of its logit.
    4. The rest is `detect`'s rule, from its second step on: positions count map by map, row by row.

    Nothing is detected in maps with a NaN or an infinity.

    Raises SettingError for maps of other channels.

    Source: Li et al. 2020, "Generalized Focal Loss", arXiv 2006.04388, section 3.2, for the bins.
    """
    expect_each("maps", maps, np.ndarray, hint="give one picture's raw maps, channels last")
    expect("labels", labels, int)
    expect("spec", spec, DetectionSpec)
    expect("size_px", size_px, int, tuple)
    height, width = (size_px, size_px) if isinstance(size_px, int) else size_px
    boxes, logits = [], []
    for each in maps:
        bins = _bins(each, labels)
        rows, columns, _ = each.shape
        values = each.reshape(rows * columns, -1).astype(np.float64)
        cell = np.array([width / columns, height / rows])
        down, right = np.divmod(np.arange(rows * columns), columns)
        centres = (np.stack([right, down], axis=1) + 0.5) * cell
        distances = _means(values[:, : BOX_COLUMNS * bins].reshape(-1, BOX_COLUMNS, bins))
        boxes.append(np.hstack([centres - distances[:, :2] * cell, centres + distances[:, 2:] * cell]))
        logits.append(values[:, BOX_COLUMNS * bins :])
    if not boxes:
        raise SettingError("expected one map or more, found none", hint="give the outputs that hold boxes and logits")
    if not all(np.isfinite(each).all() for each in maps):
        boxes, logits = [boxes[0][:0]], [logits[0][:0]]
    return best_of(np.concatenate(boxes), 1 / (1 + exponential(-np.concatenate(logits))), spec, size_px)


def _bins(found: NDArray[np.generic], labels: int) -> int:
    """Returns the number of bins of a side's distance."""
    bins, rest = divmod(found.shape[-1] - labels, BOX_COLUMNS) if found.ndim == 3 else (0, 0)
    if rest or bins < 2 or labels < 1:
        raise SettingError(
            f"expected maps (rows, columns, 4 × bins + {labels}) with two bins or more, found {described(found)}",
            hint="give one picture's raw maps, channels last, and the number of the net's labels",
        )
    return bins


def _means(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean of the bins' numbers by the softmax over the last axis."""
    means: NDArray[np.float64] = np.cumsum(softmax(logits) * np.arange(logits.shape[-1]), axis=-1)[..., -1]
    return means
