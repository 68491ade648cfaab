"""Computes once what depends on parameters, buffers and numbers alone: weight norm, standardised weights, masks."""

from typing import Any

import torch
from torch import Tensor, fx

from mobile_sdk.errors import CaptureError
from qat.capture.rewriter import FOLDED, constant_of, name_of, path_of, shape_of

_READ_AS_A_SHAPE = {
    **dict.fromkeys(("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full", "fill"), 0),
    **dict.fromkeys(("type_as", "to", "view_as", "reshape_as", "expand_as"), 1),
}  # the position of an operand of which the operator takes the shape or the type, and no value


def fold_constants(module: fx.GraphModule) -> None:
    """Replaces every tensor of the exported graph that does not depend on the image by a buffer.

    Raises CaptureError, naming the module, for one that is drawn at random.
    """
    values: dict[fx.Node, Any] = {}
    for node in list(module.graph.nodes):
        if node.op == "get_attr":
            values[node] = constant_of(module, node)
        elif node.op == "call_function" and all(source in values for source in _read_by_value(node)):
            values[node] = _computed(node, values)
            if isinstance(values[node], Tensor):
                folded = put_buffer(module, node, values[node])
                node.replace_all_uses_with(folded)
                values[folded] = values[node]
    module.graph.eliminate_dead_code()


def put_buffer(module: fx.GraphModule, node: fx.Node, value: Tensor) -> fx.Node:
    """Returns a new node before `node`, from the same module of the user's net, that holds `value`."""
    name = f"{FOLDED}{node.name}"
    module.register_buffer(name, value.detach())
    with module.graph.inserting_before(node):
        new = module.graph.get_attr(name)
    new.meta = {**node.meta, "val": value.detach()}
    return new


def _read_by_value(node: fx.Node) -> list[fx.Node]:
    example = _example(node)
    return [source for source in node.all_input_nodes if source is not example]


def _example(node: fx.Node) -> fx.Node | None:
    """Returns the operand that is read as a shape or a type alone; None without one."""
    position = _READ_AS_A_SHAPE.get(name_of(node), len(node.args))
    source = node.args[position] if position < len(node.args) else None
    return source if isinstance(source, fx.Node) else None


@torch.no_grad()
def _computed(node: fx.Node, values: dict[fx.Node, Any]) -> Any:
    if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
        raise CaptureError(
            f"{node.target} at {path_of(node)} draws random numbers, so that no two runs give the same scores",
            hint="draw in training only: if self.training",
        )
    example = _example(node)
    known = values if example is None or example in values else values | {example: _like(example)}
    args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda source: known[source])
    return node.target(*args, **kwargs)  # type: ignore[operator]


def _like(node: fx.Node) -> Tensor:
    return torch.zeros(shape_of(node), dtype=node.meta["val"].dtype)
