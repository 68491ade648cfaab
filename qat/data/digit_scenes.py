"""Composes pictures of MNIST digits: many sizes and colours on textured backgrounds, with known places."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.tasks.boxes import overlaps
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures, load_mnist

SIZE_PX = 128
_LARGEST_OVERLAP = 0.05
_LEAST_CONTRAST = 90  # between a digit and its background, in bytes of one channel


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Holds the least and the most digits of a picture, and the least and the most height of their ink."""

    digits: tuple[int, int]
    heights_px: tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Holds a picture (128, 128, 3), its digits' boxes and labels, and how much of a pixel each digit covers.

    `boxes` (n, 4) are left, top, right, bottom, `labels` (n,) their digits; `inks` (10, 128, 128) are 0..1 a digit.
    """

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    inks: NDArray[np.float32]


@cache
def source_digits() -> Pictures:
    """Returns the digits that scenes are composed of: those for training, and others for validation."""
    return load_mnist()


def compose_scenes(digits: PictureSet, count: int, sizes: Sizes, *, seed: int) -> list[Scene]:
    """Returns `count` pictures of some of `digits` each, which hardly overlap. One seed gives one set."""
    random = np.random.default_rng(seed)
    return [_scene(digits, sizes, random) for _ in range(count)]


def _scene(digits: PictureSet, sizes: Sizes, random: np.random.Generator) -> Scene:
    canvas = _background(random)
    inks = np.zeros((10, SIZE_PX, SIZE_PX))
    boxes: list[NDArray[np.float64]] = []
    labels: list[int] = []
    for _ in range(random.integers(sizes.digits[0], sizes.digits[1] + 1)):
        index, (least, most) = int(random.integers(len(digits))), sizes.heights_px
        ink = _ink(np.asarray(digits.sources[index])[:, :, 0], int(random.integers(least, most + 1)))
        place = _place(ink.shape, boxes, random)
        if place is None:
            continue
        left, top = place
        covered = slice(top, top + ink.shape[0]), slice(left, left + ink.shape[1])
        _paint(canvas[covered], ink, random)
        label = digits.targets[index]
        inks[label][covered] = np.maximum(inks[label][covered], ink)
        boxes.append(np.array([left, top, left + ink.shape[1], top + ink.shape[0]], np.float64))
        labels.append(label)
    pixels = canvas.round().clip(0, 255).astype(np.uint8)
    return Scene(pixels=pixels, boxes=np.stack(boxes), labels=np.array(labels, np.int64), inks=inks.astype(np.float32))


def _background(random: np.random.Generator) -> NDArray[np.float64]:
    """Returns a background: a colour, soft clouds at two scales, and stripes."""
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
    """Returns how much of each pixel the digit covers, 0..1.

    The digit is cut to its ink and `height_px` high, or as wide as a picture.
    """
    rows, columns = (np.flatnonzero(digit.max(axis=axis) > 40) for axis in (1, 0))
    cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height_px = min(height_px, SIZE_PX * cut.shape[0] // cut.shape[1])
    width_px = max(6, round(cut.shape[1] * height_px / cut.shape[0]))
    resized = Image.fromarray(np.ascontiguousarray(cut)).resize((width_px, height_px), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float64) / 255


def _place(
    shape: tuple[int, ...], boxes: list[NDArray[np.float64]], random: np.random.Generator
) -> tuple[int, int] | None:
    """Returns left and top of a free place, or None if ten tries find none; a first digit always finds one."""
    height, width = shape
    for _ in range(10):
        left, top = int(random.integers(SIZE_PX - width + 1)), int(random.integers(SIZE_PX - height + 1))
        box = np.array([left, top, left + width, top + height], np.float64)
        if not boxes or overlaps(box[None], np.stack(boxes)).max() <= _LARGEST_OVERLAP:
            return left, top
    return None


def _paint(patch: NDArray[np.float64], ink: NDArray[np.float64], random: np.random.Generator) -> None:
    """Draws the ink into the patch, in place, in a colour that stands out from it."""
    below = patch.mean(axis=(0, 1))
    colour = random.uniform(0, 255, 3)
    while np.abs(colour - below).max() < _LEAST_CONTRAST:
        colour = random.uniform(0, 255, 3)
    patch += ink[:, :, None] * (colour - patch)
