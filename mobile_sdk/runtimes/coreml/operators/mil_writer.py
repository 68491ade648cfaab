"""A graph, operator by operator, through coremltools' `Builder`: integer_forms.py and float_forms.py say how."""

from collections.abc import Callable
from typing import Any

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import Dequantize, Graph, Operator, Precision
from mobile_sdk.runtimes.coreml.operators.float_forms import FLOAT_FORMS, from_centred_codes
from mobile_sdk.runtimes.coreml.operators.integer_forms import INTEGER_FORMS
from mobile_sdk.runtimes.coreml.operators.mil_builder import Pen, labels, write_input


def write_operators(builder: Any, image: Any, graph: Graph) -> Any:
    """Emits the whole graph, from the image (1, 3, H, W) to the float32 scores (1, classes).

    Raises CompileError, with operator and module path, for an operator that has no form here.
    """
    results = {graph.input.name: write_input(builder, image, graph)}
    for label, operator in zip(labels(graph), graph.operators, strict=True):
        write = _form(operator, graph.precision)
        if write is None:
            raise CompileError(
                f"expected an operator that Core ML has, found {type(operator).__name__} at {operator.path}",
                hint="express it in the operators of mobile_sdk.graph.operators",
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


def _form(operator: Operator, precision: Precision) -> Callable[[Pen, Any], Any] | None:
    if isinstance(operator, Dequantize) and precision == "mixed":
        return from_centred_codes
    return (FLOAT_FORMS if operator.output.quantization is None else INTEGER_FORMS).get(type(operator))
