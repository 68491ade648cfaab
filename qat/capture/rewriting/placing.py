"""Places new nodes into an exported graph, with the shapes that PyTorch computes for them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx

from qat.capture.rewriter import name_of, shape_of

aten = torch.ops.aten


def placed(before: fx.Node, target: Any, *arguments: Any) -> fx.Node:
    """Returns a new node before `before`, of the same module of the user's net, that calls `target`."""
    return placed_as(_shape(target, arguments), before, target, *arguments)


def placed_as(shape: Sequence[int], before: fx.Node, target: Any, *arguments: Any) -> fx.Node:
    """Returns such a node with an output of this shape, which a reader understands and PyTorch does not."""
    with before.graph.inserting_before(before):
        node = before.graph.call_function(target, arguments)
    node.meta = {**before.meta, "val": before.meta["val"].new_empty(shape)}
    return node


def is_computed(value: Any) -> bool:
    """Tells whether a value is a node that pictures decide, or may decide."""
    return isinstance(value, fx.Node) and value.op != "get_attr"


def calls(node: fx.Node, names: Sequence[str] | frozenset[str] | Callable[[str], bool]) -> bool:
    """Tells whether the node calls one of PyTorch's operators of these names."""
    if node.op != "call_function":
        return False
    return names(name_of(node)) if callable(names) else name_of(node) in names


def _shape(target: Any, arguments: Any) -> Sequence[int]:
    """Returns the shape of a call, computed on tensors without data."""
    on_meta = fx.node.map_arg(arguments, lambda source: torch.empty(shape_of(source), device="meta"))
    result = target(*on_meta)
    return tuple(result.shape)


POINTWISE = frozenset(
    {
        *(
            "relu",
            "hardtanh",
            "hardswish",
            "hardsigmoid",
            "sigmoid",
            "silu",
            "tanh",
            "gelu",
            "elu",
            "leaky_relu",
            "mish",
        ),
        *("softplus", "exp", "abs", "clamp", "clamp_min", "clamp_max", "neg", "sqrt", "rsqrt", "square", "pow", "log"),
        *("reciprocal", "relu6", "dropout", "clone", "contiguous", "alias", "detach", "_to_copy", "to", "threshold"),
    }
)
"""These operators compute every element from that element of their first operand alone."""
BINARY = frozenset({"add", "sub", "mul", "div", "multiply", "subtract", "divide", "true_divide", "rsub"})
"""These operators compute every element from those elements of two operands."""
