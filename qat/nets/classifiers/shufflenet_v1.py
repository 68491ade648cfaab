"""Builds ShuffleNet, with 1×1 convolutions in groups: Zhang et al. 2018, arXiv 1707.01083, Table 1 and Figure 2."""

from functools import partial

import torch
from torch import Tensor, nn

from qat.nets.blocks import ConvNormActivation, ImageClassifier

_STEM = 24
_CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}  # stage 2, by groups; each further stage has twice as many
_UNITS = (4, 8, 4)  # stages 2, 3, 4; the first unit of each strides

_conv = partial(ConvNormActivation, norm=nn.BatchNorm2d)


class ShuffleUnit(nn.Module):
    """Computes a bottleneck of a quarter of the channels; its 1×1 convolutions are in groups, shuffled in between.

    A unit that strides concatenates its result and the averaged input; others add them (Figure 2, b and c).
    """

    def __init__(self, inputs: int, outputs: int, *, groups: int, first_groups: int, stride: int) -> None:
        super().__init__()
        self.strides = stride > 1
        inner, computed = outputs // 4, outputs - inputs if self.strides else outputs
        self.block = nn.Sequential(
            _conv(inputs, inner, kernel=1, groups=first_groups, activation=nn.ReLU),
            nn.ChannelShuffle(groups),
            _conv(inner, inner, kernel=3, stride=stride, groups=inner, activation=None),
            _conv(inner, computed, kernel=1, groups=groups, activation=None),
        )
        self.shortcut = nn.Sequential(*([nn.AvgPool2d(3, stride, padding=1)] if self.strides else []))
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉) for (N, inputs, H, W)."""
        shortcut, computed = self.shortcut(x), self.block(x)
        joined = torch.cat([shortcut, computed], dim=1) if self.strides else shortcut + computed
        activated: Tensor = self.activation(joined)
        return activated


def shufflenet_v1(classes: int, *, width: float = 1.0, groups: int = 3) -> ImageClassifier:
    """Builds a ShuffleNet; `groups` are those of its 1×1 convolutions: 1, 2, 3, 4 or 8.

    `width` is the paper's scale factor s. The first 1×1 of stage 2 has few inputs and so is in one group (section 3.3).
    """
    # The published 292 M multiply-adds of 1.5× have a stem of 24: between whole factors it is not widened.
    inputs = _multiple_of(_STEM * (width if width < 1 else int(width)), groups)
    stem = _conv(3, inputs, kernel=3, stride=2, activation=nn.ReLU)
    layers: list[nn.Module] = [stem, nn.MaxPool2d(3, 2, padding=1)]
    for stage, units in enumerate(_UNITS):
        step = 4 * groups
        # However narrow, a unit that strides computes something beside the input that it joins.
        outputs = max(_multiple_of(_CHANNELS[groups] * width * 2**stage, step), (inputs // step + 1) * step)
        for unit in range(units):
            first_groups = groups if stage or unit else 1
            stride = 1 if unit else 2
            layers.append(ShuffleUnit(inputs, outputs, groups=groups, first_groups=first_groups, stride=stride))
            inputs = outputs
    return ImageClassifier(nn.Sequential(*layers), nn.Sequential(nn.Linear(inputs, classes)))


def _multiple_of(channels: float, divisor: int) -> int:
    return max(divisor, round(channels / divisor) * divisor)
