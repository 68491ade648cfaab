"""Builds MobileNetV1: Howard et al. 2017, arXiv 1704.04861, Table 1."""

from collections import OrderedDict
from functools import partial

from torch import nn

from qat.nets.blocks import ConvNormActivation, ImageClassifier

# Each row is a 3×3 depthwise convolution with this stride and a 1×1 convolution to this many channels.
# The paper prints stride 2 for the last row too: a misprint, its input and output are both 7×7.
_LAYERS = (
    # channels, stride
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)

_conv = partial(ConvNormActivation, norm=partial(nn.BatchNorm2d, eps=0.001), activation=nn.ReLU6)


def mobilenet_v1(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds a MobileNetV1; `width` is the paper's α, and ρ is the size of the images.

    ReLU6, the channel rule, the batch norm's ε and the dropout of 0.001 are those of TF-Slim's `mobilenet_v1.py`, the
    source of the published checkpoints; the paper has ReLU and no numbers for the others.
    """
    channels = _scaled(32, width)
    layers: list[nn.Module] = [_conv(3, channels, kernel=3, stride=2)]
    for base, stride in _LAYERS:
        inputs, channels = channels, _scaled(base, width)
        layers.append(_depthwise_separable(inputs, channels, stride))
    return ImageClassifier(nn.Sequential(*layers), nn.Sequential(nn.Dropout(0.001), nn.Linear(channels, classes)))


def _scaled(channels: int, width: float) -> int:
    """Returns the channels by TF-Slim's rule for V1: cut, not rounded to a multiple of 8 as in V2 and V3."""
    return max(int(channels * width), 8)


def _depthwise_separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    depthwise = _conv(inputs, inputs, kernel=3, stride=stride, groups=inputs)
    pointwise = _conv(inputs, outputs, kernel=1)
    return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=pointwise))
