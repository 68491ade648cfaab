"""Spells attention and products of tensors as `matmul`, `mul`, `add` and `softmax`."""

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any

import torch
from torch import fx

from qat.capture.rewriter import arguments, name_of, shape_of
from qat.capture.rewriting.placing import aten, is_computed, placed


def spell_products(graph: fx.Graph) -> None:
    """Replaces attention, sums with products and sums over two tensors by an equation."""
    for node in list(graph.nodes):
        spell = _SPELLINGS.get(name_of(node)) if node.op == "call_function" else None
        new = None if spell is None else spell(node)
        if new is not None:
            node.replace_all_uses_with(new)
            graph.erase_node(node)  # PyTorch takes attention for a source of chance, and keeps it


def _attention(node: fx.Node) -> fx.Node | None:
    """Spells softmax(q kᵀ · scale + mask) v."""
    query, key, value, mask, share, is_causal = arguments(node, None, None, None, None, 0.0, False)
    scale = node.kwargs.get("scale")
    if share or is_causal or (mask is not None and mask.meta["val"].dtype != torch.float32):
        return None
    factor = 1 / sqrt(shape_of(query)[-1]) if scale is None else float(scale)  # type: ignore[arg-type]
    scores = _product(node, query, placed(node, aten.transpose.int, key, -2, -1))
    scores = placed(node, aten.mul.Tensor, scores, factor)
    if mask is not None:
        scores = placed(node, aten.add.Tensor, scores, mask)
    return _product(node, placed(node, aten.softmax.int, scores, -1), value)


def _product(node: fx.Node, a: fx.Node, b: fx.Node) -> fx.Node:
    """Places `a @ b`; heads that share one matrix `b` are rows of one product."""
    (batch, heads, *_), others = shape_of(a)[:2], shape_of(b)
    if len(others) != 4 or others[1] == heads or others[1] != 1:
        return placed(node, aten.matmul.default, a, b)
    rows, depth = shape_of(a)[2:]
    merged = placed(node, aten.reshape.default, a, [batch, heads * rows, depth])
    shared = placed(node, aten.reshape.default, b, [batch, *others[2:]])
    product = placed(node, aten.matmul.default, merged, shared)
    return placed(node, aten.reshape.default, product, [batch, heads, rows, others[3]])


def _matmul(node: fx.Node) -> fx.Node | None:
    """Spells a product of matrices that heads share."""
    a, b = node.args
    if not (is_computed(a) and is_computed(b) and len(shape_of(a)) == len(shape_of(b)) == 4):
        return None
    return None if shape_of(a)[1] == shape_of(b)[1] else _product(node, a, b)  # type: ignore[arg-type]


def _sum_with_product(node: fx.Node) -> fx.Node | None:
    added, a, b = node.args
    beta, alpha = (float(node.kwargs.get(name, 1)) for name in ("beta", "alpha"))  # type: ignore[arg-type]
    product = placed(node, aten.matmul.default, a, b)
    if alpha != 1:
        product = placed(node, aten.mul.Tensor, product, alpha)
    if beta == 0:
        return product
    if beta != 1:
        added = placed(node, aten.mul.Tensor, added, beta)
    return placed(node, aten.add.Tensor, product, added)


def _equation(node: fx.Node) -> fx.Node | None:
    """Spells a sum over one index of two tensors, whose other indices both or one of them have."""
    equation, (a, b, *more), *_ = list[Any](node.args)
    sides = str(equation).replace(" ", "").split("->")
    if more or len(sides) != 2 or sides[0].count(",") != 1 or "." in sides[0]:
        return None
    first, second = sides[0].split(",")
    result = sides[1]
    shared = [index for index in result if index in first and index in second]
    summed = [index for index in first if index in second and index not in result]
    rows = [index for index in result if index in first and index not in second]
    columns = [index for index in result if index in second and index not in first]
    is_product = len(summed) == len(rows) == len(columns) == 1
    whole = sorted(first) == sorted([*shared, *summed, *rows]) and sorted(second) == sorted(
        [*shared, *summed, *columns]
    )
    if not is_product or not whole or len(set(result)) != len(result) or not (is_computed(a) or is_computed(b)):
        return None
    left, right, own = [*shared, *rows, *summed], [*shared, *summed, *columns], [*shared, *rows, *columns]
    turned_a = placed(node, aten.permute.default, a, [first.index(index) for index in left])
    turned_b = placed(node, aten.permute.default, b, [second.index(index) for index in right])
    product = placed(node, aten.matmul.default, turned_a, turned_b)
    return placed(node, aten.permute.default, product, [own.index(index) for index in result])


def _batch_product(node: fx.Node) -> fx.Node:
    return placed(node, aten.matmul.default, *node.args)


_SPELLINGS: Mapping[str, Callable[[fx.Node], Any]] = {
    "scaled_dot_product_attention": _attention,
    "matmul": _matmul,
    "bmm": _batch_product,
    "baddbmm": _sum_with_product,
    "addmm": _sum_with_product,
    "einsum": _equation,
}
