"""Splits photographs that installed packages ship, so that no photograph serves both calibration and evaluation.

scikit-image's wheel ships sixteen of use, scikit-learn's two, matplotlib's one. The split is by photograph, not by
crop: of those of everyday things, four are for evaluation and the others for calibration, with all photographs of
something else (microscopy, the sky, textures, grey ones).
"""

from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from sklearn import datasets

from qat.data.picture_set import PictureSet

CALIBRATED = (
    *("astronaut.png", "china.jpg", "coffee.png", "rocket.jpg", "camera.png", "coins.png", "brick.png"),
    *("hubble_deep_field.jpg", "retina.jpg", "ihc.png", "moon.png", "grass.png", "gravel.png", "clock_motion.png"),
)
JUDGED = ("chelsea.png", "flower.jpg", "motorcycle_left.png", "grace_hopper.jpg")
SMALLEST_PX = 120

_FOLDERS = (
    Path(skimage.data.__file__).parent,
    Path(datasets.__file__).parent / "images",
    Path(mpl.__file__).parent / "mpl-data" / "sample_data",
)


@cache
def photograph(name: str) -> NDArray[np.uint8]:
    """Returns RGB bytes (H, W, 3)."""
    (file,) = (folder / name for folder in _FOLDERS if (folder / name).is_file())
    return np.asarray(Image.open(file).convert("RGB"))


def crops(names: tuple[str, ...], count: int, *, seed: int) -> PictureSet:
    """Returns `count` random squares of the photographs in turn, 120 px to the whole side, every other one mirrored."""
    random = np.random.default_rng(seed)
    sources = tuple(_crop(photograph(names[index % len(names)]), random) for index in range(count))
    return PictureSet(sources=sources, targets=(-1,) * count)


def _crop(whole: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    height, width, _ = whole.shape
    side = int(random.integers(SMALLEST_PX, min(height, width) + 1))
    top, left = random.integers(0, height - side + 1), random.integers(0, width - side + 1)
    square = whole[top : top + side, left : left + side]
    return square[:, ::-1] if random.integers(2) else square
