"""Writes the interpolation of maps."""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.interpolation import ONE, shares
from mobile_sdk.graph.operators import ResizeBilinear
from mobile_sdk.runtimes.coreai.operators.table import float32, int8
from mobile_sdk.runtimes.coreai.program import Operand
from mobile_sdk.runtimes.coreai.writer import FLOAT32, INT8, INT32, CoreAIWriter


@int8.of(ResizeBilinear)
def _resize(operator: ResizeBilinear, file: CoreAIWriter) -> None:
    """Writes products of codes with the shares of columns and of rows, in int32; halves round up.

    The shares of a pixel add up to ONE, so that a sum is a mean of codes times ONE^2, which int32 holds.
    """
    down, across = (each.astype(np.int32) for each in shares(operator))
    sums = _products(file, file.integers(operator.input), down, across, INT32)
    shifted = file.binary("add", sums, np.array(ONE**2 // 2, np.int32), INT32)
    file.give(operator.output, file.cast(file.binary("floor_divide", shifted, np.array(ONE**2, np.int32), INT32), INT8))


@float32.of(ResizeBilinear)
def _float_resize(operator: ResizeBilinear, file: CoreAIWriter) -> None:
    """Fills a larger map from one pixel by a product with ones: interpolating it would round twice."""
    x = file.real(operator.input)
    if operator.input.shape[1:] == (1, 1):
        file.give(operator.output, file.binary("mul", x, np.ones((1, 1, *operator.output.shape[1:]), np.float32)))
        return
    down, across = (each.astype(np.float32) / np.float32(ONE) for each in shares(operator))
    file.give(operator.output, _products(file, x, down, across, FLOAT32))


def _products(
    file: CoreAIWriter, x: Operand, down: NDArray[np.number], across: NDArray[np.number], dtype: str
) -> Operand:
    """Writes the sums over columns, and of these over rows."""
    _, channels, height, _ = file.shape(x)
    rows, columns = len(down), len(across)
    wide = np.ascontiguousarray(across.T)
    summed = file.operation("broadcasting_batch_matmul", [x, wide], (1, channels, height, columns), dtype)
    return file.operation("broadcasting_batch_matmul", [down, summed], (1, channels, rows, columns), dtype)
