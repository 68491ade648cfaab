"""Builds ShuffleNetV2, where half the channels skip each unit: Ma et al. 2018, arXiv 1807.11164, Table 5, Figure 3."""

from functools import partial

import torch
from torch import Tensor, nn

from qat.nets.blocks import ConvNormActivation, ImageClassifier

_STEM = 24
_CHANNELS = {
    # width: channels of stages 2, 3 and 4, and of the last convolution
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
_UNITS = (4, 8, 4)  # stages 2, 3, 4; the first unit of each strides

_conv = partial(ConvNormActivation, norm=nn.BatchNorm2d)
_conv_relu = partial(_conv, activation=nn.ReLU)


class SplitUnit(nn.Module):
    """Passes half of the channels on, and half through a 1×1, a 3×3 depthwise and a 1×1; then shuffles all."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = _branch(channels // 2, channels // 2, stride=1)
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N, channels, H, W) for the same."""
        passed, computed = torch.chunk(x, 2, dim=1)
        shuffled: Tensor = self.shuffle(torch.cat([passed, self.branch(computed)], dim=1))
        return shuffled


class StridedUnit(nn.Module):
    """Sends all channels through both branches, of half the outputs each, side by side (Figure 3, d)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        depthwise = _conv(inputs, inputs, kernel=3, stride=2, groups=inputs, activation=None)
        self.shortcut = nn.Sequential(depthwise, _conv_relu(inputs, outputs // 2, kernel=1))
        self.branch = _branch(inputs, outputs // 2, stride=2)
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N, outputs, ⌈H / 2⌉, ⌈W / 2⌉) for (N, inputs, H, W)."""
        shuffled: Tensor = self.shuffle(torch.cat([self.shortcut(x), self.branch(x)], dim=1))
        return shuffled


def shufflenet_v2(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds a ShuffleNetV2; widths other than the paper's (0.5, 1.0, 1.5, 2.0) scale the channels of 1.0."""
    *stages, last = _CHANNELS.get(width) or _scaled(width)
    layers: list[nn.Module] = [_conv_relu(3, _STEM, kernel=3, stride=2), nn.MaxPool2d(3, 2, padding=1)]
    inputs = _STEM
    for outputs, units in zip(stages, _UNITS, strict=True):
        layers += [StridedUnit(inputs, outputs), *(SplitUnit(outputs) for _ in range(units - 1))]
        inputs = outputs
    layers.append(_conv_relu(inputs, last, kernel=1))
    return ImageClassifier(nn.Sequential(*layers), nn.Sequential(nn.Linear(last, classes)))


def _scaled(width: float) -> tuple[int, ...]:
    *stages, last = _CHANNELS[1.0]
    return *(max(4, round(channels * width / 4) * 4) for channels in stages), int(last * max(1.0, width))


def _branch(inputs: int, outputs: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        _conv_relu(inputs, outputs, kernel=1),
        _conv(outputs, outputs, kernel=3, stride=stride, groups=outputs, activation=None),
        _conv_relu(outputs, outputs, kernel=1),
    )
