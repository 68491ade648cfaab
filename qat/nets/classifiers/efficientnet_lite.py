"""Builds EfficientNet-Lite: Tan and Le 2019, arXiv 1905.11946, without squeeze-and-excite and with ReLU6.

Source: TensorFlow's `tpu/models/official/efficientnet/lite`: first and last convolution, and the repeats of the first
and last row, are not scaled. Padding is symmetric and the batch norms' ε is PyTorch's, as in timm's
`efficientnet_lite0`; timm's `tf_efficientnet_lite…` pads as TensorFlow does, which gives other scores.
"""

import math
from functools import partial

from torch import nn

from qat.nets.blocks import TIMM_EPSILON, ConvNormActivation, ImageClassifier, make_divisible
from qat.nets.classifiers.mobilenet_v2 import InvertedResidual

_LAYERS = (
    # kernel, expansion, channels, repeats, stride of the first
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)

_conv = partial(ConvNormActivation, norm=nn.BatchNorm2d, activation=nn.ReLU6)


def efficientnet_lite0(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds an EfficientNet-Lite0, made for 224 px; `width` scales all layers but the first and last convolution."""
    return _build(classes, width, 1.0)


def efficientnet_lite1(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds an EfficientNet-Lite1, made for 240 px: deeper by 1.1."""
    return _build(classes, width, 1.1)


def efficientnet_lite2(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds an EfficientNet-Lite2, made for 260 px: wider by 1.1, deeper by 1.2."""
    return _build(classes, 1.1 * width, 1.2)


def efficientnet_lite3(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds an EfficientNet-Lite3, made for 280 px: wider by 1.2, deeper by 1.4."""
    return _build(classes, 1.2 * width, 1.4)


def efficientnet_lite4(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds an EfficientNet-Lite4, made for 300 px: wider by 1.4, deeper by 1.8."""
    return _build(classes, 1.4 * width, 1.8)


def _build(classes: int, width: float, depth: float) -> ImageClassifier:
    channels = 32
    layers: list[nn.Module] = [_conv(3, channels, kernel=3, stride=2)]
    for row in _LAYERS:
        kernel, expansion, base, repeats, stride = row
        if row not in (_LAYERS[0], _LAYERS[-1]):
            repeats = math.ceil(repeats * depth)
        for repeat in range(repeats):
            inputs, channels = channels, make_divisible(base * width)
            expanded, step = inputs * expansion, stride if repeat == 0 else 1
            layers.append(InvertedResidual(inputs, expanded, channels, step, kernel=kernel))
    layers.append(_conv(channels, 1280, kernel=1))
    classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))
    return ImageClassifier(nn.Sequential(*layers), classifier, twin_epsilon=TIMM_EPSILON)
