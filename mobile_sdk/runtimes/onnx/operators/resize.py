"""Writes the interpolation of maps."""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.interpolation import ONE, taps
from mobile_sdk.graph.operators import ResizeBilinear
from mobile_sdk.runtimes.onnx.operators.table import float32, int8
from mobile_sdk.runtimes.onnx.writer import FLOAT32, FLOAT64, OnnxWriter


@int8.of(ResizeBilinear)
def _resize(operator: ResizeBilinear, file: OnnxWriter) -> None:
    """Writes products with the shares of columns and of rows in float64, which holds every sum; halves round up."""
    wide = file.node("Cast", [file.centred(operator.input)], ":wide", to=FLOAT64)
    down, across = _shares(operator, np.float64)
    columns = file.node("MatMul", [wide, file.constant(":across", across.T)], ":columns")
    sums = file.node("MatMul", [file.constant(":down", down), columns], ":sums")
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
    down, across = (matrix / ONE for matrix in _shares(operator, np.float32))
    columns = file.node("MatMul", [source, file.constant(":across", across.T)], ":columns")
    file.node("MatMul", [file.constant(":down", down), columns], output)


def _shares(operator: ResizeBilinear, dtype: type[np.floating]) -> list[NDArray[np.floating]]:
    """Returns the shares of rows and of columns, (output, input), as whole numbers."""
    sides = zip(operator.input.shape[1:], operator.output.shape[1:], strict=True)
    each = [(length, taps(length, output, align_corners=operator.align_corners)) for length, output in sides]
    return [axis.matrix(length).astype(dtype) for length, axis in each]
