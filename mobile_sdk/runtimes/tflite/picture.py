"""The picture on its way in: RGB bytes as uint8, whole or a strip of rows at a time, become int8 codes."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Dequantize, Graph, Rows, Tensor
from mobile_sdk.runtimes.shapes import runtime_shape
from mobile_sdk.runtimes.tflite.tensors import declare
from mobile_sdk.runtimes.tflite.writer import Writer

INPUT_NAME, INPUT_VALUES = "rgb", "rgb.values"


def write_input(writer: Writer, graph: Graph) -> None:
    """RGB bytes as uint8, and their codes where an operator reads all of them as codes."""
    _declare_bytes(writer, INPUT_NAME, graph.input)
    readers = [operator for operator in graph.operators if graph.input in operator.inputs]
    if not all(isinstance(operator, Dequantize | Rows) for operator in readers):
        declare(writer, graph.input)
        _rebase(writer, INPUT_NAME, INPUT_VALUES, graph.input)


def write_rows(writer: Writer, operator: Rows) -> None:
    """A SLICE; of the picture, of its bytes, so that never more of it than the rows are there as float32."""
    name, output = operator.output.name, operator.output
    is_picture = not writer.knows(operator.input.name)
    source, target = (INPUT_NAME, f"{name}.{INPUT_NAME}") if is_picture else (operator.input.name, name)
    begin, size = f"{name}.begin", f"{name}.size"
    writer.constant(begin, np.array([0, operator.start, 0, 0], np.int32))
    writer.constant(size, np.array(runtime_shape(output.shape), np.int32))
    if is_picture:
        _declare_bytes(writer, target, output)
    writer.operator("SLICE", [source, begin, size], target, 2, schema.SliceOptionsT())
    if is_picture:
        _rebase(writer, target, f"{name}.values", output)


def _declare_bytes(writer: Writer, name: str, picture: Tensor) -> None:
    codes = arithmetic.quantization_of(picture)
    writer.activation(name, runtime_shape(picture.shape), np.dtype(np.uint8), codes.scale, codes.zero_point + 128)


def _rebase(writer: Writer, source: str, values: str, codes: Tensor) -> None:
    """Bytes to codes, through the float32 values that they stand for, which loses nothing.

    XNNPACK has no operator from uint8 to int8, and LiteRT's own QUANTIZE takes ten times as long as both of these.
    """
    writer.activation(values, runtime_shape(codes.shape), np.dtype(np.float32))
    writer.operator("DEQUANTIZE", [source], values, 2)
    writer.operator("QUANTIZE", [values], codes.name, 1)
