"""Splits photographs that packages ship, so that no photograph serves both calibration and evaluation.

scikit-image's wheel ships sixteen of use, scikit-learn's two, matplotlib's one. The split is by photograph, not by
crop: of those of everyday things, four are for evaluation and the others for calibration, with all photographs of
something else (microscopy, the sky, textures, grey ones). Debian's mate-backgrounds has twelve of nature, which make
ten and ten with eight of those; it is fetched, and nothing of it is installed.
"""

from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from sklearn import datasets

from mobile_sdk.errors import MachineError
from mobile_sdk.system.cache import cache_folder, made_once
from mobile_sdk.system.debian import fetch_alone, unavailable, unpack
from qat.data.picture_set import PictureSet

CALIBRATED = (
    *("astronaut.png", "china.jpg", "coffee.png", "rocket.jpg", "camera.png", "coins.png", "brick.png"),
    *("hubble_deep_field.jpg", "retina.jpg", "ihc.png", "moon.png", "grass.png", "gravel.png", "clock_motion.png"),
)
JUDGED = ("chelsea.png", "flower.jpg", "motorcycle_left.png", "grace_hopper.jpg")
ORDINARY = (
    *("astronaut.png", "china.jpg", "coffee.png", "rocket.jpg"),
    *("Dune.jpg", "FreshFlower.jpg", "Garden.jpg", "LadyBird.jpg", "Storm.jpg", "Wood.jpg"),
)
ORDINARY_OTHERS = (
    *JUDGED,
    *("Aqua.jpg", "Blinds.jpg", "GreenMeadow.jpg", "RainDrops.jpg", "TwoWings.jpg", "YellowFlower.jpg"),
)
UNUSUAL = tuple(name for name in CALIBRATED if name not in ORDINARY)
SMALLEST_PX = 120
LARGEST_PX = 640  # of the longer side: a crop of a screen's background shows a thing, not its texture

_PACKAGE, _SUITE = "mate-backgrounds", "bookworm"
_FOLDERS = (
    Path(skimage.data.__file__).parent,
    Path(datasets.__file__).parent / "images",
    Path(mpl.__file__).parent / "mpl-data" / "sample_data",
)


@cache
def photograph(name: str) -> NDArray[np.uint8]:
    """Returns RGB bytes (H, W, 3)."""
    files = (folder / name for folder in _FOLDERS if (folder / name).is_file())
    picture = Image.open(next(files, None) or _nature() / name).convert("RGB")
    if name in (*ORDINARY, *ORDINARY_OTHERS):
        picture.thumbnail((LARGEST_PX, LARGEST_PX))
    return np.asarray(picture)


@cache
def _nature() -> Path:
    """Returns the folder of Debian's photographs, fetched once; raises MachineError where they cannot be."""
    if reason := unavailable():
        raise MachineError(f"expected Debian's photographs, found that {reason}", hint="use a Debian machine")
    folder = made_once(cache_folder() / f"{_PACKAGE}-{_SUITE}", _unpack)
    return folder / "usr/share/backgrounds/mate/nature"


def _unpack(unfinished: Path) -> None:
    unpack(fetch_alone(_PACKAGE, suite=_SUITE), unfinished)


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
