"""Finds tensors inside a captured net that its float twin has by equal names: the outputs of blocks."""

import copy
from collections.abc import Sequence

from torch import fx

from qat.steps import Kind, absorbs, step_of


def feature_names(graph: fx.Graph) -> list[str]:
    """Returns the nodes of a captured graph that end blocks: sums, and layers without an activation.

    The scores are none of them.
    """
    (output,) = graph.find_nodes(op="output")
    outputs = output.all_input_nodes
    return [end.name for node in graph.nodes if (end := _block_end(node)) is not None and end not in outputs]


def with_features(captured: fx.GraphModule, names: Sequence[str]) -> fx.GraphModule:
    """Returns the net, its layers shared with `captured`, with outputs `(scores, tuple of features)`.

    Raises KeyError if it has no node of a name.
    """
    graph = copy.deepcopy(captured.graph)
    nodes = {node.name: node for node in graph.nodes}
    (output,) = graph.find_nodes(op="output")
    output.args = ((output.args[0], tuple(nodes[name] for name in names)),)
    return fx.GraphModule(captured, graph)


def _block_end(node: fx.Node) -> fx.Node | None:
    step = step_of(node)
    if step is None:
        return None
    activation = absorbs(node)
    if step.kind in (Kind.ADD, Kind.SUB):
        return activation or node
    is_activated = any((reader := step_of(user)) and reader.kind is Kind.HARD_SWISH for user in node.users)
    return node if step.kind is Kind.WEIGHTED and activation is None and not is_activated else None
