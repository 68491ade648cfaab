"""Writes a graph as an ML program, operator by operator, through coremltools' builder, and records the requests."""

from typing import Any

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.coreml.mil_writer import (
    MilWriter,
    colours_of,
    input_name,
    labels,
    output_names,
    write_input,
)
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
    """Returns coremltools' program, from the input (1, C, H, W) to the float32 outputs, and the operations in it.

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
        function.set_outputs(_write(recorder, function.inputs[name], graph))
        program.add_function("main", function)
    return program, RequestedProgram(
        input_name=name,
        input_shape=shape,
        colours=colours_of(graph),
        output_names=output_names(graph),
        operations=tuple(recorder.requested),
        graph_digest=graph.digest(),
    )


def _write(recorder: Recorder, image: Any, graph: Graph) -> list[Any]:
    outputs = dict(zip((output.name for output in graph.outputs), output_names(graph), strict=True))
    read = {operand.name for operator in graph.operators for operand in operator.inputs}
    given: dict[str, Any] = {}
    results = {graph.input.name: write_input(recorder, image, graph)}
    is_centred = graph.precision != "float32"
    for label, operator in zip(labels(graph), graph.operators, strict=True):
        recorder.path = operator.path
        write = (float32 if operator.output.quantization is None else int8)[operator]
        name = operator.output.name
        ends: dict[str, Any] = {"output": outputs.get(name), "is_read": name in read or name not in outputs}
        file = MilWriter(recorder, results, label, **ends, codes_are_centred=is_centred)
        try:
            results[name] = write(operator, file)
        except (ValueError, TypeError, KeyError) as error:
            raise CompileError(
                f"expected coremltools to accept {type(operator).__name__} at {operator.path}, found: {error}",
                hint="check its shapes in the graph",
            ) from error
        given[name] = file.given
    return [given[name] for name in outputs]
