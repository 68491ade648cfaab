"""Writes the interpolation of maps."""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.interpolation import ONE, shares
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Clamp, Quantization, ResizeBilinear
from mobile_sdk.runtimes.onnx.operators.table import float32, int8
from mobile_sdk.runtimes.onnx.writer import FLOAT32, FLOAT64, OnnxWriter

_QUARTER = 0.25  # of a sum's unit: turns a half up, and is too little to move anything else


@int8.of(ResizeBilinear)
def _resize(operator: ResizeBilinear, file: OnnxWriter) -> None:
    """Writes products with the shares of columns and of rows, whose sums are whole numbers; halves round up.

    Where a side grows by a power of two the shares are few, so that float32 holds a quarter of the sums' unit.
    """
    centred, (down, across) = file.centred(operator.input), shares(operator)
    parts = [int(np.gcd.reduce(each, axis=None)) for each in (down, across)]
    unit = ONE // parts[0] * (ONE // parts[1])
    if unit * (INT8_MAX - INT8_MIN) < arithmetic.EXACT_IN_FLOAT32 * _QUARTER:
        few = [(each // part).astype(np.float32) for each, part in zip((down, across), parts, strict=True)]
        sums = _products(file, centred, few[0], few[1])
        shifted = file.node("Add", [sums, file.scalar(":quarter", _QUARTER)], ":shifted")
        grid = arithmetic.quantization_of(operator.output)
        by_units = Quantization(scale=float(unit), zero_point=grid.zero_point)
        file.quantized(shifted, file.name(operator.output), by_units, Clamp.NONE)
        return
    wide = file.node("Cast", [centred], ":wide", to=FLOAT64)
    sums = _products(file, wide, down.astype(np.float64), across.astype(np.float64))
    scaled = file.node("Mul", [sums, file.scalar(":unit", ONE**-2, np.float64)], ":scaled")
    shifted = file.node("Add", [scaled, file.scalar(":half", 0.5, np.float64)], ":shifted")
    steps = file.node("Cast", [file.node("Floor", [shifted], ":floor")], ":steps", to=FLOAT32)
    file.round(steps, operator.output)


@float32.of(ResizeBilinear)
def _float_resize(operator: ResizeBilinear, file: OnnxWriter) -> None:
    """Fills a larger map from one pixel by copies of it: interpolating it would round twice."""
    source, output = file.name(operator.input), file.name(operator.output)
    if operator.input.shape[1:] == (1, 1):
        file.node("Expand", [source, file.integers(":size", (1, *operator.output.shape))], output)
        return
    down, across = (each.astype(np.float32) / np.float32(ONE) for each in shares(operator))
    _products(file, source, down, across, output)


def _products(
    file: OnnxWriter,
    source: str,
    down: NDArray[np.floating],
    across: NDArray[np.floating],
    output: str = ":sums",
) -> str:
    """Writes the sums over columns, and of these over rows."""
    columns = file.node("MatMul", [source, file.constant(":across", across.T)], ":columns")
    return file.node("MatMul", [file.constant(":down", down), columns], output)
