"""Draws an array as a heat map, in place of a picture."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LONGEST_PX = 256
_MOST_PX_A_NUMBER = 16
_COLD, _MIDDLE, _HOT = (np.array(colour) for colour in ((33, 60, 130), (245, 245, 240), (178, 36, 36)))


def heat_map(array: NDArray[np.float32]) -> bytes:
    """Returns a PNG of an array (channels, height, width), (tokens, columns) or (numbers,): blue below zero, red above.

    Channels lie below each other; the largest number without its sign has the full colour.
    """
    rows = array.reshape(-1, array.shape[-1]).astype(np.float64)
    shares = rows / (np.abs(rows).max() or 1.0)
    ends = np.where(shares[..., np.newaxis] < 0, _COLD, _HOT)
    pixels = np.rint(_MIDDLE + np.abs(shares)[..., np.newaxis] * (ends - _MIDDLE)).astype(np.uint8)
    factor = max(1, min(_MOST_PX_A_NUMBER, _LONGEST_PX // max(rows.shape)))
    stream = io.BytesIO()
    drawn = Image.fromarray(pixels)
    drawn.resize((drawn.width * factor, drawn.height * factor), Image.Resampling.NEAREST).save(stream, "PNG")
    return stream.getvalue()
