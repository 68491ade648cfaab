"""Reconstructs: tunes biases and codes of all layers together until scores and features equal the float net's.

BRECQ (Li et al., arXiv 2102.05426) and QDrop (Wei et al., arXiv 2203.05740) do so block by block. Here it is one short
run through the whole net, which starts from layers that have been rounded one by one. Steps are so small that only
weights near the middle between two codes change theirs, and none moves further than to the next code.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.contract import ImageSpec
from qat.calibration.noise import noise_share
from qat.layers.weighted import Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.features import feature_names, with_features
from qat.progress import track

STEPS = 60
BATCH = 8
LARGEST_CUT_SHARE = 0.4  # of an image's side
CODE_RATE = 2e-3  # codes a step of Adam
BIAS_RATE = 1e-3  # in units of the batch norm's gain, that is of a channel's deviation
WORSE = 2.0  # times the noise at the start is a failure: biases without batch norm have no unit


def reconstruct(net: FakeQuantNet, teacher: FakeQuantNet, pictures: Tensor) -> None:
    """Tunes `net`, whose ranges are known, towards `teacher`, its copy that does not round, on float `pictures`.

    Later rounds through the pictures see other parts of them, mirrored in turn. Equal pictures give equal results. A
    net that becomes `WORSE` gets its former numbers back.
    """
    names = feature_names(net.captured.graph)
    ours, theirs = with_features(net.captured, names), with_features(teacher.captured, names)
    layers = [_Tuned(layer) for layer in net.modules() if isinstance(layer, Weighted)]
    if not layers:
        return
    optimizer = torch.optim.Adam([group for layer in layers for group in layer.groups])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    first, at_first = pictures[:0], math.inf
    batches = _batches(net.on_one_grid(pictures), are_pictures=isinstance(net.contract.input, ImageSpec))
    for x in track(batches, what="reconstruction", total=STEPS):
        with torch.enable_grad():
            loss = _loss(ours, theirs, x)
            gradients = torch.autograd.grad(loss, [each for layer in layers for each in (layer.weight, layer.bias)])
        if not len(first):
            first, at_first = x, float(loss.detach())
        for layer, of_weight, of_bias in zip(layers, gradients[::2], gradients[1::2], strict=True):
            layer.take(of_weight, of_bias)
        optimizer.step()
        schedule.step()
        for layer in layers:
            layer.write()
    with torch.no_grad():
        at_last = float(_loss(ours, theirs, first))
    if at_last > WORSE * at_first:
        for layer in layers:
            layer.restore()


class _Tuned:
    """Holds a layer's weights in units of their steps, and shifts of its biases, which Adam moves."""

    def __init__(self, layer: Weighted) -> None:
        if layer.scales is None:
            layer.scales = layer.steps()
        if layer.norm is None and layer.bias is None:
            layer.bias = nn.Parameter(layer.weight.new_zeros(len(layer.weight)))
        bias = layer.bias if layer.norm is None else layer.norm.bias
        assert bias is not None
        self.weight, self.bias = layer.weight, bias
        self._start_weight = layer.weight.detach().clone()
        self._scales = layer.scales.reshape(-1, *[1] * (layer.weight.ndim - 1))
        self._codes = nn.Parameter(layer.weight.detach() / self._scales)
        nearest = self._codes.detach().round()
        self._lowest, self._highest = nearest - 1, nearest + 1
        self._start = bias.detach().clone()
        self._unit = torch.ones_like(bias) if layer.norm is None else layer.norm.weight.detach().abs()
        self._shift = nn.Parameter(torch.zeros_like(self._start))
        self.groups = [{"params": [self._codes], "lr": CODE_RATE}, {"params": [self._shift], "lr": BIAS_RATE}]

    def take(self, of_weight: Tensor, of_bias: Tensor) -> None:
        """Sets the gradients from those of the layer's own parameters."""
        self._codes.grad = of_weight * self._scales
        self._shift.grad = of_bias * self._unit

    @torch.no_grad()
    def write(self) -> None:
        """Writes the moved numbers into the layer."""
        self._codes.copy_(torch.minimum(torch.maximum(self._codes, self._lowest), self._highest))
        self.weight.copy_(self._codes * self._scales)
        self.bias.copy_(self._start + self._shift * self._unit)

    @torch.no_grad()
    def restore(self) -> None:
        """Restores the layer's former numbers."""
        self.weight.copy_(self._start_weight)
        self.bias.copy_(self._start)


def _batches(pictures: Tensor, *, are_pictures: bool) -> Iterator[Tensor]:
    """Yields `STEPS` batches, in turn; after the first round a random part of each, every other round mirrored.

    Arrays stay as they are.
    """
    random = torch.Generator().manual_seed(0)
    sides, count = pictures.shape[2:], -(-len(pictures) // BATCH)
    for step in range(STEPS):
        turn, index = divmod(step, count)
        x = pictures[index * BATCH : (index + 1) * BATCH]
        if turn and are_pictures:
            share = 1 - LARGEST_CUT_SHARE * torch.rand((), generator=random)
            high, wide = (int(side * share) for side in sides)
            top, left = (
                int(torch.randint(side - part + 1, (), generator=random))
                for side, part in zip(sides, (high, wide), strict=True)
            )
            x = F.interpolate(x[..., top : top + high, left : left + wide], tuple(sides), mode="bilinear")
        yield x.flip(3) if turn % 2 and are_pictures else x


def _loss(ours: nn.Module, theirs: nn.Module, x: Tensor) -> Tensor:
    """Returns the share of noise in the scores plus, on average, in the features."""
    with torch.no_grad():
        wanted, wanted_features = theirs(x)
    scores, features = ours(x)
    shares = [noise_share(*pair) for pair in zip(features, wanted_features, strict=True)]
    share: Tensor = noise_share(scores, wanted) + (torch.stack(shares).mean() if shares else 0)
    return share
