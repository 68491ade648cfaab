"""Builds the model that is requested for a graph: NHWC from the first byte, the graph's own integers, no converter.

Padding is TensorFlow's SAME or VALID if that is the graph's; any other padding becomes a PAD before it.
"""

from typing import Any

from mobile_sdk.contract import Contract
from mobile_sdk.errors import CompileError
from mobile_sdk.graph.checks.limits import check_graph
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.base import PICTURE
from mobile_sdk.runtimes.tflite.description.metadata import encode_metadata
from mobile_sdk.runtimes.tflite.interface import USUAL, Form, interface_of
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
from mobile_sdk.runtimes.tflite.picture import INPUT_VALUES, write_input

FAMILIES = (boxes, channels, constants, conv, conversions, elementwise, pooling, resize, tokens)
"""These modules fill `write`."""


def request(graph: Graph, contract: Contract, form: Form = USUAL) -> Any:
    """Returns the schema's ModelT that is requested for `graph` in that form.

    Raises CompileError with a module path for what TFLite cannot express or XNNPACK refuses.
    """
    ends, description = interface_of(graph, form), f"{contract.name} {graph.digest()}"
    metadata, graph = encode_metadata(graph, contract, ends), form.computed(graph)
    check_graph(graph)
    names = {graph.input.name, *(operator.output.name for operator in graph.operators), *graph.output_names}
    if taken := names & {PICTURE, INPUT_VALUES}:
        raise CompileError(f"a tensor is named {min(taken)}, as one of the input's is", hint="rename that module")
    file = ModelWriter(graph, description)
    taking = write_input(file, graph, reads_codes=form.reads_codes)
    for operator in graph.operators:
        file.declare(operator.output)
        write[operator](operator, file)
    outputs = {name: output.name for name, output in zip(graph.output_names, graph.outputs, strict=True)}
    return file.finish({ends.input.name: taking}, outputs, metadata)
