"""Spells what takes a tensor apart along its first axis, where pictures are not, as a selection or slice a part."""

import operator
from itertools import accumulate
from typing import Any

from torch import fx

from qat.capture.rewriter import name_of
from qat.capture.rewriting.placing import aten, placed

_DIVIDED = ("split", "split_with_sizes", "chunk", "tensor_split")


def spell_parts(graph: fx.Graph) -> None:
    """Replaces the parts of `unbind`, `split` and `chunk` along the first axis, such as queries, keys and values."""
    for node in list(graph.nodes):
        if node.op != "call_function" or node.target is not operator.getitem:
            continue
        whole, index = list[Any](node.args)
        if not isinstance(whole, fx.Node) or whole.op != "call_function":
            continue
        source, *rest = list[Any](whole.args)
        if name_of(whole) == "unbind" and _axis(whole, rest) == 0:
            node.replace_all_uses_with(placed(node, aten.select.int, source, 0, index))
        elif name_of(whole) in _DIVIDED and _axis(whole, rest[1:]) == 0:
            ends = [0, *accumulate(part.shape[0] for part in whole.meta["val"])]
            part = placed(node, aten.slice.Tensor, source, 0, ends[index], ends[index + 1])
            node.replace_all_uses_with(part)


def _axis(whole: fx.Node, rest: list[Any]) -> Any:
    return whole.kwargs.get("dim", rest[0] if rest else 0)
