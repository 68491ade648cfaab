"""Computes weights for a layer kept in float32: integers so wide that float32 holds every sum of products exactly.

A float32 sum depends on the order of summation, and so on runtime and processor, unless all partial sums are multiples
of one power of two and stay below 2^24 of it. The layer reads centred codes, whole numbers up to 255; its weights
become multiples of 2^-e, for each output channel with the largest e that leaves room for the worst image.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.arithmetic import EXACT_IN_FLOAT32
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Quantization
from qat.layers.integer_rounding import LARGEST_BIAS
from qat.layers.quantizers.fake_quant import WEIGHT_LIMIT

LEAST_GAIN = 3  # times finer than int8, 10 dB less noise; below it, plain float32 is better despite its ties
FINEST = 100  # the largest e: far above float32's smallest numbers


@dataclass(frozen=True, kw_only=True)
class WideWeights:
    """Holds weights (O, …) and bias (O,), float32, that on centred codes return the layer's values without an error."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


def wide_weights(weight: NDArray[np.float64], bias: NDArray[np.float64], codes: Quantization) -> WideWeights | None:
    """Returns wide weights of the real `weight` and `bias` for an input on the grid `codes`; None if coarse."""
    furthest = max(INT8_MAX - codes.zero_point, codes.zero_point - INT8_MIN)
    filters = (weight * codes.scale).reshape(len(weight), -1)
    exponents = _exponents(filters, bias, furthest)
    unit = np.ldexp(1.0, -exponents)
    int8_steps = np.abs(filters).max(axis=1) / WEIGHT_LIMIT
    # Beside so large a bias no weight matters, and int8 has no finer steps either.
    if (unit > np.maximum(int8_steps / LEAST_GAIN, np.abs(bias) / LARGEST_BIAS))[int8_steps > 0].any():
        return None
    wide = np.rint(filters / unit[:, None]) * unit[:, None]
    return WideWeights(
        weight=wide.reshape(weight.shape).astype(np.float32), bias=(np.rint(bias / unit) * unit).astype(np.float32)
    )


def _exponents(filters: NDArray[np.float64], bias: NDArray[np.float64], furthest: int) -> NDArray[np.int64]:
    """Returns the largest e per channel for which the worst sum, rounding up included, is below 2^24 units of 2^-e."""
    worst = np.maximum(np.abs(filters).sum(axis=1) * furthest + np.abs(bias), np.ldexp(1.0, -FINEST))
    rounding = furthest * filters.shape[1] / 2 + 1
    exponents = np.floor(np.log2((EXACT_IN_FLOAT32 - rounding) / worst)).clip(-FINEST, FINEST)
    return np.asarray(exponents, np.int64)
