"""Finds the channels of a captured net that may be rescaled together without changing its function."""

import math
from dataclasses import dataclass, field

from torch import fx

from qat.layers.quantizers.fake_quant import TensorQuantizer
from qat.layers.weighted import Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.steps import KINDS, Factors, step_of, traits_of

CEILING = 6.0  # a ReLU6's


@dataclass(kw_only=True, eq=False)
class ChannelGroup:
    """Holds tensors whose channel c may be multiplied by one factor, for each c.

    `producers` compute the tensors, and take the factors into their output channels; `consumers` read them, and take
    the inverse into their input channels. `nodes` are those of the tensors' quantizers, in the order of computation;
    `members` are all nodes whose output has the factor.
    `ceiling` is where a ReLU6 among them cuts: a factor commutes with it only while no value reaches it. `is_fixed`
    says that something does not commute with a factor.
    """

    producers: list[Weighted] = field(default_factory=list)
    consumers: list[Weighted] = field(default_factory=list)
    nodes: list[fx.Node] = field(default_factory=list)
    members: list[fx.Node] = field(default_factory=list)
    ceiling: float = math.inf
    is_fixed: bool = False


def channel_groups(net: FakeQuantNet) -> list[ChannelGroup]:
    """Returns the groups of `net` that have producers and consumers and commute with a factor throughout.

    Those with a ceiling are read by depthwise convolutions alone, whose steps take in any factor.
    """
    finder = _Finder(net.captured)
    for node in net.captured.graph.nodes:
        finder.visit(node)
    return finder.groups()


class _Finder:
    """Joins nodes whose channels have one factor; a node's group is that of its output."""

    def __init__(self, captured: fx.GraphModule) -> None:
        self._modules = dict(captured.named_modules(remove_duplicate=False))
        self._order = {node: index for index, node in enumerate(captured.graph.nodes)}
        self._leaders: dict[fx.Node, fx.Node] = {}
        self._made: dict[fx.Node, ChannelGroup] = {}

    def visit(self, node: fx.Node) -> None:
        """Joins the node's output with the inputs that it commutes with, and fixes the others."""
        module = self._modules.get(str(node.target)) if node.op == "call_module" else None
        sources = node.all_input_nodes
        if isinstance(module, Weighted):
            self._visit_weighted(node, module)
        elif isinstance(module, TensorQuantizer):
            self._join(node, sources[0])
            self._group_of(node).nodes.append(node)
        elif _passes_factors(node) and all(_channels(source) == _channels(node) for source in sources):
            self._join(node, *sources)
        elif _factors(node) is Factors.BELOW_CEILING:
            self._join(node, *sources)
            self._group_of(node).ceiling = CEILING
        elif _factors(node) is Factors.GATED and sources[0] is not sources[-1]:
            self._visit_product(node, sources)
        else:  # among them the picture and the scores
            self._fix(node, *sources)

    def groups(self) -> list[ChannelGroup]:
        """Returns the groups that can be rescaled."""
        for node in list(self._leaders):
            self._group_of(node).members.append(node)
        whole = [group for group in self._made.values() if group.producers and group.consumers and not group.is_fixed]
        return [group for group in whole if group.ceiling == math.inf or all(map(_is_depthwise, group.consumers))]

    def _visit_weighted(self, node: fx.Node, layer: Weighted) -> None:
        source = node.all_input_nodes[0]
        self._group_of(node).producers.append(layer)
        if layer.weight.shape[1] * layer.groups != _channels(source):
            self._fix(source)  # a linear layer on a whole map
        self._group_of(source).consumers.append(layer)

    def _visit_product(self, node: fx.Node, sources: list[fx.Node]) -> None:
        """Joins a product with the tensor that its gate multiplies; the gate itself is fixed."""
        gates = [source for source in sources if _is_gate(source)]
        if len(sources) != 2 or len(gates) != 1:
            self._fix(node, *sources)
            return
        (opened,) = (source for source in sources if source is not gates[0])
        self._fix(gates[0])
        if _channels(opened) == _channels(node):
            self._join(node, opened)
        else:
            self._fix(node, opened)

    def _fix(self, *nodes: fx.Node) -> None:
        for node in nodes:
            self._group_of(node).is_fixed = True

    def _join(self, node: fx.Node, *others: fx.Node) -> None:
        for other in others:
            first, second = sorted((self._leader(node), self._leader(other)), key=self._order.__getitem__)
            if first is second:
                continue
            into, away = self._group_of(first), self._group_of(second)
            into.producers += away.producers
            into.consumers += away.consumers
            into.nodes += away.nodes
            into.ceiling = min(into.ceiling, away.ceiling)
            into.is_fixed |= away.is_fixed
            self._leaders[second] = first
            del self._made[second]

    def _group_of(self, node: fx.Node) -> ChannelGroup:
        return self._made.setdefault(self._leader(node), ChannelGroup())

    def _leader(self, node: fx.Node) -> fx.Node:
        while self._leaders.setdefault(node, node) is not node:
            node = self._leaders[node]
        return node


def _is_depthwise(layer: Weighted) -> bool:
    return layer.groups > 1 and layer.weight.shape[1] == 1


def _is_gate(node: fx.Node) -> bool:
    """Returns whether the values come from a hard-sigmoid, through quantizers alone."""
    while (step := step_of(node)) is None and node.op == "call_module":
        node = node.all_input_nodes[0]
    return step is not None and KINDS[step.kind].is_gate


def _factors(node: fx.Node) -> Factors:
    traits = traits_of(node)
    return Factors.STOP if traits is None else traits.factors


def _passes_factors(node: fx.Node) -> bool:
    if _factors(node) is not Factors.PASS_A_PIXEL:
        return _factors(node) is Factors.PASS
    step = step_of(node)
    return step is not None and step.channel_count == _channels(node.all_input_nodes[0])


def _channels(node: fx.Node) -> int:
    while (step := step_of(node)) is None and node.op == "call_module":
        node = node.all_input_nodes[0]
    return 3 if step is None else step.channel_count
