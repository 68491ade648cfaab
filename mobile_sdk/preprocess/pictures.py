"""Turns a picture into the bytes that a net reads, by one recipe, which Kotlin and Swift repeat to the byte.

0. Take the numbers that the file stores: no colour profile, gamma or gain map changes one.
1. Turn the picture upright by its EXIF orientation, once: the upright picture no longer has an orientation.
2. Make it RGB: transparent pixels are laid over white, 16-bit grey becomes `(value + 128) // 257`. For one channel make
   that grey: `(19595 * red + 38470 * green + 7471 * blue + 32768) >> 16`. For four channels opacity stays beside RGB,
   and nothing is laid over white.
3. Cut the central part of the size's proportions (`fit="crop"`), integers only: `central_part` says how they are
   rounded.
4. Copy that part out, then `resize(BILINEAR)`: along rows, then along columns, rounded to bytes between the two, each
   channel by itself. One call would leave the order to Pillow: 13 begins with the columns of some tall pictures, 12
   never. Resizing with a `box` would mix in pixels from outside it.
"""

import io
import math
import threading
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import DataError
from mobile_sdk.system.atomic_files import write_bytes

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_opening = threading.Lock()


def picture_bytes(image: Image.Image, spec: ImageSpec) -> NDArray[np.uint8]:
    """Returns the bytes (height, width, channels) of any picture, by the recipe above."""
    picture = upright(image, spec)
    if spec.fit == "crop":
        picture = picture.crop(central_part(picture.width, picture.height, spec))
    resized = np.array(stretched(picture, spec.width_px, spec.height_px), dtype=np.uint8)
    return resized.reshape(spec.height_px, spec.width_px, spec.channels)


def stretched(picture: Image.Image, width_px: int, height_px: int) -> Image.Image:
    """Applies the recipe's last step: resizes along rows, then along columns."""
    if picture.mode == "RGBA":  # Pillow would weigh the colours by their opacity
        return Image.merge("RGBA", [stretched(channel, width_px, height_px) for channel in picture.split()])
    wide = picture.resize((width_px, picture.height), Image.Resampling.BILINEAR)
    return wide.resize((width_px, height_px), Image.Resampling.BILINEAR)


def upright(image: Image.Image, spec: ImageSpec) -> Image.Image:
    """Applies the recipe's first two steps: turns by the EXIF orientation, converts to the channels of `spec`."""
    if spec.channels == 4:
        return _without_metadata(_as_rgba(_as_upright(image)))
    rgb = upright_rgb(image)
    return rgb.convert("L") if spec.channels == 1 else rgb


def upright_rgb(image: Image.Image) -> Image.Image:
    """Turns by the EXIF orientation, lays over white, converts to 8-bit RGB.

    The result is a picture without metadata: it has no orientation that would turn it again, no colour profile by which
    a phone would read other bytes from a golden picture, and no place where it was taken.
    """
    return stored_rgb(_as_upright(image))


def stored_rgb(image: Image.Image) -> Image.Image:
    """Converts likewise without turning: the order of pixels stays that of the file. TIFF is turned upright."""
    return _without_metadata(_as_rgb(image))


def central_part(width_px: int, height_px: int, spec: ImageSpec) -> tuple[int, int, int, int]:
    """Returns the box (left, top, right, bottom), right and bottom excluded, that the recipe cuts out.

    The side that is short for the proportions of `spec` gives `max(1, floor(side * crop_share + 0.5))`, the other one
    `max(1, floor(side * wanted / other * crop_share + 0.5))`, where `wanted` is its own length in `spec` and `other`
    that of the short one; in double precision, from left to right. `left = (width - part) / 2` and
    `top = (height - part) / 2` are rounded down.
    """
    share = spec.crop_share
    if width_px * spec.height_px >= height_px * spec.width_px:
        wide = _rounded(height_px * spec.width_px / spec.height_px * share)
        high = _rounded(height_px * share)
    else:
        wide = _rounded(width_px * share)
        high = _rounded(width_px * spec.height_px / spec.width_px * share)
    left, top = (width_px - wide) // 2, (height_px - high) // 2
    return left, top, left + wide, top + high


