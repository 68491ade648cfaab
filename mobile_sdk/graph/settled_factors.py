"""Moves the weight scales of a layer until dividing its sums gives the codes that multiplying them gives.

XNNPACK multiplies a channel's sum by a float32 factor and rounds (`arithmetic.requantization`). Core ML and Core AI
quantize by dividing by a scale, which a compiler keeps apart from the weights; a factor it may fold into them. The two
differ for sums next to a tie of the output's grid. On a settled scale a float32 divisor exists for every channel that
gives the same code for every sum.
"""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Quantization, Weighted

_MOST_MOVES = 1000
_WIDEST = 64  # sums on each side of a tie that may have to be tried; more only where float32 no longer holds the sums
_NEIGHBOURS = (0, 1, -1, 2, -2, 3, -3)  # float32 numbers on both sides of the factor's inverse
_CODES = 256  # a grid's codes lie within this distance of its zero point
_TIES = tuple(np.split(np.arange(_CODES)[::-1] + 0.5, (4, 32)))  # the largest sums first, which differ most often
_UNCERTAIN = 2.0**-13  # in codes: the rounding errors of a product and of a quotient by a neighbour

Factors = NDArray[np.float32]


def settle_weight_scales(scales: Factors, x: Quantization, y: Quantization) -> Factors:
    """Returns the nearest weight scales, from `scales` upwards, for which every channel has a divisor.

    About one channel in twelve is moved, by up to 30 millionths as a rule. A channel keeps its scale where 1,000 moves
    by 4 millionths settle nothing, or where its factor is so small that float32 does not hold the sums.
    """
    found, moves = scales.copy(), 0
    unsettled = np.flatnonzero(np.isnan(divisors(arithmetic.requantization(x, found, y))))
    while unsettled.size and moves < _MOST_MOVES:
        found[unsettled] *= arithmetic.SCALE_MOVE
        factors, moves = arithmetic.requantization(x, found[unsettled], y), moves + 1
        unsettled = unsettled[np.isnan(divisors(factors))]
    found[unsettled] = scales[unsettled]
    return found


def divisors_of(operator: Weighted) -> Factors:
    """Returns what to divide each channel's sums by, NaN where no float32 gives the operator's codes."""
    assert operator.weight_scales is not None
    x, y = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    return divisors(arithmetic.requantization(x, operator.weight_scales, y))


def divisors(factors: Factors) -> Factors:
    """Returns for each factor a float32 to divide by in its place, NaN if none near its inverse will do.

    Every sum is covered: products and quotients grow with it, so that only those next to a tie can differ, and of these
    all are tried. Both roundings are odd functions, so positive sums suffice.
    """
    found = np.full(factors.shape, np.nan, np.float32)
    inverses = (1 / factors.astype(np.float64)).astype(np.float32)
    reach = 1 + np.ceil(_UNCERTAIN / factors.astype(np.float64))
    left = np.flatnonzero(reach <= _WIDEST)
    if not left.size:
        return found
    offsets = np.arange(-reach[left].max(), reach[left].max() + 1)
    for neighbour in _NEIGHBOURS:
        candidates = (inverses[left].view(np.int32) + neighbour).view(np.float32)
        is_equal = _give_one_code(factors[left], candidates, offsets)
        found[left[is_equal]] = candidates[is_equal]
        left = left[~is_equal]
    return found


def _give_one_code(factors: Factors, divisors: Factors, offsets: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tells of each channel whether all sums next to ties have one code."""
    is_equal = np.ones(len(factors), np.bool_)
    for ties in _TIES:
        left = np.flatnonzero(is_equal)
        is_equal[left] = _give_one_code_near(ties, factors[left], divisors[left], offsets)
    return is_equal


def _give_one_code_near(
    ties: NDArray[np.float64], factors: Factors, divisors: Factors, offsets: NDArray[np.float64]
) -> NDArray[np.bool_]:
    middles = np.rint(ties / factors[:, None].astype(np.float64))
    sums = (middles[:, :, None] + offsets).reshape(len(factors), ties.size * offsets.size).astype(np.float32)
    return np.asarray((np.rint(sums * factors[:, None]) == np.rint(sums / divisors[:, None])).all(axis=1))
