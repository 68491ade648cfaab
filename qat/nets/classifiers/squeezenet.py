"""Builds SqueezeNet 1.0: Iandola et al. 2016, arXiv 1602.07360, Table 1.

It has no batch norm, no linear layer, and biases everywhere.
"""

import torch
from torch import Tensor, nn

from qat.nets.blocks import ImageClassifier, make_divisible

_POOL = "max pooling, 3×3, stride 2"
_LAYERS: tuple[tuple[int, int] | str, ...] = (
    # squeezed by the 1×1, expanded by the 1×1 and by the 3×3 each
    _POOL,
    (16, 64),
    (16, 64),
    (32, 128),
    _POOL,
    (32, 128),
    (48, 192),
    (48, 192),
    (64, 256),
    _POOL,
    (64, 256),
)


class Fire(nn.Module):
    """Squeezes by a 1×1, and expands by a 1×1 and a 3×3 side by side (section 3.2)."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = _conv(inputs, squeezed, kernel=1)
        self.expand1x1 = _conv(squeezed, expanded, kernel=1)
        self.expand3x3 = _conv(squeezed, expanded, kernel=3)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N, 2 · expanded, H, W) for (N, inputs, H, W)."""
        squeezed = self.squeeze(x)
        return torch.cat([self.expand1x1(squeezed), self.expand3x3(squeezed)], dim=1)


def squeezenet(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds a SqueezeNet without bypasses; `width` scales every layer but the last, which has a map for each class.

    The first convolution is padded by 2, so that 224 px become the 111 of the table.
    """
    channels = make_divisible(96 * width)
    layers: list[nn.Module] = [nn.Sequential(nn.Conv2d(3, channels, 7, 2, padding=2), nn.ReLU())]
    for row in _LAYERS:
        if isinstance(row, str):
            layers.append(nn.MaxPool2d(3, 2))
            continue
        squeezed, expanded = (make_divisible(each * width) for each in row)
        layers.append(Fire(channels, squeezed, expanded))
        channels = 2 * expanded
    layers += [nn.Dropout(0.5), _conv(channels, classes, kernel=1)]
    return ImageClassifier(nn.Sequential(*layers), nn.Sequential())


def _conv(inputs: int, outputs: int, *, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU())
