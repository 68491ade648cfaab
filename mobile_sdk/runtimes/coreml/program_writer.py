"""Writes a graph as an ML program, operator by operator, through coremltools' builder, and records the requests."""

from typing import Any

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.coreml.half_writer import HalfWriter, write_half_input
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
from mobile_sdk.runtimes.coreml.operators.table import float16, float32, int8
from mobile_sdk.runtimes.coreml.package.classifier import PROBABILITIES, Classifier
from mobile_sdk.runtimes.coreml.requested import Recorder, RequestedProgram

FAMILIES = (boxes, channels, constants, conv, conversions, elementwise, pooling, resize, tokens)
"""These modules fill `int8`, `float32` and `float16`."""
FOUR_BITS_SINCE = "iOS18"
"""The first system with `constexpr_blockwise_shift_scale`, which takes constants of 4 bits."""


def build_program(
    tools: Any, graph: Graph, target: str, *, in_float16: bool = False, labels: tuple[str, ...] = ()
) -> tuple[Any, RequestedProgram]:
    """Returns coremltools' program, from the input (1, C, H, W) to the float32 outputs, and the operations in it.

    It computes the graph's integers in float32, or its real values in float16. With `labels` it computes probabilities
    too, from which coremltools makes a classifier.

    Raises CompileError, with operator and module path, for an operator that Core ML has no form for.
    """
    mil = tools.converters.mil.mil
    mil.Builder.name_count.clear()  # or a program that was built and never saved changes the names in the next one
    program = mil.Program()
    name, shape = input_name(graph), (1, *graph.input.shape)
    with mil.Function(
        {name: mil.Builder.placeholder(shape, dtype=mil.types.fp32)}, opset_version=tools.target[target]
    ) as function:
        recorder = Recorder(mil)
        settings = {"in_float16": in_float16, "holds_four_bits": tools.target[target] >= tools.target[FOUR_BITS_SINCE]}
        outputs = _write(recorder, function.inputs[name], graph, **settings)
        if labels:
            recorder.path = "the probabilities"
            recorder.softmax(x=outputs[0], axis=-1, name=PROBABILITIES)
        function.set_outputs(outputs)
        program.add_function("main", function)
    return program, RequestedProgram(
        input_name=name,
        input_shape=shape,
        colours=colours_of(graph),
        output_names=output_names(graph),
        operations=tuple(recorder.requested),
        classifier=Classifier.of(PROBABILITIES, labels) if labels else None,
        graph_digest=graph.digest(),
    )


def _write(recorder: Recorder, image: Any, graph: Graph, *, in_float16: bool, holds_four_bits: bool) -> list[Any]:
    outputs = dict(zip((output.name for output in graph.outputs), output_names(graph), strict=True))
    read = {operand.name for operator in graph.operators for operand in operator.inputs}
    given: dict[str, Any] = {}
    results = {graph.input.name: (write_half_input if in_float16 else write_input)(recorder, image, graph)}
    is_centred = graph.precision != "float32"
    for label, operator in zip(labels(graph), graph.operators, strict=True):
        recorder.path = operator.path
        name, grid = operator.output.name, operator.output.quantization
        ends: dict[str, Any] = {"output": outputs.get(name), "is_read": name in read or name not in outputs}
        ends["holds_four_bits"] = holds_four_bits
        file: MilWriter
        if in_float16:
            write = float16[operator]
            file = HalfWriter(recorder, results, label, **ends, grid=grid, path=operator.path)
        else:
            write = (float32 if grid is None else int8)[operator]
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
