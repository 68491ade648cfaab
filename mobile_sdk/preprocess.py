"""Turns a picture into the bytes that a net reads, by one recipe, which Kotlin and Swift repeat to the byte.

1. Turn the picture upright by its EXIF orientation, once: the upright picture no longer has an orientation.
2. Make it RGB: transparent pixels are laid over white, 16-bit grey becomes `(value + 128) // 257`.
3. Cut the central square (`fit="crop"`), integers only: `central_square` says how they are rounded.
4. Copy that square out, then `resize(BILINEAR)`: along rows, then along columns, rounded to bytes between the two. One
   call would leave the order to Pillow: 13 begins with the columns of some tall pictures, 12 never. Resizing with a
   `box` would mix in pixels from outside it.
"""

import io
import math
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.system.atomic_files import write_bytes

LabelledPictures = Sequence[tuple[Image.Image, int]]
"""These are pictures with the index of each one's label, for verification."""

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


def to_bytes(image: Image.Image, spec: ImageSpec) -> NDArray[np.uint8]:
    """Returns RGB bytes (size_px, size_px, 3) of any picture, by the recipe above."""
    given: tuple[tuple[object, type, str], ...] = (
        (image, Image.Image, "open it: PIL.Image.open(path)"),
        (spec, ImageSpec, "give contract.image"),
    )
    for value, kind, hint in given:
        if not isinstance(value, kind):
            raise SettingError(f"expected a {kind.__name__}, found {type(value).__name__}", hint=hint)
    rgb = upright_rgb(image)
    if spec.fit == "crop":
        rgb = rgb.crop(central_square(rgb.width, rgb.height, spec.crop_share))
    return np.array(stretched(rgb, spec.size_px, spec.size_px), dtype=np.uint8)


def stretched(rgb: Image.Image, width_px: int, height_px: int) -> Image.Image:
    """Applies the recipe's last step: resizes along rows, then along columns."""
    wide = rgb.resize((width_px, rgb.height), Image.Resampling.BILINEAR)
    return wide.resize((width_px, height_px), Image.Resampling.BILINEAR)


def upright_rgb(image: Image.Image) -> Image.Image:
    """Applies the recipe's first two steps: turns by the EXIF orientation, lays over white, converts to 8-bit RGB.

    The result is a picture without metadata: it has no orientation that would turn it again, no colour profile by which
    a phone would read other bytes from a golden picture, and no place where it was taken.
    """
    return stored_rgb(_as_upright(image))


def stored_rgb(image: Image.Image) -> Image.Image:
    """Converts likewise without turning: the order of pixels stays that of the file. TIFF is turned upright."""
    rgb = _as_rgb(image)
    rgb.info.clear()
    return rgb


def central_square(width_px: int, height_px: int, crop_share: float) -> tuple[int, int, int, int]:
    """Returns the box (left, top, right, bottom), right and bottom excluded, that the recipe cuts out.

    `side = max(1, floor(min(width, height) * crop_share + 0.5))` in double precision;
    `left = (width - side) / 2` and `top = (height - side) / 2` rounded down.
    """
    side = max(1, math.floor(min(width_px, height_px) * crop_share + 0.5))
    left, top = (width_px - side) // 2, (height_px - side) // 2
    return left, top, left + side, top + side


def open_picture(path: Path) -> Image.Image:
    """Opens a picture file, decoded whole, as `upright_rgb`; of an animation the first frame.

    Raises DataError, which names a file that cannot be decoded.
    """
    return _decode(path, str(path), coarsely=False)


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


def decode_picture(file: bytes, name: str) -> Image.Image:
    """Decodes a picture file's content, which an error calls `name`."""
    return _decode(io.BytesIO(file), name, coarsely=False)


def check_picture(path: Path) -> None:
    """Raises `open_picture`'s DataError for less work: a JPEG is read to its end but drawn at an eighth of its size."""
    _decode(path, str(path), coarsely=True)


def save_png(picture: NDArray[np.uint8], path: Path) -> None:
    """Writes RGB bytes (height, width, 3) as a PNG, which is lossless, atomically."""
    png = io.BytesIO()
    Image.fromarray(picture).save(png, format="PNG")
    write_bytes(path, png.getvalue())


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
