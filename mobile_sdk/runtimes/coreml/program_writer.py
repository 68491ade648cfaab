"""Writes a graph as an ML program, operator by operator, through coremltools' builder, and records the requests."""

from typing import Any

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.coreml.mil_writer import SCORES, MilWriter, colours_of, input_name, labels, write_input
from mobile_sdk.runtimes.coreml.operators import (
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
from mobile_sdk.runtimes.coreml.operators.table import float32, int8
from mobile_sdk.runtimes.coreml.requested import Recorder, RequestedProgram

FAMILIES = (boxes, channels, constants, conv, conversions, elementwise, pooling, resize, tokens)
"""These modules fill `int8` and `float32`."""


def build_program(tools: Any, graph: Graph) -> tuple[Any, RequestedProgram]:
    """Returns coremltools' program, from the input (1, C, H, W) to the float32 scores, and the operations in it.

    Raises CompileError, with operator and module path, for an operator that Core ML has no form for.
    """
    mil = tools.converters.mil.mil
    mil.Builder.name_count.clear()  # or a program that was built and never saved changes the names in the next one
    program = mil.Program()
    name, shape = input_name(graph), (1, *graph.input.shape)
    with mil.Function(
        {name: mil.Builder.placeholder(shape, dtype=mil.types.fp32)}, opset_version=tools.target.iOS17
    ) as function:
        recorder = Recorder(mil)
        function.set_outputs([_write(recorder, function.inputs[name], graph)])
        program.add_function("main", function)
    return program, RequestedProgram(
        input_name=name,
        input_shape=shape,
        colours=colours_of(graph),
        output_name=SCORES,
        operations=tuple(recorder.requested),
        graph_digest=graph.digest(),
    )


def _write(recorder: Recorder, image: Any, graph: Graph) -> Any:
    results = {graph.input.name: write_input(recorder, image, graph)}
    is_centred = graph.precision != "float32"
    for label, operator in zip(labels(graph), graph.operators, strict=True):
        recorder.path = operator.path
        write = (float32 if operator.output.quantization is None else int8)[operator]
        is_last = operator is graph.operators[-1]
        file = MilWriter(recorder, results, label, is_last=is_last, codes_are_centred=is_centred)
        try:
            results[operator.output.name] = write(operator, file)
        except (ValueError, TypeError, KeyError) as error:
            raise CompileError(
                f"expected coremltools to accept {type(operator).__name__} at {operator.path}, found: {error}",
                hint="check its shapes in the graph",
            ) from error
    return results[graph.output.name]
