"""Pictures as cameras write them: turned, with a mark that says how to turn them back."""

from pathlib import Path

import numpy as np
from PIL import Image

ORIENTATION = 0x0112

# How an upright picture is stored by the camera whose pictures say the orientation.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

FORMATS = {"png": {}, "tif": {}, "webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}


def noise(width: int, height: int) -> Image.Image:
    """Smooth enough for a JPEG, and no two of its eight turns alike."""
    coarse = np.random.default_rng(7).integers(0, 256, (4, 5, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def turned(upright: Image.Image, orientation: int) -> Image.Image:
    transpose = STORED[orientation]
    return upright if transpose is None else upright.transpose(transpose)


def photograph(path: Path, upright: Image.Image, orientation: int) -> Path:
    """Writes the picture as a camera does, in the format of the path's suffix."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)  # GPS latitude
    turned(upright, orientation).save(path, exif=exif, **FORMATS[path.suffix[1:]])
    return path
