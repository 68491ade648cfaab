"""Reads a mask's file, a PNG of any depth, and maps its numbers or colours to labels.

PNG (https://www.w3.org/TR/png-3/, 11.2.1) stores grey in 1, 2, 4, 8 or 16 bits and palettes in 1 to 8. Pillow stretches
grey of 2 and 4 bits to 0..255 for display; here it is divided again, so that the file's numbers count.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.errors import DataError
from mobile_sdk.preprocess import open_header
from mobile_sdk.system.regular_file import other_kind
from mobile_sdk.tasks.segmentation import VOID, Masks
from qat.data.masks.annotations import Key

HINT = "write a PNG, grey or with a palette, whose numbers count the labels from 0; 255 is void"
_STRETCHED = {2: 255 // 3, 4: 255 // 15}
_UNKNOWN = -1
_GREY, _COLOURS, _PALETTE = 0, 2, 3  # PNG's colour types
Numbers = NDArray[np.int64]
"""Holds a mask as it is stored: its numbers, or its colours as 0xRRGGBB."""


def read_mask(file: Path, key: Key) -> Masks:
    """Returns the label of every pixel, (height, width).

    Raises DataError for no PNG, a PNG of another kind, or a number of no label.
    """
    stored, is_coloured = _stored(file, is_by_colour=key.colours is not None)
    meanings = key.colours if is_coloured and key.colours is not None else key.numbers
    table = np.full(1 << (24 if is_coloured else 16), _UNKNOWN, np.int16)
    table[list(meanings)] = list(meanings.values())
    labels = table[stored]
    if (unknown := stored[labels == _UNKNOWN]).size:
        raise _unknown(file, key, stored, int(unknown.max()), is_coloured)
    return labels.astype(np.uint8)


def _stored(file: Path, *, is_by_colour: bool) -> tuple[Numbers, bool]:
    """Returns the numbers or colours that the file stores, and whether they are colours."""
    try:
        if kind := other_kind(file):
            raise OSError(0, kind)
        with file.open("rb") as header:
            depth, colour_type = header.read(26).ljust(26, b"\0")[24:]  # from the first chunk, IHDR
        with open_header(file, formats=("PNG",)) as opened:
            mode, size = opened.mode, opened.size
            if colour_type == _GREY:
                return _grey(np.array(opened), depth), False
            if colour_type == _PALETTE and not is_by_colour:
                return np.array(opened).astype(np.int64), False
            if is_by_colour and (colour_type == _PALETTE or (colour_type == _COLOURS and depth == 8)):
                return _colours(opened), True
    except Exception as error:  # decoders of damaged files raise anything from SyntaxError to struct.error
        found = getattr(error, "strerror", None) or "no PNG that decodes"
        raise DataError(f"expected a mask at {file}, found {found}", hint=HINT) from error
    kinds = "RGB colours or one number a pixel" if is_by_colour else "one byte a pixel"
    depths = f" of {depth} bits" if depth != 8 else ""
    raise DataError(
        f"expected a mask of {kinds} in {file}, found mode {mode}{depths}, {size[0]} × {size[1]}",
        hint="export it without transparency, in 8 bits" if is_by_colour else HINT,
    )


def _grey(pixels: NDArray[np.generic], depth: int) -> Numbers:
    """Returns the numbers that the file stores, in `depth` bits each."""
    return pixels.astype(np.int64) // _STRETCHED.get(depth, 1)


def _colours(opened: Image.Image) -> Numbers:
    """Returns a picture's colours, or those of a palette; raises ValueError for a number beyond the palette."""
    palette = opened.getpalette()
    if palette and 3 * int(np.array(opened).max()) >= len(palette):
        raise ValueError("a palette that is too short")
    rgb: Numbers = np.array(opened.convert("RGB")).astype(np.int64)
    return rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]


def _unknown(file: Path, key: Key, stored: Numbers, number: int, is_coloured: bool) -> DataError:
    """Returns the error for a number or colour of no label."""
    row, column = np.argwhere(stored == number)[0]
    where = f"at column {column}, row {row}"
    if is_coloured:
        colour = ",".join(str(number >> bits & 255) for bits in (16, 8, 0))
        return DataError(
            f"expected colours of {key.place} in {file}, found {colour} {where}",
            hint=f"give {colour} a line there, or draw the mask again without smoothed edges",
        )
    known = sorted(set(key.numbers) - {VOID})
    named = f"0 to {known[-1]}" if known == list(range(len(known))) else ", ".join(map(str, known))
    return DataError(
        f"expected labels {named}, or {VOID}, in {file}, found {number} {where}",
        hint=f"numbers count the labels of {key.place}; {VOID} is void",
    )
