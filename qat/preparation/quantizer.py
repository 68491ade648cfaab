"""Decides which tensors get int8, and on what grid: a torchao quantizer for ReLU6, h-swish, hard-sigmoid and SE.

Stock quantizers give the tensor before a ReLU6 and the one after it a shared grid, and leave h-swish and hard-sigmoid
in float. Here a tensor that only an activation reads is never materialised; ranges that mathematics fixes are fixed.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import fx

from qat.layers.quantizers.fake_quant import Range, TensorQuantizer
from qat.layers.quantizers.torchao_pt2e import (
    QuantizationAnnotation,
    QuantizationSpec,
    QuantizationSpecBase,
    Quantizer,
    SharedQuantizationSpec,
)
from qat.steps import KINDS, Grid, Kind, absorbs, step_of, traits_of

HARD_SWISH_FLOOR = -3.0  # at and below it h-swish is 0: codes there are wasted


class MobileQuantizer(Quantizer):  # type: ignore[misc]
    """Annotates a captured net: int8 per tensor for activations; layers quantize their own weights."""

    def annotate(self, model: fx.GraphModule) -> fx.GraphModule:
        """Sets `quantization_annotation` on every node whose output is a tensor in the integer graph."""
        groups = _shared_grids(model.graph)
        symmetric = {groups.get(node, node) for node in _second_matrices(model.graph)}
        for node in model.graph.nodes:
            if _is_materialised(node):
                leader = groups.get(node, node)
                spec = (
                    _spec(_range(node, node in groups, leader in symmetric))
                    if leader is node
                    else SharedQuantizationSpec(leader)
                )
                _annotate(node, spec)
        return model

    def validate(self, model: fx.GraphModule) -> None:
        """Does nothing: capture has refused what this quantizer does not support."""


def _is_materialised(node: fx.Node) -> bool:
    step = step_of(node)
    if step is None or absorbs(node) is not None:
        return False
    return KINDS[step.kind].grid is Grid.OWN or (step.kind is Kind.SCALE and _feeds_concat(node))


def _feeds_concat(node: fx.Node) -> bool:
    """Returns whether a concatenation reads the node, or what other steps on its grid make of it."""
    steps = {user: step_of(user) for user in node.users}
    return any(
        step.kind is Kind.CONCAT or (KINDS[step.kind].grid is Grid.INPUTS and _feeds_concat(user))
        for user, step in steps.items()
        if step is not None
    )


def _range(node: fx.Node, is_shared: bool, is_symmetric: bool) -> Range:
    """Returns what is known of the node's values before any image is seen."""
    step = step_of(node)
    assert step is not None
    low, high = step.ends
    if is_symmetric and (is_shared or (low, high) == (None, None)):
        return Range(is_symmetric=True, is_operators_own=True)
    if is_shared:
        return Range()
    if low is not None or high is not None:
        return Range(low=low, high=high, is_operators_own=KINDS[step.kind].saturates)
    only_swish = all((user_step := step_of(user)) and user_step.kind is Kind.HARD_SWISH for user in node.users)
    return Range(floor=HARD_SWISH_FLOOR) if only_swish and node.users else Range()


def _shared_grids(graph: fx.Graph) -> dict[fx.Node, fx.Node]:
    """Maps nodes to the leader whose grid they share: a concatenation and its parts have one grid.

    Nodes that have a grid already are left out: the image, and a gate, which saturates at the ends of its own.
    """
    leaders: dict[fx.Node, fx.Node] = {}

    def leader_of(node: fx.Node) -> fx.Node:
        while leaders.setdefault(node, node) is not node:
            node = leaders[node]
        return node

    order = {node: index for index, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        step = step_of(node)
        if step is not None and step.kind is Kind.CONCAT:
            sources = [_source(part) for part in node.args[0]]
            members = [node, *(source for source in sources if not _has_own_grid(source))]
            first = min((leader_of(member) for member in members), key=order.__getitem__)
            for member in members:
                leaders[leader_of(member)] = first
    return {node: leader_of(node) for node in leaders}


def _second_matrices(graph: fx.Graph) -> Iterator[fx.Node]:
    """Yields the nodes whose grids the second operands of matrix products have: their zero point has to be 0."""
    for node in graph.nodes:
        step = step_of(node)
        if step is not None and step.kind is Kind.MATMUL:
            yield _source(node.args[1])


def _has_own_grid(node: fx.Node) -> bool:
    traits = traits_of(node)
    return traits is None or traits.is_gate


def _source(node: fx.Node) -> fx.Node:
    """Returns the node whose quantizer made the grid of `node`'s values."""
    while not _is_materialised(node) and node.op != "placeholder":
        node = node.args[0]  # type: ignore[assignment]
    return node


def _spec(bounds: Range) -> QuantizationSpec:
    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-128,
        quant_max=127,
        qscheme=torch.per_tensor_affine,
        observer_or_fake_quant_ctr=_Constructor(bounds),
    )


class _Constructor:
    """Builds a TensorQuantizer in the way that torchao expects."""

    __name__ = "TensorQuantizer"

    def __init__(self, bounds: Range) -> None:
        self._bounds = bounds

    def with_args(self, **spec: Any) -> "partial[TensorQuantizer]":
        """Returns a constructor by torchao's protocol: the spec's own fields arrive as keywords."""
        return partial(TensorQuantizer, bounds=self._bounds, **spec)


def _annotate(node: fx.Node, spec: QuantizationSpecBase) -> None:
    node.meta["quantization_annotation"] = QuantizationAnnotation(output_qspec=spec, _annotated=True)