def open_picture(path: Path, spec: ImageSpec | None = None) -> Image.Image:
    """Opens a picture file, decoded whole, `upright` for `spec` or as RGB; of an animation the first frame.

    Raises DataError, which names a file that cannot be decoded.
    """
    return _decode(path, str(path), coarsely=False, then=_taken_as(spec))


def open_stored_picture(path: Path) -> Image.Image:
    """Opens a picture file as `stored_rgb`, without turning it."""
    return _decode(path, str(path), coarsely=False, then=stored_rgb)


def open_header(file: Path | io.BytesIO, formats: tuple[str, ...] | None = None) -> Image.Image:
    """Opens with Pillow's `Image.open`, which reads only the header, without its warning beyond 89 megapixels.

    Phones take such pictures; its error, over 179, stays.
    """
    # Filters of warnings belong to the whole process, hence the lock.
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(file, formats=formats)


def decode_picture(file: bytes, name: str, spec: ImageSpec | None = None) -> Image.Image:
    """Decodes a picture file's content, which an error calls `name`, as `open_picture` does."""
    return _decode(io.BytesIO(file), name, coarsely=False, then=_taken_as(spec))


def check_picture(path: Path) -> None:
    """Raises `open_picture`'s DataError for less work: a JPEG is read to its end but drawn at an eighth of its size."""
    _decode(path, str(path), coarsely=True)


def save_png(picture: NDArray[np.uint8], path: Path, *, profile: bytes | None = None) -> None:
    """Writes RGB bytes (height, width, 3), or RGB and opacity, as a PNG, which is lossless, atomically.

    `profile` is an ICC profile, which says what colours the numbers are.
    """
    write_bytes(path, png_bytes(Image.fromarray(picture), profile=profile))


def png_bytes(picture: Image.Image, *, profile: bytes | None = None) -> bytes:
    """Returns the picture as a PNG, with an ICC profile if one is given."""
    png = io.BytesIO()
    picture.save(png, format="PNG", icc_profile=profile)
    return png.getvalue()


def _as_upright(image: Image.Image) -> Image.Image:
    image.load()  # a TIFF turns itself while it loads, and then forgets its orientation
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG)
    except Exception:  # noqa: BLE001 - cameras break EXIF in many ways, Pillow raises as many errors; the pixels are fine
        return image
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # I;16, I;16B, I;16L, and I, in which 16-bit files arrive too
        wide = np.asarray(image).astype(np.int64).clip(0, 65535)
        return Image.fromarray(((wide + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _as_rgba(image: Image.Image) -> Image.Image:
    return image.convert("RGBA") if image.has_transparency_data else _as_rgb(image).convert("RGBA")


def _taken_as(spec: ImageSpec | None) -> Callable[[Image.Image], Image.Image]:
    return upright_rgb if spec is None else partial(upright, spec=spec)


def _without_metadata(picture: Image.Image) -> Image.Image:
    picture.info.clear()
    return picture


def _rounded(length: float) -> int:
    return max(1, math.floor(length + 0.5))


def _decode(
    file: Path | io.BytesIO,
    name: str,
    *,
    coarsely: bool,
    then: Callable[[Image.Image], Image.Image] = upright_rgb,
) -> Image.Image:
    try:
        if isinstance(file, Path) and file.exists() and not file.is_file():
            raise OSError("no regular file")  # reading a pipe would wait without end
        with open_header(file) as image:
            if coarsely:
                image.draft("RGB", (1, 1))
            return then(image)  # some damage shows where the pixels are converted
    except Exception as error:  # decoders of damaged files raise anything from SyntaxError to struct.error
        raise DataError(
            f"{name}: expected a picture that decodes, found: {_one_line(error)}",
            hint="remove the file, or save it again as JPEG or PNG",
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
