"""Spells the sum, or the mean, of tensors that were stacked for it as a chain of sums of two."""

from functools import reduce

from torch import fx

from qat.capture.rewriter import arguments, name_of, shape_of
from qat.capture.rewriting.placing import aten, placed


def spell_sums(graph: fx.Graph) -> None:
    """Replaces `torch.stack(parts).sum(0)`, and `mean(0)`, by sums; other readers keep the stack."""
    for node in list(graph.nodes):
        stack = node.args[0] if node.op == "call_function" and name_of(node) in ("sum", "mean") else None
        if not isinstance(stack, fx.Node) or stack.op != "call_function" or name_of(stack) != "stack":
            continue
        parts, axis = arguments(stack, None, 0)
        _, axes, keeps_axis = arguments(node, None, None, False)
        rank = len(shape_of(stack))
        if axes is None or [each % rank for each in axes] != [axis % rank] or keeps_axis:
            continue
        total = reduce(lambda a, b: placed(node, aten.add.Tensor, a, b), parts)
        if name_of(node) == "mean":
            total = placed(node, aten.div.Tensor, total, len(parts))
        node.replace_all_uses_with(total)
