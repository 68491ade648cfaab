"""Writes the conversions between codes and real values."""

from mobile_sdk.graph.operators import Dequantize, Quantize
from mobile_sdk.runtimes.base import PICTURE
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter
from mobile_sdk.runtimes.tflite.operators.table import write


@write.of(Dequantize)
def _dequantize(operator: Dequantize, file: ModelWriter) -> None:
    """Dequantizes a picture from its bytes if no operator reads its codes."""
    source = operator.input.name if file.knows(operator.input.name) else PICTURE
    file.operator("DEQUANTIZE", [source], operator.output.name)


@write.of(Quantize)
def _quantize(operator: Quantize, file: ModelWriter) -> None:
    file.operator("QUANTIZE", [operator.input.name], operator.output.name)
