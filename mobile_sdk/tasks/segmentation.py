"""Defines segmentation: an output is the label scores of every pixel, and quality is the mean intersection over union.

Kotlin and Swift repeat `masks_of`; the golden masks in a bundle hold them to it.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.arguments import described, expect
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import SettingError
from mobile_sdk.preprocess import LabelledPictures
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.task import GoldenFile, Outputs, Task

MEASURE = "mean IoU"

VOID = 255
"""A true mask has this byte at a pixel without a label, such as an edge."""

Masks = NDArray[np.uint8]
"""These are label indices (…, height, width)."""


@runtime_checkable
class PicturesWithMasks(Protocol):
    """Defines pictures with a known label of every pixel."""

    def masks_in(self, spec: ImageSpec) -> Masks:
        """Returns the labels (pictures, height, width) of the net's pictures' pixels, `VOID` for none."""
        ...


def masks_of(outputs: NDArray[np.generic]) -> Masks:
    """Returns masks (…, H, W) of outputs (…, H, W, labels): the largest score's label, the lowest of equal ones."""
    expect("outputs", outputs, np.ndarray)
    if outputs.ndim < 3:
        raise SettingError(
            f"expected a segmenter's outputs (…, H, W, labels), found {described(outputs)}",
            hint="give what the net says of pictures",
        )
    masks: Masks = outputs.argmax(axis=-1).astype(np.uint8)
    return masks


def commonest_labels(outputs: NDArray[np.generic]) -> NDArray[np.int64]:
    """Returns the label of most pixels in each of the outputs (pictures, H, W, labels), the lowest of equal ones.

    It is -1 if an output has a NaN or an infinity.
    """
    labels = outputs.shape[-1]
    counts = [np.bincount(mask.ravel(), minlength=labels).argmax() for mask in masks_of(outputs)]
    commonest = np.array(counts, np.int64)
    commonest[~np.isfinite(outputs).all(axis=(1, 2, 3))] = -1
    return commonest


def mean_iou(masks: Masks, truths: Masks, labels: int) -> Quality:
    """Measures masks (images, H, W) by their mean intersection over union, over the pixels of all images together.

    The mean is over the labels that occur in truth or masks. A label that no truth shows has no figure of its own, but
    counts as 0 in the mean where it is found. Pixels of `VOID` in `truths` are left out.

    Source: Everingham et al. 2015, "The PASCAL Visual Object Classes Challenge: A Retrospective", section 3.3.
    """
    counts = _confusion(masks, truths, labels)
    common = np.diagonal(counts).astype(np.float64)
    union = counts.sum(axis=0) + counts.sum(axis=1) - common
    ious = [float(both / either) if either else None for both, either in zip(common, union, strict=True)]
    known = [iou for iou in ious if iou is not None]
    by_class = tuple(iou if shown else None for iou, shown in zip(ious, counts.sum(axis=1), strict=True))
    return Quality(
        measure=MEASURE, value=sum(known) / len(known) if known else 0.0, images=len(masks), by_class=by_class
    )


class MaskFile(GoldenFile):
    """Reads and writes `golden/N.mask.bin`, every pixel's label."""

    kind = "mask.bin"

    def sizes(self, contract: Contract) -> tuple[int, int]:
        """Returns the size twice: a byte a pixel."""
        return (contract.image.height_px * contract.image.width_px,) * 2

    def encode(self, output: Outputs, contract: Contract) -> bytes:
        """Returns the label index of every pixel, row by row, for a flat output."""
        return masks_of(_scores(output[np.newaxis], contract)).tobytes()

    def refusal(self, written: bytes, output: Outputs, contract: Contract) -> str | None:
        """Returns the reason why the bytes are not the output's mask, or None."""
        return None if written == self.encode(output, contract) else ""


class Segmentation(Task):
    """Implements the deployment half of segmentation."""

    measure = MEASURE
    short_measure = "mIoU %"
    check_name = "mIoU"
    counts_images = False
    truth = "masks"
    known_pictures = "pictures with masks"
    truth_hint = "load them with their masks"
    has_scores = False
    answer = "mask"
    output_description = "A score a pixel and label, labels last, in the order of the metadata's labels; no softmax"
    output_dtypes = ("int8", "float32")
    golden_file = MaskFile()

    def fits(self, shape: Sequence[int], contract: Contract) -> bool:
        """Tells whether there is one score a pixel and label."""
        return tuple(shape) == (1, *_sides(contract), contract.output_columns)

    def expected_shape(self, contract: Contract) -> str:
        """Returns that shape in words."""
        height, width = _sides(contract)
        return f"(1, {height}, {width}, {contract.output_columns}), one score a pixel and label"

    def top_classes(self, outputs: Outputs, contract: Contract) -> NDArray[np.int64]:
        """Returns the label of most pixels in each image, the lowest of equal ones.

        It is -1 if there is a NaN or an infinity.
        """
        return commonest_labels(_scores(outputs, contract))

    def truths_of(self, pictures: LabelledPictures, labels: NDArray[np.int64], contract: Contract) -> Masks | None:
        """Returns the masks of the pictures; None if they are not known."""
        return pictures.masks_in(contract.image) if isinstance(pictures, PicturesWithMasks) else None

    def quality(self, outputs: Outputs, truths: Masks, contract: Contract) -> Quality:
        """Measures the mean intersection over union of the outputs' masks."""
        return mean_iou(masks_of(_scores(outputs, contract)), truths, len(contract.labels))


def _scores(outputs: Outputs, contract: Contract) -> Outputs:
    return outputs.reshape(len(outputs), *_sides(contract), contract.output_columns)


def _sides(contract: Contract) -> tuple[int, int]:
    return contract.image.height_px, contract.image.width_px


def _confusion(masks: Masks, truths: Masks, labels: int) -> NDArray[np.int64]:
    """Counts the pixels of a truth (row) that got a label (column)."""
    total = np.zeros(labels * labels, np.int64)
    for mask, truth in zip(masks, truths, strict=True):
        is_asked = truth < labels
        total += np.bincount(truth[is_asked].astype(np.int64) * labels + mask[is_asked], minlength=labels * labels)
    return total.reshape(labels, labels)
