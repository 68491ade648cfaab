"""Writes tensors that no picture changes."""

from mobile_sdk.graph.operators import ConstantTensor
from mobile_sdk.runtimes.shapes import runtime_layout
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter
from mobile_sdk.runtimes.tflite.operators.table import write


@write.of(ConstantTensor)
def _constant(operator: ConstantTensor, file: ModelWriter) -> None:
    file.fill(operator.output.name, runtime_layout(operator.values))
