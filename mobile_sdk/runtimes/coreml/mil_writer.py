"""A graph, operator by operator, through coremltools' `Builder`: integer_forms.py or float_forms.py say how."""

from typing import Any

from mobile_sdk.errors import CompileError
from mobile_sdk.integer_graph import Graph
from mobile_sdk.runtimes.coreml.float_forms import FLOAT_FORMS
from mobile_sdk.runtimes.coreml.integer_forms import INTEGER_FORMS
from mobile_sdk.runtimes.coreml.mil_pen import Pen, labels, write_input


def write_operators(builder: Any, image: Any, graph: Graph) -> Any:
    """Emits the whole graph, from the image (1, 3, H, W) to the float32 scores (1, classes).

    Raises CompileError, with operator and module path, for an operator that has no form here.
    """
    forms = INTEGER_FORMS if graph.is_int8 else FLOAT_FORMS
    results = {graph.input.name: write_input(builder, image, graph)}
    for label, operator in zip(labels(graph), graph.operators, strict=True):
        write = forms.get(type(operator))
        if write is None:
            raise CompileError(
                f"expected an operator that Core ML has, found {type(operator).__name__} at {operator.path}",
                hint="express it in the operators of mobile_sdk.integer_graph",
            )
        pen = Pen(builder, results, label, is_last=operator is graph.operators[-1])
        try:
            results[operator.output.name] = write(pen, operator)
        except (ValueError, TypeError, KeyError) as error:
            raise CompileError(
                f"expected coremltools to accept {type(operator).__name__} at {operator.path}, found: {error}",
                hint="check its shapes in the graph",
            ) from error
    return results[graph.output.name]
