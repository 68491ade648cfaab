"""Turns the bytes of a picture or an array into the content of a model's input tensor, as an app writes it."""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.runtimes.base import InputSpec


def input_array(stored: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.generic]:
    """Returns the content of the input tensor, without a batch, for bytes as phones store them: maps (H, W, C).

    For dtype "image" those bytes themselves.
    """
    if (spec.dtype, spec.byte_offset) in (("image", 0), ("uint8", 0)):
        return stored
    if (spec.dtype, spec.byte_offset) == ("int8", -128):  # the byte with its highest bit flipped
        return np.bitwise_xor(stored, 0x80).view(np.int8)
    values = stored.astype(np.int16) + spec.byte_offset
    if spec.layout == "NCHW":
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values, dtype=np.dtype(spec.dtype).newbyteorder("<"))


def input_bytes_count(spec: InputSpec) -> int:
    """Returns how many bytes the input tensor holds."""
    itemsize = 1 if spec.dtype == "image" else np.dtype(spec.dtype).itemsize
    return int(np.prod(spec.shape)) * itemsize
