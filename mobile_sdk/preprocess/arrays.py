"""Turns an array of numbers into the codes that a net reads, by one rule, which Kotlin and Swift repeat to the byte.

A number's code is `round(number / scale) + zero_point`, in double precision, ties to even, no less than -128 and no
more than 127. Codes travel as bytes, `code + 128`, as pictures do.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.contract import TensorSpec, stored_shape
from mobile_sdk.errors import DataError


def array_bytes(values: NDArray[Any], spec: TensorSpec) -> NDArray[np.uint8]:
    """Returns the bytes of an array of the shape of `spec`, in the order in which phones store it: maps (H, W, C).

    int8 values are codes already. Raises DataError for another shape, and for values that are no finite numbers.
    """
    if values.shape != spec.shape:
        raise DataError(
            f"expected an array of shape {spec.shape}, found {values.shape}", hint="give it without a batch, and whole"
        )
    codes = values.astype(np.int16) if values.dtype == np.int8 else _codes(values, spec)
    stored = codes.transpose(1, 2, 0) if len(spec.shape) == 3 else codes
    return np.ascontiguousarray(stored + 128, np.uint8)


def array_values(stored: NDArray[np.uint8], spec: TensorSpec) -> NDArray[np.float32]:
    """Returns the numbers, in the shape of `spec`, that bytes of `array_bytes` stand for."""
    codes = stored.reshape(stored_shape(spec.shape)).astype(np.float64) - 128
    values = np.float64(spec.scale) * (codes - spec.zero_point)
    return np.ascontiguousarray(values.transpose(2, 0, 1) if len(spec.shape) == 3 else values, np.float32)


def _codes(values: NDArray[Any], spec: TensorSpec) -> NDArray[np.int16]:
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(f"expected an array of numbers, found {values.dtype}", hint="save it as float32") from None
    if not np.isfinite(numbers).all():
        raise DataError("expected finite numbers in an array, found NaN or infinity", hint="leave such samples out")
    codes: NDArray[np.int16] = np.clip(np.rint(numbers / spec.scale) + spec.zero_point, -128, 127).astype(np.int16)
    return codes
