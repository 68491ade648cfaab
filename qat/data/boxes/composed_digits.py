"""Composes the built-in detection task: MNIST digits of many sizes and colours on textured backgrounds, with boxes."""

from collections.abc import Callable

from mobile_sdk.arguments import expect_seed
from mobile_sdk.tasks.boxes import Truth
from qat.data.boxes.pictures import DetectionPictures, DetectionSet
from qat.data.digit_scenes import Sizes, compose_scenes, source_digits
from qat.data.picture_set import PictureSet

SIZES = Sizes(digits=(1, 4), heights_px=(24, 56))
VALIDATION_PICTURES = 500


def composed_digits(train: int = 2000, validation: int = VALIDATION_PICTURES, *, seed: int = 0) -> DetectionPictures:
    """Composes pictures of digits; training and validation use different digits. One seed gives one set."""
    expect_seed(seed)
    digits = source_digits()
    return DetectionPictures(
        train=_compose(digits.train, train, seed=seed),
        validation=_compose(digits.validation, validation, seed=1_000_000 + seed),
        labels=digits.labels,
    )


def fresh_digits(count: int, *, seed: int = 0) -> Callable[[int], DetectionSet]:
    """Returns a function that composes other pictures for every epoch, so that none is memorized."""
    digits = source_digits().train
    return lambda epoch: _compose(digits, count, seed=10_000 * (seed + 1) + epoch)


def _compose(digits: PictureSet, count: int, *, seed: int) -> DetectionSet:
    scenes = compose_scenes(digits, count, SIZES, seed=seed)
    return DetectionSet(
        sources=tuple(scene.pixels for scene in scenes),
        truths=tuple(Truth(boxes=scene.boxes, labels=scene.labels) for scene in scenes),
        has_sides=True,
    )
