"""Augments pictures with masks for training: DeepLab's scales and flips.

Source: Chen et al. 2017, arXiv 1706.05587, section 4.1, which the papers of MobileNetV2 (6.3) and V3 (6.4) follow.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.contract import ImageSpec
from mobile_sdk.tasks.segmentation import Masks
from qat.arguments.settings import Rule, check_settings, is_range, is_share
from qat.data.augmentation.colour import COLOUR_RULES, ColourJitter
from qat.data.augmentation.view import View


@dataclass(frozen=True, kw_only=True)
class SegmentationAugmentation(ColourJitter):
    """Draws a scale, a flip and a change of colour for each picture, evenly from these ranges.

    A picture of `scale` 2 is twice as large as the net's input, which shows a random crop of it; one of 0.5 is placed
    at random on the mean colour, and its mask on void. `flip_share` of the pictures are mirrored; it is 0 where left
    and right differ, as in digits and letters. An empty range raises SettingError.
    """

    scale: tuple[float, float] = (0.5, 2.0)
    flip_share: float = 0.5

    def __post_init__(self) -> None:
        check_settings(self, (*COLOUR_RULES, *_RULES), "the augmentation of masks")

    def __str__(self) -> str:
        """Returns what is done, in a line."""
        low, high = self.scale
        return f"scales of {low:g} to {high:g}, {self.flip_share:.0%} mirrored, colours changed"

    def augmented(
        self, source: NDArray[np.uint8], truth: Masks, spec: ImageSpec, random: np.random.Generator
    ) -> tuple[NDArray[np.uint8], Masks]:
        """Returns the input's bytes for a picture (height, width, 3), and its labels (height, width)."""
        sides = source.shape[0], source.shape[1]
        picture, scale = np.array(sides[::-1], np.float64), random.uniform(*self.scale)
        corner = random.random(2) * (1 - 1 / scale) * picture
        window = np.concatenate([corner, corner + picture / scale])
        view = View.through(window, sides, spec, is_mirrored=bool(random.random() < self.flip_share))
        return view.picture(source, spec, self, random), view.mask(truth)


_RULES = (
    Rule("a range of scales above 0", ("scale",), lambda its: is_range(its.scale)),
    Rule("a share of mirrored pictures from 0 to 1", ("flip_share",), lambda its: is_share(its.flip_share)),
)
