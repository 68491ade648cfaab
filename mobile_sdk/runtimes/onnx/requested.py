"""Builds the model that is requested for a graph: the graph's own integers as QDQ, no converter."""

from collections.abc import Iterator
from typing import Any

from onnx import ModelProto, TensorProto, helper

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.checks.limits import check_graph
from mobile_sdk.graph.operators import Clamp, Graph
from mobile_sdk.runtimes.base import input_name
from mobile_sdk.runtimes.onnx.operators import (
    boxes,
    channels,
    constants,
    conv,
    conversions,
    elementwise,
    pooling,
    resize,
    tokens,
)
from mobile_sdk.runtimes.onnx.operators.table import float32, int8
from mobile_sdk.runtimes.onnx.writer import OnnxWriter
from mobile_sdk.runtimes.shapes import runtime_shape

FAMILIES = (boxes, channels, constants, conv, conversions, elementwise, pooling, resize, tokens)
"""These modules fill `int8` and `float32`."""
_CHANNELS_FIRST, _CHANNELS_LAST = [0, 3, 1, 2], [0, 2, 3, 1]


def request(graph: Graph, description: str, licence: str | None = None) -> ModelProto:
    """Returns the model that is requested for `graph`.

    Raises CompileError with a module path for what ONNX Runtime cannot have, or would not compute exactly.
    """
    check_graph(graph)
    file = OnnxWriter(graph, description)
    given = _write_input(graph, file)
    for operator in graph.operators:
        file.label = file.name(operator.output)
        table = float32 if operator.output.quantization is None else int8
        table[operator](operator, file)
    model = file.finish([given], list(_write_outputs(graph, file)))
    if licence is not None:
        helper.set_model_props(model, {"licence": licence})
    return model


def _write_input(graph: Graph, file: OnnxWriter) -> Any:
    """Writes the input, channels first. A picture's bytes are its codes as they are stored; an array's are int8."""
    name, codes, shape = input_name(graph), file.name(graph.input), runtime_shape(graph.input.shape)
    file.declare(name)
    file.label = name
    source, kind = name, TensorProto.UINT8
    if not graph.reads_picture:
        kind, grid = TensorProto.INT8, arithmetic.quantization_of(graph.input)
        real = file.node("DequantizeLinear", [name, *file.grid(":real", grid, is_int8=True)], ":real")
        source = file.quantized(real, codes if len(shape) != 4 else ":channels_last", grid, Clamp.NONE)
    if len(graph.input.shape) == 3:
        file.node("Transpose", [source], codes, perm=_CHANNELS_FIRST)
    return helper.make_tensor_value_info(name, kind, shape)


def _write_outputs(graph: Graph, file: OnnxWriter) -> Iterator[Any]:
    """Writes int8 codes, and maps channels last, as the other runtimes have them, and yields what the file gives.

    Both conversions are exact: a code's real value is nearest to that code.
    """
    for name, output in zip(graph.output_names, graph.outputs, strict=True):
        source, grid, file.label = file.name(output), output.quantization, name
        if len(output.shape) == 3:
            last = name if grid is None else ":channels_last"
            source = file.node("Transpose", [source], last, perm=_CHANNELS_LAST)
        if grid is not None:
            real = file.dequantized(source, ":given", grid)
            file.node("QuantizeLinear", [real, *file.grid(name, grid, is_int8=True)], name)
        kind = TensorProto.INT8 if grid else TensorProto.FLOAT
        yield helper.make_tensor_value_info(name, kind, runtime_shape(output.shape))
