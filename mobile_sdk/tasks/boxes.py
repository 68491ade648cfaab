"""Turns a detector's output into detections: the best label of overlapping boxes, by non-maximum suppression.

Kotlin and Swift repeat `detect`; the golden detections in a bundle hold them to it. All of it is double precision.
"""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.arguments import described, expect
from mobile_sdk.contract import DetectionSpec, ImageSpec, SizePx
from mobile_sdk.errors import SettingError
from mobile_sdk.tasks.softmax import softmax

BOX_COLUMNS = 4  # left, top, right, bottom; "nothing" and the labels follow


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """Holds the objects in a picture: `boxes` (n, 4) left, top, right, bottom in pixels, `labels` (n,) their indices.

    `is_ignored` (n,) marks objects that are neither required nor forbidden: COCO's crowds, PASCAL VOC's difficult
    objects. Without it none is ignored.
    """

    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    is_ignored: NDArray[np.bool_] = None  # type: ignore[assignment]  # never, once it is made

    def __post_init__(self) -> None:
        if self.is_ignored is None:
            object.__setattr__(self, "is_ignored", np.zeros(len(self.labels), np.bool_))

    def scaled(self, horizontal: float, vertical: float) -> "Truth":
        """Returns the objects of a stretched picture."""
        return replace(self, boxes=self.boxes * [horizontal, vertical, horizontal, vertical])


@runtime_checkable
class PicturesWithBoxes(Protocol):
    """Defines pictures with known objects."""

    def truths_in(self, spec: ImageSpec) -> tuple[Truth, ...]:
        """Returns the objects of each picture, in pixels of the net's picture."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Detections:
    """Holds a picture's detections, best first: boxes (n, 4) in pixels, label indices (n,), scores (n,) in 0..1."""

    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]


def detect(output: NDArray[np.generic], spec: DetectionSpec, size_px: SizePx) -> Detections:
    """Returns the detections in an output (anchors, 4 + 1 + labels) for a picture of `size_px`.

    1. A label's score is its share of the softmax over "nothing" and all labels.
    2. Boxes are cut at the picture's edges.
    3. For every label, boxes of at least `score_threshold` in falling order (equal ones by their anchor's index):
       each that overlaps none kept before by more than `iou_threshold` is kept.
    4. The `max_detections` best of all labels, equal ones by label and then by anchor.

    Nothing is detected in an output with a NaN or an infinity.
    """
    expect("output", output, np.ndarray)
    if output.ndim != 2 or output.shape[1] < BOX_COLUMNS + 2:
        raise SettingError(
            f"expected a detector's output (anchors, {BOX_COLUMNS + 2} or more), found {described(output)}",
            hint="give what the net says of one picture",
        )
    expect("spec", spec, DetectionSpec)
    expect("size_px", size_px, int, tuple)
    rows = output if np.isfinite(output).all() else output[:0]
    return best_of(rows[:, :BOX_COLUMNS], label_shares(rows), spec, size_px)


def best_of(
    boxes: NDArray[np.generic], shares: NDArray[np.float64], spec: DetectionSpec, size_px: SizePx
) -> Detections:
    """Returns the detections among boxes (n, 4), of whose labels `shares` (n, labels) are the scores.

    These are `detect`'s steps from the second on.
    """
    height, width = (size_px, size_px) if isinstance(size_px, int) else size_px
    cut = np.clip(boxes.astype(np.float64), 0, np.array([width, height, width, height])) + 0.0  # no zero below zero
    anchors, labels = np.nonzero(shares >= spec.score_threshold)
    scores = shares[anchors, labels]
    order = np.lexsort((anchors, -scores, labels))
    ends = np.flatnonzero(np.diff(labels[order], append=-1)) + 1
    starts = np.concatenate([[0], ends])[:-1]
    found, least = order[:0], spec.score_threshold
    for start, end in zip(starts, ends, strict=True):
        candidates = order[start:end][scores[order[start:end]] >= least]
        found = np.concatenate([found, candidates[_suppressed(cut[anchors[candidates]], spec)]])
        if len(found) >= spec.max_detections:  # what is less likely than so many neither stays nor suppresses
            least = np.partition(scores[found], -spec.max_detections)[-spec.max_detections]
    best = found[np.lexsort((anchors[found], labels[found], -scores[found]))][: spec.max_detections]
    return Detections(boxes=cut[anchors[best]], labels=labels[best], scores=scores[best])


def label_shares(output: NDArray[np.generic]) -> NDArray[np.float64]:
    """Returns every label's share of an anchor, (…, labels): the softmax without its first, "nothing"."""
    return softmax(output[..., BOX_COLUMNS:].astype(np.float64))[..., 1:]


def best_labels(outputs: NDArray[np.generic]) -> NDArray[np.int64]:
    """Returns the label of the largest share in each output (pictures, anchors, columns).

    It is -1 if an output has a NaN or an infinity.
    """
    labels = outputs.shape[-1] - BOX_COLUMNS - 1
    best = [label_shares(each).argmax() % labels if np.isfinite(each).all() else -1 for each in outputs]
    return np.array(best, np.int64)


def overlaps(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the intersection over union of boxes (n, 4) with others (m, 4): (n, m); 0 if both are empty."""
    least = np.maximum(boxes[:, None, :2], others[None, :, :2])
    most = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.prod(np.maximum(most - least, 0), axis=2)
    areas, other_areas = (np.prod(np.maximum(each[:, 2:] - each[:, :2], 0), axis=1) for each in (boxes, others))
    union = areas[:, None] + other_areas[None, :] - common
    shares: NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return shares


def _suppressed(boxes: NDArray[np.float64], spec: DetectionSpec) -> list[int]:
    """Returns the indices of those boxes (n, 4) of one label, best first, that are kept."""
    left, top, right, bottom = (np.ascontiguousarray(side) for side in boxes.T)
    areas = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    rest = np.arange(len(boxes))
    kept: list[int] = []
    while rest.size and len(kept) < spec.max_detections:
        best, rest = int(rest[0]), rest[1:]
        kept.append(best)
        wide = np.minimum(right[best], right[rest]) - np.maximum(left[best], left[rest])
        high = np.minimum(bottom[best], bottom[rest]) - np.maximum(top[best], top[rest])
        common = np.maximum(wide, 0) * np.maximum(high, 0)
        union = areas[best] + areas[rest] - common
        shared = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
        rest = rest[shared <= spec.iou_threshold]
    return kept
