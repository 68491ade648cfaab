"""Spells what takes a tensor apart, such as one of queries, keys and values, as a selection or a slice a part."""

import operator
from itertools import accumulate
from typing import Any

from torch import fx

from qat.capture.rewriter import name_of
from qat.capture.rewriting.placing import aten, placed

_DIVIDED = ("split", "split_with_sizes", "chunk", "tensor_split")


def spell_parts(graph: fx.Graph) -> None:
    """Replaces the parts of `unbind`, `split` and `chunk` along any axis."""
    for node in list(graph.nodes):
        if node.op != "call_function" or node.target is not operator.getitem:
            continue
        whole, index = list[Any](node.args)
        if whole.op != "call_function":
            continue
        source, *rest = list[Any](whole.args)
        if name_of(whole) == "unbind":
            node.replace_all_uses_with(placed(node, aten.select.int, source, _axis(whole, rest), index))
        elif name_of(whole) in _DIVIDED:
            axis = _axis(whole, rest[1:])
            ends = [0, *accumulate(part.shape[axis] for part in whole.meta["val"])]
            part = placed(node, aten.slice.Tensor, source, axis, ends[index], ends[index + 1])
            node.replace_all_uses_with(part)


def _axis(whole: fx.Node, rest: list[Any]) -> Any:
    return whole.kwargs.get("dim", rest[0] if rest else 0)
