"""Writes tensors that no picture changes: centred codes, or real values, in float32."""

from typing import Any

import numpy as np

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import ConstantTensor
from mobile_sdk.runtimes.coreml.mil_writer import MilWriter, mil_shape
from mobile_sdk.runtimes.coreml.operators.table import int8, of_real_values


@int8.of(ConstantTensor)
def _codes(operator: ConstantTensor, file: MilWriter) -> Any:
    zero_point = arithmetic.quantization_of(operator.output).zero_point
    values = operator.values.reshape(mil_shape(operator.output.shape))
    return file.mil.const(val=values.astype(np.float32) - np.float32(zero_point), name=file.label)


@of_real_values(ConstantTensor)
def _values(operator: ConstantTensor, file: MilWriter) -> Any:
    return file.mil.const(val=file.dequantized(operator).reshape(mil_shape(operator.output.shape)), name=file.label)
