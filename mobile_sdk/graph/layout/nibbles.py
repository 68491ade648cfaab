"""Packs 4-bit codes two a byte, as XNNPACK's kernels read them: the first of two in the low nibble."""

import numpy as np
from numpy.typing import NDArray

_MASK = 15


def packed(codes: NDArray[np.int8], *, zero_point: int = 0) -> NDArray[np.uint8]:
    """Returns codes in -8..7, in row-major order, as (half as many, rounded up,) bytes.

    A nibble holds `code + zero_point` modulo 16: the code in two's complement at 0, a number without a sign at 8. An
    odd count leaves the last high nibble 0.
    """
    nibbles = ((codes.astype(np.int16) + zero_point) & _MASK).astype(np.uint8).ravel()
    pairs = np.append(nibbles, np.zeros(len(nibbles) % 2, np.uint8)).reshape(-1, 2)
    data: NDArray[np.uint8] = pairs[:, 0] | (pairs[:, 1] << np.uint8(4))
    return data


def unpacked(data: NDArray[np.uint8], count: int, *, zero_point: int = 0) -> NDArray[np.int8]:
    """Returns the first `count` codes, int8 (count,), of bytes that `packed` made."""
    nibbles = np.stack([data & _MASK, data >> 4], axis=1).ravel()[:count].astype(np.int8)
    codes: NDArray[np.int8] = ((nibbles - np.int8(zero_point) + np.int8(8)) & _MASK) - np.int8(8)
    return codes
