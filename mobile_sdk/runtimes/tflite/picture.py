"""Writes the input: a picture's bytes become int8 codes, whole or a strip of rows at a time; an array is codes."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Dequantize, Graph, Rows, Tensor
from mobile_sdk.runtimes.base import PICTURE
from mobile_sdk.runtimes.shapes import runtime_shape
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter

INPUT_VALUES = f"{PICTURE}.values"


def write_input(file: ModelWriter, graph: Graph, *, reads_codes: bool) -> str:
    """Writes a picture's bytes as uint8, and their codes if an operator reads all of them as codes.

    With `reads_codes`, and for an array, the app writes codes. It returns the name of the tensor that the app fills.
    """
    if reads_codes or not graph.reads_picture:
        file.declare(graph.input)
        return graph.input.name
    _declare_bytes(file, PICTURE, graph.input)
    readers = [operator for operator in graph.operators if graph.input in operator.inputs]
    if not all(isinstance(operator, Dequantize | Rows) for operator in readers):
        file.declare(graph.input)
        _rebase(file, PICTURE, INPUT_VALUES, graph.input)
    return PICTURE


def write_picture_rows(operator: Rows, file: ModelWriter) -> None:
    """Writes a SLICE of the picture's bytes, so that only these rows exist as float32."""
    name, output = operator.output.name, operator.output
    target, begin, size = f"{name}.{PICTURE}", f"{name}.begin", f"{name}.size"
    file.constant(begin, np.array([0, operator.start, 0, 0], np.int32))
    file.constant(size, np.array(runtime_shape(output.shape), np.int32))
    _declare_bytes(file, target, output)
    file.operator("SLICE", [PICTURE, begin, size], target, schema.SliceOptionsT())
    _rebase(file, target, f"{name}.values", output)


def _declare_bytes(file: ModelWriter, name: str, picture: Tensor) -> None:
    codes = arithmetic.quantization_of(picture)
    file.activation(name, runtime_shape(picture.shape), np.dtype(np.uint8), codes.scale, codes.zero_point + 128)


def _rebase(file: ModelWriter, source: str, values: str, codes: Tensor) -> None:
    """Converts bytes to codes through their float32 values, which is exact.

    XNNPACK has no operator from uint8 to int8, and LiteRT's own QUANTIZE takes ten times as long as both of these.
    """
    file.activation(values, runtime_shape(codes.shape), np.dtype(np.float32))
    file.operator("DEQUANTIZE", [source], values)
    file.operator("QUANTIZE", [values], codes.name)
