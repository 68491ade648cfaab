"""Turns sums of products of codes into codes, as XNNPACK rounds them."""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Clamp, Tensor
from mobile_sdk.graph.settled_factors import divisors
from mobile_sdk.runtimes.coreai.program import Operand
from mobile_sdk.runtimes.coreai.writer import CoreAIWriter


def requantized(
    file: CoreAIWriter,
    sums: Operand,
    factors: NDArray[np.float32],
    output: Tensor,
    clamp: Clamp,
    *,
    axis: int | None = None,
) -> Operand:
    """Writes `round_half_even(sum * factor) + zero_point`, clamped, and returns the codes.

    The sums are whole numbers; a vector of factors lies along an axis of them. It is a division wherever that is proved
    to give equal codes for all sums.
    """
    grid = arithmetic.quantization_of(output)
    found = divisors(np.atleast_1d(factors)).reshape(factors.shape)
    if not np.isnan(found).any():
        code = file.quantize(sums, found, grid.zero_point, axis=axis)
    else:
        whole = file.unary("round", sums)  # changes nothing, but nothing folds over it
        along = [-1 if place == axis else 1 for place in range(len(file.shape(sums)))]
        steps = file.binary("mul", whole, factors if axis is None else factors.reshape(along))
        code = file.quantize(steps, 1.0, grid.zero_point)
    return file.clamped(code, grid, clamp)
