"""Writes the conversions between codes and real values."""

from mobile_sdk.graph.operators import Dequantize, Quantize
from mobile_sdk.runtimes.executorch.node_writer import NodeWriter
from mobile_sdk.runtimes.executorch.operators.table import write


@write.of(Dequantize, Quantize)
def _convert(operator: Dequantize | Quantize, file: NodeWriter, inputs: list[int], output: int) -> None:
    file.unary("XNNConvert", inputs[0], output)
