"""Writes the conversions between codes and real values."""

from typing import Any

import numpy as np

from mobile_sdk.graph.arithmetic import quantization_of
from mobile_sdk.graph.operators import Dequantize, Quantize
from mobile_sdk.runtimes.coreml.mil_writer import MilWriter
from mobile_sdk.runtimes.coreml.operators.table import float32, int8


@int8.of(Quantize)
def _quantize(operator: Quantize, file: MilWriter) -> Any:
    inverse = np.float32(1) / np.float32(quantization_of(operator.output).scale)
    return file.codes(file.mul(file.read(operator.input), inverse), operator.output)


@float32.of(Dequantize)
def _dequantize(operator: Dequantize, file: MilWriter) -> Any:
    """Multiplies centred codes, which are numbers already, by the scale."""
    grid = quantization_of(operator.input)
    if file.codes_are_centred:
        return file.values(file.mul(file.read(operator.input), np.float32(grid.scale)))
    return file.values(file.dequantize(file.read(operator.input), grid, file.label))
