"""PNGs of every depth and colour type, interlaced or not, which Pillow reads and does not write.

Source: https://www.w3.org/TR/png-3/.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def write_png(
    file: Path,
    values: NDArray[np.integer],
    depth: int,
    colour_type: int = GREY,
    *,
    interlaced: bool = False,
    transparency: bytes = b"",
) -> None:
    """Writes (height, width) or (height, width, channels) numbers of `depth` bits."""
    values = values.reshape(*values.shape[:2], CHANNELS[colour_type])
    passes = [values[top::down, left::right] for top, left, down, right in _ADAM7] if interlaced else [values]
    data = b"".join(_rows(each, depth) for each in passes if each.size)
    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    colours = bytes(value for index in range(2 ** min(depth, 8)) for value in (index, 255 - index, 7))
    chunks = [(b"IHDR", header), *([(b"PLTE", colours)] if colour_type == PALETTE else [])]
    chunks += [(b"tRNS", transparency)] if transparency else []
    chunks += [(b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks))


def _rows(values: NDArray[np.integer], depth: int) -> bytes:
    """Rows without a filter, the numbers packed from the highest bit on."""
    rows = values.reshape(len(values), -1).astype(">u2")
    bits = np.unpackbits(rows.view(np.uint8).reshape(*rows.shape, 2), axis=2)[:, :, 16 - depth :]
    packed = np.packbits(bits.reshape(len(rows), -1), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
