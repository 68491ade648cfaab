"""Builds the model that is requested for a graph: NHWC from the first byte, the graph's own integers, no converter.

Padding is TensorFlow's SAME or VALID if that is the graph's; any other padding becomes a PAD before it.
"""

from typing import Any

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.checks.limits import check_graph
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.tflite.model_writer import ModelWriter
from mobile_sdk.runtimes.tflite.operators import (
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
from mobile_sdk.runtimes.tflite.operators.table import write
from mobile_sdk.runtimes.tflite.picture import INPUT_NAME, INPUT_VALUES, input_name, write_input

FAMILIES = (boxes, channels, constants, conv, conversions, elementwise, pooling, resize, tokens)
"""These modules fill `write`."""


def request(graph: Graph, description: str) -> Any:
    """Returns the schema's ModelT that is requested for `graph`.

    Raises CompileError with a module path for what TFLite cannot express or XNNPACK refuses.
    """
    check_graph(graph)
    names = {graph.input.name, *(operator.output.name for operator in graph.operators), *graph.output_names}
    if taken := names & {INPUT_NAME, INPUT_VALUES}:
        raise CompileError(f"a tensor is named {min(taken)}, as one of the input's is", hint="rename that module")
    file = ModelWriter(graph, description)
    write_input(file, graph)
    for operator in graph.operators:
        file.declare(operator.output)
        write[operator](operator, file)
    outputs = zip(graph.output_names, graph.outputs, strict=True)
    return file.finish(input_name(graph), {name: output.name for name, output in outputs})
