"""Mean intersection over union, as PASCAL VOC counts it: over the pixels of all pictures together."""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.document import Document
from mobile_sdk.tasks.class_quality import ByLabel
from mobile_sdk.tasks.segmentation import Masks


class MeanIou(Document):
    """`share` is the mean, 0..1, over the labels that occur in truth or masks.

    `by_label` is null for those that no truth shows: a label that is only found where it is not counts as 0 in the mean
    alone.
    """

    share: float
    by_label: ByLabel
    pictures: int


def mean_iou(masks: Masks, truths: Masks, labels: int) -> MeanIou:
    """Of masks (pictures, H, W) against what is known; pixels of `VOID` in `truths` are left out.

    Source: Everingham et al. 2015, "The PASCAL Visual Object Classes Challenge: A Retrospective", section 3.3.
    """
    counts = _confusion(masks, truths, labels)
    common = np.diagonal(counts).astype(np.float64)
    union = counts.sum(axis=0) + counts.sum(axis=1) - common
    shares = [float(both / either) if either else None for both, either in zip(common, union, strict=True)]
    known = [share for share in shares if share is not None]
    by_label = tuple(share if shown else None for share, shown in zip(shares, counts.sum(axis=1), strict=True))
    return MeanIou(share=sum(known) / len(known) if known else 0.0, by_label=by_label, pictures=len(masks))


def _confusion(masks: Masks, truths: Masks, labels: int) -> NDArray[np.int64]:
    """How many pixels of a truth (row) got a label (column)."""
    total = np.zeros(labels * labels, np.int64)
    for mask, truth in zip(masks, truths, strict=True):
        is_asked = truth < labels
        total += np.bincount(truth[is_asked].astype(np.int64) * labels + mask[is_asked], minlength=labels * labels)
    return total.reshape(labels, labels)
