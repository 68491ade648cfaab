"""Builds the program that is requested for a graph: the graph's own integers, no converter."""

from collections.abc import Iterator

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.checks.limits import check_graph
from mobile_sdk.graph.operators import INT8_MIN, Graph
from mobile_sdk.runtimes.base import input_name
from mobile_sdk.runtimes.coreai.operators import (
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
from mobile_sdk.runtimes.coreai.operators.table import float32, int8
from mobile_sdk.runtimes.coreai.program import INPUT, CoreAIProgram, End, Operand
from mobile_sdk.runtimes.coreai.writer import CHANNELS_FIRST, CHANNELS_LAST, FLOAT32, INT8, CoreAIWriter
from mobile_sdk.runtimes.shapes import runtime_shape

FAMILIES = (boxes, channels, constants, conv, conversions, elementwise, pooling, resize, tokens)
"""These modules fill `int8` and `float32`."""


def request(graph: Graph) -> CoreAIProgram:
    """Returns the program that is requested for `graph`.

    Raises CompileError with a module path for what Core AI has no form for.
    """
    check_graph(graph)
    for name in {input_name(graph)} & set(graph.output_names):
        raise CompileError(f"expected names that differ, found two of {name}", hint="rename that output")
    file = CoreAIWriter(graph)
    given = _write_input(graph, file)
    for operator in graph.operators:
        file.path = operator.path or "the net"
        table = float32 if operator.output.quantization is None else int8
        table[operator](operator, file)
    return file.finish(given, list(_write_outputs(graph, file)))


def _write_input(graph: Graph, file: CoreAIWriter) -> End:
    """Writes the input as codes, channels first: a picture's bytes less 128, an array's codes as they are."""
    dtype = "uint8" if graph.reads_picture else INT8
    given = file.take(input_name(graph), dtype, runtime_shape(graph.input.shape))
    code: Operand = INPUT
    if len(graph.input.shape) == 3:
        code = file.transpose(code, CHANNELS_FIRST)
    if graph.reads_picture:
        code = file.quantize(file.cast(code, FLOAT32), 1.0, INT8_MIN)
    file.give(graph.input, code)
    return given


def _write_outputs(graph: Graph, file: CoreAIWriter) -> Iterator[tuple[End, Operand]]:
    """Yields what the file gives, maps channels last, as the other runtimes have them."""
    for name, output in zip(graph.output_names, graph.outputs, strict=True):
        result = file.code(output)
        if len(output.shape) == 3:
            result = file.transpose(result, CHANNELS_LAST)
        dtype = FLOAT32 if output.quantization is None else INT8
        yield End(name=name, dtype=dtype, shape=runtime_shape(output.shape)), result
