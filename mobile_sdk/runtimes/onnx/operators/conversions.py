"""Writes the conversions between codes and real values."""

import numpy as np

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Dequantize, Quantize
from mobile_sdk.runtimes.onnx.operators.table import float32, int8
from mobile_sdk.runtimes.onnx.writer import OnnxWriter


@float32.of(Dequantize)
def _dequantize(operator: Dequantize, file: OnnxWriter) -> None:
    grid = arithmetic.quantization_of(operator.input)
    file.dequantized(file.name(operator.input), file.name(operator.output), grid)


@int8.of(Quantize)
def _quantize(operator: Quantize, file: OnnxWriter) -> None:
    """Multiplies by the inverse of the scale, as XNNPACK does; ONNX's own conversion divides by the scale."""
    inverse = np.float32(1) / np.float32(arithmetic.quantization_of(operator.output).scale)
    inputs = [file.real(operator.input), file.scalar(":inverse", float(inverse))]
    file.round(file.node("Mul", inputs, ":steps"), operator.output)
