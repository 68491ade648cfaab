"""From a segmenter's output to a mask: the label of every pixel.

Kotlin and Swift repeat `masks_of`; the golden masks in a bundle hold them to it.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.arguments import described, expect
from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import SettingError

VOID = 255
"""In a mask that is known: a pixel that no label is asked of, such as an edge."""

Masks = NDArray[np.uint8]
"""Label indices (…, size_px, size_px)."""


@runtime_checkable
class PicturesWithMasks(Protocol):
    """Pictures of which it is known what every pixel shows."""

    def masks_in(self, spec: ImageSpec) -> Masks:
        """The labels (pictures, size_px, size_px) of the net's pictures' pixels, `VOID` where none is asked."""
        ...


def masks_of(outputs: NDArray[np.generic]) -> Masks:
    """The masks (…, H, W) of a net's outputs (…, H, W, labels): the largest score's label, the lowest of equal ones."""
    expect("outputs", outputs, np.ndarray)
    if outputs.ndim < 3:
        raise SettingError(
            f"expected a segmenter's outputs (…, H, W, labels), found {described(outputs)}",
            hint="give what the net says of pictures",
        )
    masks: Masks = outputs.argmax(axis=-1).astype(np.uint8)
    return masks


def commonest_labels(outputs: NDArray[np.generic]) -> NDArray[np.int64]:
    """The label of most pixels in each of the outputs (pictures, H, W, labels), the lowest of equal ones.

    It is -1 where an output holds a NaN.
    """
    labels = outputs.shape[-1]
    counts = [np.bincount(mask.ravel(), minlength=labels).argmax() for mask in masks_of(outputs)]
    commonest = np.array(counts, np.int64)
    if np.issubdtype(outputs.dtype, np.floating):
        commonest[np.isnan(outputs).any(axis=(1, 2, 3))] = -1
    return commonest
