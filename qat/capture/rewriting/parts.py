"""Spells what takes a tensor apart into several as one selection or slice each."""

import operator
from itertools import accumulate

from torch import fx

from qat.capture.rewriter import name_of
from qat.capture.rewriting.placing import aten, placed

_DIVIDED = ("split", "split_with_sizes", "chunk", "tensor_split")


def spell_parts(graph: fx.Graph) -> None:
    """Replaces the parts of `unbind`, `split` and `chunk`, along any axis but the first of the pictures."""
    for node in list(graph.nodes):
        if node.op != "call_function" or node.target is not operator.getitem:
            continue
        whole, index = node.args
        if not isinstance(whole, fx.Node) or whole.op != "call_function":
            continue
        name, arguments = name_of(whole), [*whole.args]
        axis = whole.kwargs.get(
            "dim", arguments[1 if name == "unbind" else 2] if len(arguments) > (1 if name == "unbind" else 2) else 0
        )
        if name == "unbind":
            node.replace_all_uses_with(placed(node, aten.select.int, whole.args[0], axis, index))
        elif name in _DIVIDED:
            ends = [0, *accumulate(part.shape[axis] for part in whole.meta["val"])]
            part = placed(node, aten.slice.Tensor, whole.args[0], axis, ends[index], ends[index + 1])
            node.replace_all_uses_with(part)
