"""Writes tensors that no picture changes."""

import numpy as np

from mobile_sdk.graph.operators import ConstantTensor
from mobile_sdk.runtimes.onnx.operators.table import float32, int8
from mobile_sdk.runtimes.onnx.writer import OnnxWriter, stored


@int8.of(ConstantTensor)
def _codes(operator: ConstantTensor, file: OnnxWriter) -> None:
    file.constant(file.name(operator.output), stored(operator.values)[np.newaxis])


@float32.of(ConstantTensor)
def _values(operator: ConstantTensor, file: OnnxWriter) -> None:
    value = file.constant(":values", operator.values[np.newaxis])
    file.give(operator, lambda name: file.node("Identity", [value], name))
