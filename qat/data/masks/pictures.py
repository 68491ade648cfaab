"""Holds pictures with masks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.contract import ImageSpec
from mobile_sdk.tasks.segmentation import Masks
from qat.data.annotated_set import AnnotatedSet, Sides
from qat.data.picture_set import InTwoParts


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SegmentationSet(AnnotatedSet[Masks]):
    """Holds pictures (height, width, 3) and the label of every pixel, (height, width), or `VOID`."""

    def masks_in(self, spec: ImageSpec) -> Masks:
        """Returns the labels (pictures, height, width) of the pixels of the net's pictures."""
        return np.stack(self.known_in(spec))

    def stretched(self, truth: Masks, sides: Sides, onto: Sides) -> Masks:
        """Returns the labels of a stretched picture's pixels, by nearest pixels."""
        return np.asarray(Image.fromarray(truth).resize(onto, Image.Resampling.NEAREST))

    def arrays(self, truth: Masks) -> tuple[NDArray[Any], ...]:
        """Returns the mask."""
        return (truth,)


@dataclass(frozen=True, kw_only=True, repr=False)
class SegmentationPictures(InTwoParts[SegmentationSet]):
    """Holds pictures with masks, divided for training and validation."""
