"""Builds MobileOne in the form that is trained: Vasu et al. 2022, arXiv 2206.04040.

`qat.nets.reparameterised` returns the form that phones run; `prepare` and calibration make it themselves. The first
convolution is one branch, and the last blocks of S4 squeeze to a sixteenth, as in the authors' code and in timm's.
"""

import copy
from collections import OrderedDict
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from qat.nets.blocks import TIMM_EPSILON, ConvNormActivation, ImageClassifier, SqueezeExcitation, make_divisible

_STAGES = (
    # channels, blocks of a depthwise and a 1×1 convolution; the first of each stage strides
    (64, 2),
    (128, 8),
    (256, 10),
    (512, 1),
)
_STEM = 64


class Variant(NamedTuple):
    """Holds the four stages' widths, the branches of each convolution, and the stages' last blocks that squeeze."""

    widths: tuple[float, float, float, float]
    branches: int = 1
    squeezing: tuple[int, int, int, int] = (0, 0, 0, 0)


_S0 = Variant((0.75, 1.0, 1.0, 2.0), branches=4)
_S1 = Variant((1.5, 1.5, 2.0, 2.5))
_S2 = Variant((1.5, 2.0, 2.5, 4.0))
_S3 = Variant((2.0, 2.5, 3.0, 4.0))
_S4 = Variant((3.0, 3.5, 3.5, 4.0), squeezing=(0, 0, 5, 1))

_conv_norm = partial(ConvNormActivation, norm=nn.BatchNorm2d, activation=None)


class MobileOneBlock(nn.Module):
    """Sums branches, each ending in a batch norm, and applies ReLU, behind squeeze-and-excite if it `squeezes`.

    The branches are `branches` convolutions, a 1×1 convolution beside larger kernels, and the input if shapes allow it.
    """

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, stride: int, groups: int, branches: int, squeezes: bool
    ) -> None:
        super().__init__()
        self.skip = nn.BatchNorm2d(outputs) if inputs == outputs and stride == 1 else None
        conv = partial(_conv_norm, inputs, outputs, stride=stride, groups=groups)
        self.scale = conv(kernel=1) if kernel > 1 else None
        self.convs = nn.ModuleList(conv(kernel=kernel) for _ in range(branches))
        squeezed = max(8, outputs // 16)
        self.squeeze = SqueezeExcitation(outputs, squeezed, gate=nn.Sigmoid) if squeezes else None
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉) for (N, inputs, H, W)."""
        first, *others = self.convs
        total: Tensor = first(x)
        for branch in others:
            total = total + branch(x)
        if self.scale is not None:
            total = total + self.scale(x)
        if self.skip is not None:
            total = total + self.skip(x)
        return self.activation(total if self.squeeze is None else self.squeeze(total))  # type: ignore[no-any-return]

    def reparameterised(self) -> nn.Sequential:
        """Returns one convolution, the block's squeeze-and-excite and ReLU: equal to the block in eval()."""
        like = self.convs[0].get_submodule("0")
        assert isinstance(like, nn.Conv2d)
        weight, bias = self._sum_of_branches(like)
        conv = copy.deepcopy(like)
        conv.weight = nn.Parameter(weight.to(like.weight.dtype))
        conv.bias = nn.Parameter(bias.to(like.weight.dtype))
        squeeze = {} if self.squeeze is None else {"squeeze": copy.deepcopy(self.squeeze)}
        return nn.Sequential(OrderedDict({"conv": conv, **squeeze, "activation": nn.ReLU()}))

    @torch.no_grad()
    def _sum_of_branches(self, like: nn.Conv2d) -> tuple[Tensor, Tensor]:
        """Returns the sum's weights and biases in float64."""
        weight = torch.zeros_like(like.weight, dtype=torch.float64)
        bias = weight.new_zeros(len(weight))
        middle = like.kernel_size[0] // 2
        for conv, norm in [*self.convs, *([] if self.scale is None else [self.scale])]:
            gain, offset = _gain(norm)
            scaled = conv.weight.double() * gain[:, None, None, None]
            if conv.kernel_size == like.kernel_size:
                weight += scaled
            else:
                weight[:, :, middle, middle] += scaled[:, :, 0, 0]
            bias += offset
        if self.skip is not None:
            gain, offset = _gain(self.skip)
            outputs = torch.arange(len(weight))
            weight[outputs, outputs % weight.shape[1], middle, middle] += gain
            bias += offset
        return weight, bias


def mobileone_s0(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds a MobileOne-S0, whose convolutions are four branches each; `width` scales every layer."""
    return _build(_S0, classes, width)


def mobileone_s1(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds a MobileOne-S1; `width` scales every layer."""
    return _build(_S1, classes, width)


def mobileone_s2(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds a MobileOne-S2; `width` scales every layer."""
    return _build(_S2, classes, width)


def mobileone_s3(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds a MobileOne-S3; `width` scales every layer."""
    return _build(_S3, classes, width)


def mobileone_s4(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds a MobileOne-S4, whose last blocks squeeze and excite with a sigmoid; `width` scales every layer."""
    return _build(_S4, classes, width)


def _build(variant: Variant, classes: int, width: float) -> ImageClassifier:
    channels = make_divisible(_STEM * min(1.0, variant.widths[0]) * width)
    block = partial(MobileOneBlock, branches=variant.branches)
    layers: list[nn.Module] = [MobileOneBlock(3, channels, kernel=3, stride=2, groups=1, branches=1, squeezes=False)]
    for (base, blocks), own, squeezing in zip(_STAGES, variant.widths, variant.squeezing, strict=True):
        outputs = make_divisible(base * own * width)
        for index in range(blocks):
            squeezes, stride = index >= blocks - squeezing, 2 if index == 0 else 1
            layers.append(block(channels, channels, kernel=3, stride=stride, groups=channels, squeezes=squeezes))
            layers.append(block(channels, outputs, kernel=1, stride=1, groups=1, squeezes=squeezes))
            channels = outputs
    return ImageClassifier(
        nn.Sequential(*layers), nn.Sequential(nn.Linear(channels, classes)), twin_epsilon=TIMM_EPSILON
    )


def _gain(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Returns a batch norm's gain and offset for each channel, by its running statistics, in float64."""
    assert norm.running_mean is not None and norm.running_var is not None
    gain = norm.weight.double() * torch.rsqrt(norm.running_var.double() + norm.eps)
    return gain, norm.bias.double() - norm.running_mean.double() * gain
