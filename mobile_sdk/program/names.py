"""What an ATen graph cannot say of a program: the names of tensors, and the module that each operator came from."""

from typing import Literal

from pydantic import Field

from mobile_sdk.document import Document
from mobile_sdk.graph.operators import Clamp, Constant, DecodeBoxes, Dequantize, Graph, Operator, Quantize

Form = Literal["int8", "float32", "dequantize", "quantize", "boxes"]


class OperatorNames(Document):
    """What one operator is called. `constant` is its constant's name; `fused_clamp` whether the clamp is its own.

    `form` is what an operator of a mixed program or a detector is; others' operators are of one kind, and have none.
    """

    output: str
    path: str
    constant: str | None = None
    fused_clamp: bool = False
    form: Form | None = Field(default=None, exclude_if=lambda form: form is None)


class Names(Document):
    """The names that an exported program does not hold, in the order of its operators."""

    input: str
    operators: tuple[OperatorNames, ...]


def names_of(graph: Graph) -> Names:
    """The table that travels beside the exported program of `graph`."""
    is_mixed = graph.precision == "mixed" or isinstance(graph.operators[-1], DecodeBoxes)
    return Names(
        input=graph.input.name,
        operators=tuple(_names_of(operator, _form(operator) if is_mixed else None) for operator in graph.operators),
    )


def _form(operator: Operator) -> Form:
    if isinstance(operator, DecodeBoxes):
        return "boxes"
    if isinstance(operator, Dequantize | Quantize):
        return "dequantize" if isinstance(operator, Dequantize) else "quantize"
    return "float32" if operator.output.quantization is None else "int8"


def _names_of(operator: Operator, form: Form | None) -> OperatorNames:
    constants = [operand.name for operand in operator.inputs if isinstance(operand, Constant)]
    return OperatorNames(
        output=operator.output.name,
        path=operator.path,
        constant=constants[0] if constants else None,
        fused_clamp=getattr(operator, "clamp", Clamp.NONE) is not Clamp.NONE,
        form=form,
    )
