"""The built-in detection task: MNIST digits of many sizes and colours on textured backgrounds, their boxes known."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.detections import Truth, overlaps
from qat.data import Pictures, load_mnist
from qat.detection.pictures import DetectionPictures, DetectionSet
from qat.picture_set import PictureSet

SIZE_PX = 128
DIGITS = (1, 4)  # in a picture, at least and at most
HEIGHTS_PX = (24, 56)  # of a digit's ink
VALIDATION_PICTURES = 500
_LARGEST_OVERLAP = 0.05
_LEAST_CONTRAST = 90  # between a digit and what lies below it, in bytes of one channel


def composed_digits(train: int = 2000, validation: int = VALIDATION_PICTURES, *, seed: int = 0) -> DetectionPictures:
    """Pictures composed of digits: of those for training and, for validation, of others. One seed gives one set."""
    digits = _digits()
    return DetectionPictures(
        train=compose(digits.train, train, seed=seed),
        validation=compose(digits.validation, validation, seed=1_000_000 + seed),
        labels=digits.labels,
    )


def fresh_digits(count: int, *, seed: int = 0) -> Callable[[int], DetectionSet]:
    """Other pictures for every epoch, so that none is learned by heart."""
    digits = _digits().train
    return lambda epoch: compose(digits, count, seed=10_000 * (seed + 1) + epoch)


def compose(digits: PictureSet, count: int, *, seed: int) -> DetectionSet:
    """`count` pictures of 128 px with one to four of `digits` each, which do not hide one another."""
    random = np.random.default_rng(seed)
    pairs = [_picture(digits, random) for _ in range(count)]
    return DetectionSet(sources=tuple(pixels for pixels, _ in pairs), truths=tuple(truth for _, truth in pairs))


@cache
def _digits() -> Pictures:
    return load_mnist()


def _picture(digits: PictureSet, random: np.random.Generator) -> tuple[NDArray[np.uint8], Truth]:
    canvas = _background(random)
    boxes: list[NDArray[np.float64]] = []
    labels: list[int] = []
    for _ in range(random.integers(DIGITS[0], DIGITS[1] + 1)):
        index = int(random.integers(len(digits)))
        ink = _ink(np.asarray(digits.sources[index])[:, :, 0], int(random.integers(HEIGHTS_PX[0], HEIGHTS_PX[1] + 1)))
        place = _place(ink.shape, boxes, random)
        if place is None:
            continue
        left, top = place
        box = np.array([left, top, left + ink.shape[1], top + ink.shape[0]], np.float64)
        _paint(canvas[top : top + ink.shape[0], left : left + ink.shape[1]], ink, random)
        boxes.append(box)
        labels.append(digits.targets[index])
    return canvas.round().clip(0, 255).astype(np.uint8), Truth(boxes=np.stack(boxes), labels=np.array(labels, np.int64))


def _background(random: np.random.Generator) -> NDArray[np.float64]:
    """A colour, soft clouds at two scales, and stripes."""
    canvas = np.tile(random.uniform(40, 215, 3), (SIZE_PX, SIZE_PX, 1))
    for cells in (4, 16):
        clouds = random.uniform(-1, 1, (cells, cells, 3)).astype(np.float32)
        planes = [
            Image.fromarray(clouds[:, :, channel]).resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC)
            for channel in range(3)
        ]
        canvas += random.uniform(0, 30) * np.stack([np.asarray(plane) for plane in planes], axis=-1)
    rows, columns = np.mgrid[:SIZE_PX, :SIZE_PX]
    angle, period_px = random.uniform(0, np.pi), random.uniform(4, 40)
    waves = np.sin((rows * np.cos(angle) + columns * np.sin(angle)) * 2 * np.pi / period_px)
    canvas += random.uniform(0, 20) * waves[:, :, None]
    return canvas


def _ink(digit: NDArray[np.uint8], height_px: int) -> NDArray[np.float64]:
    """How much of a pixel the digit covers, 0..1, cut to its ink and `height_px` high."""
    rows, columns = (np.flatnonzero(digit.max(axis=axis) > 40) for axis in (1, 0))
    cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    width_px = max(6, round(cut.shape[1] * height_px / cut.shape[0]))
    resized = Image.fromarray(np.ascontiguousarray(cut)).resize((width_px, height_px), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float64) / 255


def _place(
    shape: tuple[int, ...], boxes: list[NDArray[np.float64]], random: np.random.Generator
) -> tuple[int, int] | None:
    """Left and top of a place that is free; None where ten tries found none. A first digit always finds one."""
    height, width = shape
    for _ in range(10):
        left, top = int(random.integers(SIZE_PX - width + 1)), int(random.integers(SIZE_PX - height + 1))
        box = np.array([left, top, left + width, top + height], np.float64)
        if not boxes or overlaps(box[None], np.stack(boxes)).max() <= _LARGEST_OVERLAP:
            return left, top
    return None


def _paint(patch: NDArray[np.float64], ink: NDArray[np.float64], random: np.random.Generator) -> None:
    """Draws in a colour that stands out from the patch, in place."""
    below = patch.mean(axis=(0, 1))
    colour = random.uniform(0, 255, 3)
    while np.abs(colour - below).max() < _LEAST_CONTRAST:
        colour = random.uniform(0, 255, 3)
    patch += ink[:, :, None] * (colour - patch)
