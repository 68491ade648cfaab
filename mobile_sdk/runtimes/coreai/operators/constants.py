"""Writes tensors that no picture changes."""

import numpy as np

from mobile_sdk.graph.operators import ConstantTensor
from mobile_sdk.runtimes.coreai.operators.table import float32, int8
from mobile_sdk.runtimes.coreai.writer import CoreAIWriter


@int8.of(ConstantTensor)
@float32.of(ConstantTensor)
def _constant(operator: ConstantTensor, file: CoreAIWriter) -> None:
    file.give(operator.output, np.ascontiguousarray(operator.values[np.newaxis]))
