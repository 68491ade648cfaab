"""Folds averages over windows of uneven sizes into the linear layer that alone reads them.

`AdaptiveAvgPool2d` of a map that its output size does not divide has windows of several sizes. It is linear, so a
linear layer on its flattened output equals another one on the flattened map, and the pool disappears. VGG's and
AlexNet's heads are such.
"""

import math

import torch
from torch import Tensor, fx

from qat.capture.constant_folding import put_buffer
from qat.capture.rewriter import constant_of, name_of, operand, shape_of

aten = torch.ops.aten
_PASSED = ("view", "clone", "dropout")


def fold_uneven_pools(module: fx.GraphModule) -> None:
    """Gives linear layers after uneven adaptive pools weights for the map before the pool."""
    for pool in module.graph.find_nodes(op="call_function", target=aten.adaptive_avg_pool2d.default):
        sides, pooled = shape_of(operand(pool))[2:], shape_of(pool)[2:]
        readers = _linear_readers(pool)
        if readers and any(side % count for side, count in zip(sides, pooled, strict=True)):
            _fold(module, pool, readers)


def _linear_readers(node: fx.Node) -> list[fx.Node]:
    """Returns the linear layers that read the node, flattened; none if others read it as well."""
    readers: list[fx.Node] = []
    for user in node.users:
        if name_of(user) == "linear" and operand(user, 1).op == "get_attr" and len(shape_of(user)) == 2:
            readers.append(user)
        elif name_of(user) in _PASSED and (behind := _linear_readers(user)):
            readers += behind
        else:
            return []
    return readers


@torch.no_grad()
def _fold(module: fx.GraphModule, pool: fx.Node, readers: list[fx.Node]) -> None:
    batch, *sizes = shape_of(operand(pool))
    flat = [batch, math.prod(sizes)]
    for linear in readers:
        weight = constant_of(module, operand(linear, 1))
        assert weight is not None
        node = operand(linear)
        linear.args = (node, put_buffer(module, linear, _of_map(weight, pool)), *linear.args[2:])
        while node is not pool:
            node.meta["val"] = node.meta["val"].new_empty(flat)
            if name_of(node) == "view":
                node.args = (operand(node), flat)
            node = operand(node)
    pool.replace_all_uses_with(operand(pool))


def _of_map(weight: Tensor, pool: fx.Node) -> Tensor:
    """Returns the weights (O, C × H × W) on the map that equal `weight` (O, C × rows × columns) on its pool."""
    before, after = shape_of(pool.args[0])[1:], shape_of(pool)[1:]
    spread: Tensor = aten._adaptive_avg_pool2d_backward(
        weight.reshape(-1, *after), weight.new_zeros(len(weight), *before)
    )
    return spread.flatten(1)
