"""Fuses linear layers that one convolution equals: parallel branches that are summed, and pairs of layers.

Nets with re-parameterised blocks (RepVGG, arXiv 2101.03697; MobileOne, arXiv 2206.04040) train branches side by side:
convolutions of several kernels, 1 × 1 convolutions, batch norms of the input, the input itself. Without activations in
them their sum is one convolution, which is what phones should compute. The graph alone says where: no class is known.
Weights are computed in float64.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, fx, nn

from qat.capture.rewriter import Rewriter, operand, shape_of
from qat.layers.weighted import Conv2d
from qat.steps import STEP, Kind, step_of

aten = torch.ops.aten
_SUMS = (Kind.ADD, Kind.SUB)


@dataclass(frozen=True, kw_only=True)
class _Branch:
    """Describes a convolution without batch norm, in float64: weights (O, I / groups, rows, columns), biases (O,)."""

    weight: Tensor
    bias: Tensor
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def kernel(self) -> tuple[int, ...]:
        return tuple(self.weight.shape[2:])

    @property
    def inputs(self) -> int:
        return self.weight.shape[1] * self.groups

    @property
    def is_gain(self) -> bool:
        """Returns whether it is a gain and an offset for each channel."""
        is_pixel = self.kernel == self.stride == (1, 1) and not any(self.padding)
        return is_pixel and self.groups == self.inputs == len(self.weight)

    def times(self, sign: float) -> "_Branch":
        return replace(self, weight=self.weight * sign, bias=self.bias * sign)


@torch.no_grad()
def fuse_branches(rewriter: Rewriter) -> None:
    """Replaces sums of linear branches, and gains before and after convolutions, by single convolutions."""
    for node in list(rewriter.graph.nodes):
        if _is_root_of_sum(node):
            _fuse_sum(rewriter, node)
        elif node.users and isinstance(rewriter.layer_of(node), Conv2d):
            _fuse_pair(rewriter, node)


def _is_root_of_sum(node: fx.Node) -> bool:
    step = step_of(node)
    if step is None or step.kind not in _SUMS or not node.users:
        return False
    return not (len(node.users) == 1 and _is_sum_of(next(iter(node.users)), shape_of(node)))


def _is_sum_of(node: fx.Node, shape: tuple[int, ...]) -> bool:
    step = step_of(node)
    return step is not None and step.kind in _SUMS and shape_of(node) == shape


def _terms(node: fx.Node, sign: float = 1.0) -> Iterator[tuple[fx.Node, float]]:
    """Yields the terms of a sum of equal shapes, with their signs; sums that it alone reads are part of it."""
    minus = -sign if node.meta[STEP].kind is Kind.SUB else sign
    for term, own in zip(node.args, (sign, minus), strict=True):
        assert isinstance(term, fx.Node)
        if len(term.users) == 1 and _is_sum_of(term, shape_of(node)):
            yield from _terms(term, own)
        else:
            yield term, own


def _fuse_sum(rewriter: Rewriter, node: fx.Node) -> None:
    """Replaces those terms of the sum that read one tensor by a convolution, if one equals them."""
    if len(shape_of(node)) != 4:
        return
    terms = list(_terms(node))
    for source in dict.fromkeys(_source(rewriter, term) for term, _ in terms):
        fused = [(term, sign) for term, sign in terms if term is source or _source(rewriter, term) is source]
        distinct = {term for term, _ in fused if shape_of(term) == shape_of(node)}
        if source is None or len(fused) < 2 or len(distinct) < len(fused):
            continue
        sum_ = _summed([_branch(rewriter, term, source).times(sign) for term, sign in fused])
        if sum_ is not None:
            result = _put(rewriter, node, sum_, source)
            for term, sign in (each for each in terms if each not in fused):
                target, kind = (aten.add.Tensor, Kind.ADD) if sign > 0 else (aten.sub.Tensor, Kind.SUB)
                result = rewriter.insert(node, target, (result, term), shape_of(node), kind)
            _replace(node, result)
            return


def _fuse_pair(rewriter: Rewriter, node: fx.Node) -> None:
    """Takes the gain before or after a convolution into it."""
    source = operand(node)
    if len(source.users) != 1 or not isinstance(rewriter.layer_of(source), Conv2d):
        return
    first, second = _branch(rewriter, source), _branch(rewriter, node)
    if second.is_gain:
        gain = second.weight.reshape(-1, 1, 1, 1)
        fused = replace(first, weight=first.weight * gain, bias=first.bias * gain.flatten() + second.bias)
    elif first.is_gain and not (any(second.padding) and first.bias.any()):  # a pad's zeros get no offset
        fused = _after_gain(second, first.weight.flatten(), first.bias)
    else:
        return
    _replace(node, _put(rewriter, node, fused, operand(source)))


def _after_gain(branch: _Branch, gains: Tensor, offsets: Tensor) -> _Branch:
    outputs, inputs = branch.weight.shape[:2]
    read = torch.arange(outputs)[:, None] // (outputs // branch.groups) * inputs + torch.arange(inputs)
    bias = branch.bias + (branch.weight * offsets[read][..., None, None]).sum(dim=(1, 2, 3))
    return replace(branch, weight=branch.weight * gains[read][..., None, None], bias=bias)


def _source(rewriter: Rewriter, term: fx.Node) -> fx.Node | None:
    """Returns what a convolution reads whose output the sum alone reads; None for any other term."""
    is_branch = isinstance(rewriter.layer_of(term), Conv2d) and len(term.users) == 1
    return operand(term) if is_branch else None


def _branch(rewriter: Rewriter, term: fx.Node, source: fx.Node | None = None) -> _Branch:
    """Returns a convolution's branch; that of the source itself is a convolution of one pixel and weights 1."""
    if term is source:
        channels = shape_of(term)[1]
        ones, zeros = torch.ones(channels, 1, 1, 1).double(), torch.zeros(channels).double()
        return _Branch(weight=ones, bias=zeros, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=channels)
    layer = rewriter.layer_of(term)
    assert isinstance(layer, Conv2d)
    weight = layer.weight.double()
    bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.double()
    if (norm := layer.norm) is not None:
        assert norm.running_var is not None and norm.running_mean is not None
        gain = norm.weight.double() * torch.rsqrt(norm.running_var.double() + norm.eps)
        weight = weight * gain.reshape(-1, 1, 1, 1)
        bias = norm.bias.double() + (bias - norm.running_mean.double()) * gain
    return _Branch(weight=weight, bias=bias, **layer.geometry)


