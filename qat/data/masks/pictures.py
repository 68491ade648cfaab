"""Pictures with masks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.contract import ImageSpec
from mobile_sdk.tasks.segmentation import Masks
from qat.data.annotated_set import AnnotatedSet, Sides
from qat.data.picture_set import in_parts


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SegmentationSet(AnnotatedSet[Masks]):
    """Pictures (height, width, 3) and the label of every pixel, (height, width), `VOID` where none is asked."""

    def masks_in(self, spec: ImageSpec) -> Masks:
        """The labels (pictures, size_px, size_px) of the net's pictures' pixels."""
        return np.stack(self.known_in(spec))

    def stretched(self, truth: Masks, sides: Sides, onto: Sides) -> Masks:
        """The labels of a stretched picture's pixels, the nearest ones."""
        return np.asarray(Image.fromarray(truth).resize(onto, Image.Resampling.NEAREST))

    def arrays(self, truth: Masks) -> tuple[NDArray[Any], ...]:
        """The mask."""
        return (truth,)


@dataclass(frozen=True, kw_only=True)
class SegmentationPictures:
    """Pictures with masks, parted for training and validation."""

    train: SegmentationSet
    validation: SegmentationSet
    labels: tuple[str, ...]

    def __repr__(self) -> str:
        """How many there are of each, in one line."""
        return in_parts(self)
