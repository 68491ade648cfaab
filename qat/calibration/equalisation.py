"""Equalises across layers: rescales a tensor's channels so that one step suits them all; the net's function stays.

A layer's output channel is multiplied by a factor and the next layer's weights of that channel are divided by it: Nagel
et al., arXiv 1906.04721, section 4.1. Weights have a step per output channel here. So the factors balance the tensor,
which has one step for all channels, against the weights that read it: SmoothQuant, Xiao et al., arXiv 2211.10438,
section 4, with its α = ½. A factor passes through all that commutes with it: ReLU, residual sums, pooling, a gate's
product.

A ReLU6 cuts at 6 whatever the factor. Between it and a depthwise convolution, whose weights have a step a channel, a
channel that stays far below 6 is enlarged as far as its batch norm says that no value reaches 6.
"""

import torch
from torch import Tensor, fx

from qat.calibration.channel_groups import ChannelGroup, channel_groups
from qat.layers.quantizers.fake_quant import TensorQuantizer
from qat.layers.weighted import Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.steps import channel_axis

LARGEST_FACTOR = 16.0  # a channel that few pictures activate needs room above its observed values
UNSEEN_SHARE = 2.0  # of the largest observed value: others' values under a ReLU6
DEVIATIONS = 6.0  # of a batch norm's output, about its mean: no value is beyond


@torch.no_grad()
def equalise(net: FakeQuantNet, pictures: Tensor) -> None:
    """Rescales channels of `net` in place by their values on float `pictures` (N, 3, H, W).

    The float function does not change, but ranges do: they have to be observed after it. `net.channel_factors` says
    what the channels of which tensor were multiplied by.
    """
    net.quantize(False)
    largest = _Largest(net.captured)
    largest.run(net.on_one_grid(pictures))
    net.quantize(True)
    for group in channel_groups(net):
        seen = torch.stack([largest.found[node] for node in group.nodes]).amax(0)
        is_below = group.ceiling < torch.inf
        factors = _room(seen, group) if is_below else _factors(seen, _largest_weights(group))
        _rescale(group, factors)
        for node in group.members:
            net.channel_factors[node.name] = factors * net.channel_factors.get(node.name, 1.0)


class _Largest(fx.Interpreter):
    """Records the largest magnitude of each channel, (C,), by quantizer node."""

    def __init__(self, captured: fx.GraphModule) -> None:
        super().__init__(captured)
        self.found: dict[fx.Node, Tensor] = {}

    def run_node(self, n: fx.Node) -> object:
        value = super().run_node(n)
        if n.op == "call_module" and isinstance(self.fetch_attr(str(n.target)), TensorQuantizer):
            self.found[n] = value.abs().movedim(channel_axis(value.ndim), 0).flatten(1).amax(1)
        return value


def _factors(seen: Tensor, weights: Tensor) -> Tensor:
    """Returns the factor of every channel (C,), 1 on average; 1 for a channel that is dead or is not read."""
    factors = (weights / seen).sqrt()
    is_known = torch.isfinite(factors) & (factors > 0)
    if not is_known.any():
        return torch.ones_like(seen)
    factors = factors / factors[is_known].log().mean().exp()
    return torch.where(is_known, factors, 1.0).clamp(1 / LARGEST_FACTOR, LARGEST_FACTOR)


def _room(seen: Tensor, group: ChannelGroup) -> Tensor:
    """Returns how far each channel (C,) may be enlarged below the ceiling: 1 for one that reaches half of it."""
    norms = [layer.norm for layer in group.producers if layer.norm is not None]
    bounds = [norm.bias + DEVIATIONS * norm.weight.abs() for norm in norms]
    largest = torch.stack([UNSEEN_SHARE * seen, *bounds]).amax(0)
    return (group.ceiling / largest.clamp(min=1e-6)).clamp(1, LARGEST_FACTOR)


def _largest_weights(group: ChannelGroup) -> Tensor:
    """Returns the largest magnitude of the weights that read each channel, (C,)."""
    by_layer = [_by_input(layer, layer.folded()[0].abs()).amax((1, 3)).flatten() for layer in group.consumers]
    return torch.stack(by_layer).amax(0)


def _rescale(group: ChannelGroup, factors: Tensor) -> None:
    for layer in group.producers:
        terms = [layer.weight, layer.bias] if layer.norm is None else [layer.norm.weight, layer.norm.bias]
        for term in terms:
            if term is not None:
                term.mul_(factors.reshape(-1, *[1] * (term.ndim - 1)))
    for layer in group.consumers:
        rows = _by_input(layer, layer.weight)
        rows.div_(factors.reshape(len(rows), 1, -1, 1))


def _by_input(layer: Weighted, weight: Tensor) -> Tensor:
    """Returns a view of `weight` as (groups, outputs of a group, inputs of a group, taps)."""
    return weight.view(layer.groups, len(weight) // layer.groups, weight.shape[1], -1)
