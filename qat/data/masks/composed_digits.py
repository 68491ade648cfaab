"""Composes the built-in segmentation task: which digit a pixel shows, in MNIST digits on textured backgrounds.

A pixel shows a digit that covers two thirds of it or more. Where a digit covers less, but something, the mask is void:
a soft edge has no exact place, and PASCAL VOC leaves edges out as well.
"""

from collections.abc import Callable

import numpy as np

from mobile_sdk.arguments import expect_seed
from mobile_sdk.tasks.segmentation import VOID, Masks
from qat.data.digit_scenes import Scene, Sizes, compose_scenes, source_digits
from qat.data.masks.pictures import SegmentationPictures, SegmentationSet
from qat.data.picture_set import PictureSet

SIZES = Sizes(digits=(1, 2), heights_px=(64, 112))
BACKGROUND = "background"
VALIDATION_PICTURES = 300
_LEAST_INK, _MOST_BACKGROUND_INK = 2 / 3, 0.05


def composed_masks(train: int = 2000, validation: int = VALIDATION_PICTURES, *, seed: int = 0) -> SegmentationPictures:
    """Composes pictures of digits; training and validation use different digits. One seed gives one set."""
    expect_seed(seed)
    digits = source_digits()
    return SegmentationPictures(
        train=_compose(digits.train, train, seed=seed),
        validation=_compose(digits.validation, validation, seed=1_000_000 + seed),
        labels=(BACKGROUND, *digits.labels),
    )


def fresh_masks(count: int, *, seed: int = 0) -> Callable[[int], SegmentationSet]:
    """Returns a function that composes other pictures for every epoch, so that none is memorized."""
    digits = source_digits().train
    return lambda epoch: _compose(digits, count, seed=10_000 * (seed + 1) + epoch)


def _compose(digits: PictureSet, count: int, *, seed: int) -> SegmentationSet:
    scenes = compose_scenes(digits, count, SIZES, seed=seed)
    masks = tuple(_mask(scene) for scene in scenes)
    return SegmentationSet(sources=tuple(scene.pixels for scene in scenes), truths=masks, has_sides=True)


def _mask(scene: Scene) -> Masks:
    """Returns the label of every pixel: 0 is the background, 1 + digit the digit that covers it most."""
    most = scene.inks.max(axis=0)
    mask: Masks = np.where(most >= _LEAST_INK, scene.inks.argmax(axis=0) + 1, VOID).astype(np.uint8)
    mask[most <= _MOST_BACKGROUND_INK] = 0
    return mask
