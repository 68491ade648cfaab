"""Writes the conversions between codes and real values."""

from mobile_sdk.graph.operators import Dequantize, Quantize
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter
from mobile_sdk.runtimes.tflite.operators.table import write
from mobile_sdk.runtimes.tflite.picture import INPUT_NAME


@write.of(Dequantize)
def _dequantize(operator: Dequantize, file: ModelWriter) -> None:
    """Dequantizes a picture from its bytes if no operator reads its codes."""
    source = operator.input.name if file.knows(operator.input.name) else INPUT_NAME
    file.operator("DEQUANTIZE", [source], operator.output.name, 2)


@write.of(Quantize)
def _quantize(operator: Quantize, file: ModelWriter) -> None:
    file.operator("QUANTIZE", [operator.input.name], operator.output.name, 1)
