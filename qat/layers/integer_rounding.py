"""Rounds weights, biases and constants to the grids that the phone has."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import CaptureError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Constant, Quantization, sum_limit
from mobile_sdk.graph.settled_factors import settle_weight_scales

LARGEST_BIAS = 2**22  # codes: bias and products together stay exact in float32, where runtimes requantize
ADDEND_CODES = 96  # a constant's code, if the constant is large beside the sum's scale: well inside int8
ROUNDER = 1.5 * 2.0**23  # added and subtracted again, it rounds a float32 to the nearest whole number
COARSEST = 16  # times its own scale at most, so that a channel's sums fit int32: three bits and a sign remain
SMALLEST_FACTOR = 2.0**-24  # of a requantization; runtimes refuse below 2^-32


def snap_weights(
    codes: NDArray[np.int8],
    scales: NDArray[np.float64],
    bias: NDArray[np.float64],
    x: Quantization,
    y: Quantization,
    *,
    path: str,
    bits: int = 8,
) -> dict[str, Any]:
    """Returns weights, of so many bits, and biases of the layer at `path` as the file holds them.

    A channel whose weights are tiny beside its bias gets a coarser scale: its bias stays an exact integer and its
    requantization factor within what runtimes accept. So does a channel with so many inputs that a sum could leave
    int32, or 28 bits beside weights of four (`sum_limit`). A channel whose every step exceeds the whole of the output's
    grid gets the largest factor that runtimes accept, which gives the same codes. Scales are settled last
    (`settled_factors.py`). Raises CaptureError if int32 would leave next to nothing of weights.
    """
    least = np.maximum(np.abs(bias) / (x.scale * LARGEST_BIAS), SMALLEST_FACTOR * y.scale / x.scale)
    coarse = np.maximum(scales, least).astype(np.float32)
    coarsest = coarse * COARSEST
    snapped, biases = _snapped(codes, scales, coarse), _biases(bias, coarse, x)
    while (excess := _excess(snapped, biases, x, bits)).max() > 1:
        if (coarse > coarsest).any():
            found = f"expected sums that int32 holds at {path}, found {codes[0].size:,} inputs a channel"
            raise CaptureError(found, hint="pool the map before that layer")
        coarse = np.where(excess > 1, coarse * excess * (1 + 2.0**-10), coarse).astype(np.float32)
        snapped, biases = _snapped(codes, scales, coarse), _biases(bias, coarse, x)
    largest = np.float32(arithmetic.SATURATING * y.scale / x.scale)
    final = np.minimum(coarse, largest)
    settled = settle_weight_scales(final, x, y)
    biases = _biases(bias, (coarse * (settled / final)).astype(np.float32), x)
    return {"weight": snapped, "weight_scales": settled, "bias": biases.astype(np.int32)}


def snap_factor(constant: float, x: Quantization, y: Quantization) -> Quantization:
    """Returns the grid whose code 1 is `constant`, or one with equal products if runtimes refuse that.

    Too small a factor makes zero of every code of `x`; too large a factor saturates every code but zero at the ends of
    `y`.
    """
    unit = y.scale / x.scale
    least, largest = 2 * arithmetic.PRODUCT_RATIO_RANGE[0] * unit, arithmetic.SATURATING * unit
    return Quantization(scale=float32(min(max(constant, least), largest)), zero_point=0)


def snap_constant(name: str, value: float, scale_y: float) -> Constant:
    """Returns `value` as one int8 code, its scale near the sum's own."""
    magnitude = abs(value)
    scale = magnitude / ADDEND_CODES if magnitude / ADDEND_CODES > scale_y / 64 else scale_y
    code = round(value / float32(scale))
    return Constant(name=name, value=code, quantization=Quantization(scale=float32(scale), zero_point=0))


def is_inverted(scale: float) -> bool:
    """Returns whether a product with the scale's float32 inverse recovers every code from its dequantized value."""
    codes = np.arange(-255, 256).astype(np.float32)
    return bool((codes * np.float32(scale) * (np.float32(1) / np.float32(scale)) == codes).all())


def inverted_scale(scale: float) -> float:
    """Returns the next larger scale that `is_inverted`: about 2^-16 of it away, if scales have 16 bits."""
    mantissa, exponent = np.frexp(np.float64(scale))
    for whole in range(int(np.ceil(np.ldexp(mantissa, 16))), 2**17):
        candidate = float(np.ldexp(np.float64(whole), int(exponent) - 16))
        if is_inverted(candidate):
            return candidate
    raise AssertionError("a power of two is inverted, and there is one within the range")


def float32(value: float) -> float:
    """Returns the nearest float32, as Python's float."""
    return float(np.float32(value))


def _snapped(codes: NDArray[np.int8], scales: NDArray[np.float64], coarse: NDArray[np.float32]) -> NDArray[np.int8]:
    shape = (-1, *[1] * (codes.ndim - 1))
    ratio = np.where(coarse > scales.astype(np.float32), scales / coarse, 1.0).reshape(shape)
    return np.rint(codes * ratio).astype(np.int8)


def _biases(bias: NDArray[np.float64], coarse: NDArray[np.float32], x: Quantization) -> NDArray[np.int64]:
    grid = arithmetic.bias_scales(x, coarse)
    return np.rint(bias / grid.astype(np.float64)).astype(np.int64)


def _excess(weight: NDArray[np.int8], bias: NDArray[np.int64], x: Quantization, bits: int) -> NDArray[np.float64]:
    """Returns how many times too wide a channel's sums are for what processors hold of weights of so many bits."""
    least, greatest = arithmetic.sum_ranges(weight, bias, x)
    excess: NDArray[np.float64] = np.maximum(-least, greatest) / sum_limit(bits)
    return excess
