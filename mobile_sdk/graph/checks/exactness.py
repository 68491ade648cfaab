"""Proves from a graph's numbers, for every picture, which layers kept in float32 compute the same everywhere.

One float32 operation has one result by IEEE 754, and runtimes keep operators apart: none of them fuses a product with
the sum of another operator. A sum of many products has as many results as there are orders, unless float32 holds every
partial sum exactly. Interpolation is such a sum, too.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mobile_sdk.graph.checks.value_ranges import Held, held_in, resizing_is_exact, sums_are_exact
from mobile_sdk.graph.operator_table import OperatorTable
from mobile_sdk.graph.operators import (
    Activation,
    Conv2d,
    ConvTranspose2d,
    Function,
    Graph,
    Linear,
    Operator,
    ResizeBilinear,
    UnaryFunction,
    Weighted,
)
from mobile_sdk.graph.operators.traits import Rounding

_proofs: OperatorTable[Callable[[Any, Held | None], bool]] = OperatorTable("the proof that float32 sums are exact")


def order_dependent_paths(graph: Graph) -> list[str]:
    """Returns the layers whose float32 result may depend on the order of summation, or on an activation's method.

    Raises CompileError for an operator that needs a proof and has none here.
    """
    held = held_in(graph.operators)
    in_float = [operator for operator in graph.operators if operator.output.quantization is None]
    found = [operator.path for operator in in_float if not _has_one_result(operator, held)]
    return list(dict.fromkeys(found))


def _has_one_result(operator: Operator, held: Mapping[str, Held | None]) -> bool:
    """Tells whether every implementation gives equal outputs for equal inputs, from the inputs' possible values.

    A conversion from codes, and one to codes, is a product with a scale or its float32 inverse, rounded once; a maximum
    and operators that move values round nothing. Decoded boxes are a product and a sum, in operators of their own.
    """
    match operator.traits.rounding:
        case Rounding.ONE:
            return True
        case Rounding.MANY:
            return False
        case Rounding.PROVED:
            return _proofs[operator](operator, held.get(operator.inputs[0].name))


@_proofs.of(Conv2d, ConvTranspose2d, Linear)
def _weighted(operator: Weighted, x: Held | None) -> bool:
    return x is not None and sums_are_exact(operator, x)


@_proofs.of(Activation)
def _activation(operator: Activation, x: Held | None) -> bool:
    """Tells whether it is a clamp, which rounds nothing; runtimes compute the others in different ways."""
    return operator.kind.clamp is not None


@_proofs.of(UnaryFunction)
def _function(operator: UnaryFunction, x: Held | None) -> bool:
    """Tells whether it is one product or none; runtimes approximate the others in different ways."""
    return operator.function in (Function.ABS, Function.CLAMP, Function.LEAKY_RELU)


_proofs.of(ResizeBilinear)(resizing_is_exact)