def _summed(branches: list[_Branch]) -> _Branch | None:
    """Returns the convolution that equals the sum, of the largest branch's kernel and groups; None if none does."""
    kernels = [branch.kernel for branch in branches]
    largest = tuple(max(sides) for sides in zip(*kernels, strict=True))
    groups = min(branch.groups for branch in branches)
    for whole in branches:
        if whole.kernel == largest and whole.groups == groups:
            parts = [_spread(branch, whole) for branch in branches]
            weights = [part for part in parts if part is not None]
            if len(weights) == len(parts):
                biases = torch.stack([branch.bias for branch in branches])
                return replace(whole, weight=torch.stack(weights).sum(0), bias=biases.sum(0))
    return None


def _spread(branch: _Branch, whole: _Branch) -> Tensor | None:
    """Returns the branch's weights in the window and the groups of `whole`; None if they do not fit."""
    if branch.stride != whole.stride or branch.inputs != whole.inputs or branch.groups % whole.groups:
        return None
    starts = []
    for axis, (before, own) in enumerate(
        ((whole.padding[0], branch.padding[0]), (whole.padding[2], branch.padding[2]))
    ):
        step, taps = whole.dilation[axis], branch.kernel[axis]
        start, rest = divmod(before - own, step)
        if rest or start < 0 or start + taps > whole.kernel[axis] or (taps > 1 and branch.dilation[axis] != step):
            return None
        starts.append(start)
    outputs, inputs = branch.weight.shape[:2]
    output = torch.arange(outputs)
    first = output // (outputs // branch.groups) * inputs - output // (outputs // whole.groups) * whole.weight.shape[1]
    (top, left), (rows, columns) = starts, branch.kernel
    spread = torch.zeros_like(whole.weight)
    window = spread[:, :, top : top + rows, left : left + columns]
    window[output[:, None], first[:, None] + torch.arange(inputs)] = branch.weight
    return spread


def _put(rewriter: Rewriter, node: fx.Node, branch: _Branch, source: fx.Node) -> fx.Node:
    has_bias = bool(branch.bias.any())
    layer = Conv2d(
        weight=nn.Parameter(branch.weight.float()),
        bias=nn.Parameter(branch.bias.float()) if has_bias else None,
        norm=None,
        stride=(branch.stride[0], branch.stride[1]),
        padding=(branch.padding[0], branch.padding[1], branch.padding[2], branch.padding[3]),
        dilation=(branch.dilation[0], branch.dilation[1]),
        groups=branch.groups,
    )
    return rewriter.insert_layer(node, layer, source, shape_of(node), Kind.WEIGHTED)


def _replace(node: fx.Node, result: fx.Node) -> None:
    """Gives the node's readers `result`, and erases what nothing reads any more."""
    node.replace_all_uses_with(result)
    unread = [node]
    while unread:
        gone = unread.pop()
        if gone.op != "placeholder" and not gone.users:
            sources = gone.all_input_nodes
            gone.graph.erase_node(gone)
            unread += sources
