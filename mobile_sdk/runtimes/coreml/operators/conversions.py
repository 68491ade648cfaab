"""Writes the conversions between codes and real values."""

from typing import Any

import numpy as np

from mobile_sdk.graph.arithmetic import quantization_of
from mobile_sdk.graph.operators import Dequantize, Quantize
from mobile_sdk.runtimes.coreml.mil_writer import MilWriter
from mobile_sdk.runtimes.coreml.operators.table import float16, int8, of_real_values


@int8.of(Quantize)
def _quantize(operator: Quantize, file: MilWriter) -> Any:
    inverse = np.float32(1) / np.float32(quantization_of(operator.output).scale)
    return file.codes(file.mul(file.read(operator.input), inverse), operator.output)


@of_real_values(Dequantize)
def _dequantize(operator: Dequantize, file: MilWriter) -> Any:
    return file.values(file.real(operator.input))


@float16.of(Quantize)
def _onto_grid(operator: Quantize, file: MilWriter) -> Any:
    return file.values(file.read(operator.input))
