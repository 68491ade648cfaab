"""Writes the conversions between codes and real values."""

import numpy as np

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Dequantize, Quantize
from mobile_sdk.runtimes.coreai.operators.table import float32, int8
from mobile_sdk.runtimes.coreai.writer import CoreAIWriter


@float32.of(Dequantize)
def _dequantize(operator: Dequantize, file: CoreAIWriter) -> None:
    file.give(operator.output, file.real(operator.input))


@int8.of(Quantize)
def _quantize(operator: Quantize, file: CoreAIWriter) -> None:
    """Multiplies by the inverse of the scale, as XNNPACK does; Core AI's own conversion divides by the scale."""
    grid = arithmetic.quantization_of(operator.output)
    steps = file.binary("mul", file.real(operator.input), float(np.float32(1) / np.float32(grid.scale)))
    file.give(operator.output, file.quantize(steps, 1.0, grid.zero_point))
