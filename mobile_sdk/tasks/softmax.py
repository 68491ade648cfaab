"""Computes exponentials and softmax in double precision, to the bit as Kotlin and Swift do.

No library's exponential is another's in the last bit, and numpy adds eight numbers at a time: that decides between
labels whose shares are nearly equal. So the exponential is made of additions, products and divisions alone, which
IEEE 754 rounds alike everywhere, and sums are taken from the first number to the last. The rule is in
docs/guides/detection.md.
"""

from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROBABILITIES = "probabilities"
"""An output of this name is a softmax already: a classifier's or a segmenter's."""
LEAST, MOST = -708.0, 709.0
"""Powers of numbers below and above are 0 and infinity: others are neither subnormal nor too large."""

_PER_LN2 = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # the first has 32 bits: its multiples are exact
_COEFFICIENTS = tuple(1 / factorial(power) for power in range(13, -1, -1))
_BIAS, _MANTISSA_BITS = 1023, 52
_BLOCK = 2**14  # numbers at a time: what is computed of them stays in a processor's cache

Doubles = NDArray[np.float64]


def exponential(values: Doubles) -> Doubles:
    """Returns e to the power of each number, at most a unit in the last place off; NaN of NaN.

    `k` is the whole number next to `x / ln 2`, ties to even; `r = x - k * high - k * low`, where the two make ln 2. The
    series of `e^r` to its 13th power is computed by Horner's rule from 1/13! on, and multiplied by `2^k`.
    """
    flat = np.ascontiguousarray(values, np.float64).reshape(-1)
    powers = np.empty_like(flat)
    for start in range(0, flat.size, _BLOCK):
        powers[start : start + _BLOCK] = _block(flat[start : start + _BLOCK])
    return powers.reshape(np.shape(values))


def softmax(logits: Doubles) -> Doubles:
    """Returns shares along the last axis: the largest is taken off, and the powers are added from first to last."""
    if logits.size == 0:
        return logits
    with np.errstate(invalid="ignore"):  # infinity less infinity is NaN, which nothing is detected in
        centred = logits - logits.max(axis=-1, keepdims=True)
    powers = exponential(centred)
    shares: Doubles = powers / _in_order(powers)
    return shares


def _in_order(powers: Doubles) -> Any:
    return np.cumsum(powers, axis=-1)[..., -1:]


def _block(given: Doubles) -> Doubles:
    usual = (given >= LEAST) & (given <= MOST)
    values = given if usual.all() else np.where(usual, given, 0.0)
    whole = np.rint(values * _PER_LN2)
    rest = values - whole * _LN2_HIGH
    rest -= whole * _LN2_LOW
    series = np.full_like(rest, _COEFFICIENTS[0])
    for coefficient in _COEFFICIENTS[1:]:
        series *= rest
        series += coefficient
    series *= ((whole.astype(np.int64) + _BIAS) << _MANTISSA_BITS).view(np.float64)
    if values is not given:
        series[~usual] = np.where(np.isnan(given[~usual]), np.nan, np.where(given[~usual] > 0, np.inf, 0.0))
    return series
