"""Builds MobileNetV4-Conv: Qin et al. 2024, arXiv 2404.10518, the tables of its appendix.

The tables are those of TensorFlow's model garden (`official/vision/modeling/backbones/mobilenet.py`), whose authors are
the paper's, and of timm. The batch norms' ε and the channels at other widths are timm's, whose checkpoints load.
"""

from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from qat.nets.blocks import TIMM_EPSILON, ConvNormActivation, ImageClassifier, make_divisible


class Conv(NamedTuple):
    """Holds a plain convolution."""

    kernel: int
    channels: int
    stride: int


class Fused(NamedTuple):
    """Holds a fused inverted bottleneck: a convolution of all channels expands, a 1×1 projects."""

    kernel: int
    expansion: int
    channels: int
    stride: int


class Universal(NamedTuple):
    """Holds a universal inverted bottleneck; a depthwise convolution with kernel 0 is left out.

    With both it is the paper's ExtraDW, with `middle` alone an inverted bottleneck, with `first` alone ConvNext-like,
    with neither a feed-forward network. The last depthwise convolution strides.
    """

    first: int
    middle: int
    expansion: int
    channels: int
    stride: int


Row = Conv | Fused | Universal

_LAST = Conv(1, 960, 1)

_SMALL: tuple[Row, ...] = (
    Conv(3, 32, 2),
    Conv(1, 32, 1),
    Conv(3, 96, 2),
    Conv(1, 64, 1),
    # first, middle, expansion, channels, stride
    Universal(5, 5, 3, 96, 2),
    *4 * (Universal(0, 3, 2, 96, 1),),
    Universal(3, 0, 4, 96, 1),
    Universal(3, 3, 6, 128, 2),
    Universal(5, 5, 4, 128, 1),
    Universal(0, 5, 4, 128, 1),
    Universal(0, 5, 3, 128, 1),
    *2 * (Universal(0, 3, 4, 128, 1),),
    _LAST,
)
_MEDIUM: tuple[Row, ...] = (
    Fused(3, 4, 48, 2),
    Universal(3, 5, 4, 80, 2),
    Universal(3, 3, 2, 80, 1),
    Universal(3, 5, 6, 160, 2),
    *2 * (Universal(3, 3, 4, 160, 1),),
    Universal(3, 5, 4, 160, 1),
    Universal(3, 3, 4, 160, 1),
    Universal(3, 0, 4, 160, 1),
    Universal(0, 0, 2, 160, 1),
    Universal(3, 0, 4, 160, 1),
    Universal(5, 5, 6, 256, 2),
    Universal(5, 5, 4, 256, 1),
    *2 * (Universal(3, 5, 4, 256, 1),),
    Universal(0, 0, 4, 256, 1),
    Universal(3, 0, 4, 256, 1),
    Universal(3, 5, 2, 256, 1),
    Universal(5, 5, 4, 256, 1),
    *2 * (Universal(0, 0, 4, 256, 1),),
    Universal(5, 0, 2, 256, 1),
    _LAST,
)
_LARGE: tuple[Row, ...] = (
    Fused(3, 4, 48, 2),
    Universal(3, 5, 4, 96, 2),
    Universal(3, 3, 4, 96, 1),
    Universal(3, 5, 4, 192, 2),
    *3 * (Universal(3, 3, 4, 192, 1),),
    Universal(3, 5, 4, 192, 1),
    *5 * (Universal(5, 3, 4, 192, 1),),
    Universal(3, 0, 4, 192, 1),
    Universal(5, 5, 4, 512, 2),
    *3 * (Universal(5, 5, 4, 512, 1),),
    Universal(5, 0, 4, 512, 1),
    Universal(5, 3, 4, 512, 1),
    *2 * (Universal(5, 0, 4, 512, 1),),
    Universal(5, 3, 4, 512, 1),
    Universal(5, 5, 4, 512, 1),
    *3 * (Universal(5, 0, 4, 512, 1),),
    _LAST,
)

_conv = partial(ConvNormActivation, norm=nn.BatchNorm2d)


class Bottleneck(nn.Module):
    """Computes one row of a table, `Fused` or `Universal`, from `inputs` channels to `row.channels`.

    It has a shortcut if shapes allow it. The last layer and the first depthwise convolution have no activation.
    """

    def __init__(self, inputs: int, row: Fused | Universal) -> None:
        super().__init__()
        expanded = make_divisible(inputs * row.expansion)
        project = _conv(expanded, row.channels, kernel=1, activation=None)
        if isinstance(row, Fused):
            expand = _conv(inputs, expanded, kernel=row.kernel, stride=row.stride, activation=nn.ReLU)
            self.block = nn.Sequential(expand, project)
        else:
            self.block = nn.Sequential(*_expansion(inputs, expanded, row), project)
        self.has_shortcut = row.stride == 1 and inputs == row.channels

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N, row.channels, ⌈H / row.stride⌉, ⌈W / row.stride⌉) for (N, inputs, H, W)."""
        projected: Tensor = self.block(x)
        return x + projected if self.has_shortcut else projected


def mobilenet_v4_conv_small(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds a MobileNetV4-Conv-S, made for 224 px; `width` is as in `mobilenet_v4_conv_medium`."""
    return _build(_SMALL, 32, classes, width)


def mobilenet_v4_conv_medium(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds a MobileNetV4-Conv-M, made for 256 px.

    A `width` below 1.0 scales all layers but the first convolution and the hidden layer's 1280 channels.
    """
    return _build(_MEDIUM, 32, classes, width)


def mobilenet_v4_conv_large(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds a MobileNetV4-Conv-L, made for 384 px; `width` is as in `mobilenet_v4_conv_medium`."""
    return _build(_LARGE, 24, classes, width)


def _build(table: tuple[Row, ...], stem: int, classes: int, width: float) -> ImageClassifier:
    conv = partial(_conv, activation=nn.ReLU)
    channels = make_divisible(stem * max(1.0, width))
    layers: list[nn.Module] = [conv(3, channels, kernel=3, stride=2)]
    for row in table:
        inputs, channels = channels, make_divisible(row.channels * width)
        if isinstance(row, Conv):
            layers.append(conv(inputs, channels, kernel=row.kernel, stride=row.stride))
        else:
            layers.append(Bottleneck(inputs, row._replace(channels=channels)))
    hidden = make_divisible(1280 * max(1.0, width))
    return ImageClassifier(
        nn.Sequential(*layers),
        nn.Sequential(nn.Dropout(0.2), nn.Linear(hidden, classes)),
        hidden=conv(channels, hidden, kernel=1),
        twin_epsilon=TIMM_EPSILON,
    )


def _expansion(inputs: int, expanded: int, row: Universal) -> list[nn.Module]:
    layers: list[nn.Module] = []
    if row.first:
        stride = 1 if row.middle else row.stride
        layers.append(_conv(inputs, inputs, kernel=row.first, stride=stride, groups=inputs, activation=None))
    layers.append(_conv(inputs, expanded, kernel=1, activation=nn.ReLU))
    if row.middle:
        layers.append(
            _conv(expanded, expanded, kernel=row.middle, stride=row.stride, groups=expanded, activation=nn.ReLU)
        )
    return layers
