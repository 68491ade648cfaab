"""Builds MnasNet-A1, from which MobileNetV3-Large was grown: Tan et al. 2019, arXiv 1807.11626, Figure 7."""

from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from qat.nets.blocks import ConvNormActivation, ImageClassifier, SqueezeExcitation, make_divisible


class Stage(NamedTuple):
    """Holds one row of the figure at width 1.0: blocks of one kind, the first of which may stride."""

    expansion: int
    kernel: int
    channels: int
    has_se: bool
    repeats: int
    stride: int


A1 = (
    # expansion, kernel, channels, has_se, repeats, stride of the first; the first row is the figure's SepConv
    Stage(1, 3, 16, False, 1, 1),
    Stage(6, 3, 24, False, 2, 2),
    Stage(3, 5, 40, True, 3, 2),
    Stage(6, 3, 80, False, 4, 2),
    Stage(6, 3, 112, True, 2, 1),
    Stage(6, 5, 160, True, 3, 2),
    Stage(6, 3, 320, False, 1, 1),
)

_norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
_conv = partial(ConvNormActivation, norm=_norm, activation=nn.ReLU)


class MobileBottleneck(nn.Module):
    """Computes the figure's MBConv, and at expansion 1 its SepConv, with a shortcut if shapes allow it.

    It reads `inputs` channels. Squeeze-and-excite keeps a quarter of the block's inputs, where MobileNetV3 keeps a
    quarter of the expanded channels. Its gate is the hard-sigmoid by which MobileNetV3 replaced the paper's sigmoid
    (section 5.2 there): int8 has no other.
    """

    def __init__(self, inputs: int, row: Stage, stride: int) -> None:
        super().__init__()
        expanded = inputs * row.expansion
        expand = [_conv(inputs, expanded, kernel=1)] if row.expansion != 1 else []
        depthwise = _conv(expanded, expanded, kernel=row.kernel, stride=stride, groups=expanded)
        squeeze = [SqueezeExcitation(expanded, max(1, inputs // 4))] if row.has_se else []
        project = ConvNormActivation(expanded, row.channels, kernel=1, norm=_norm, activation=None)
        self.block = nn.Sequential(*expand, depthwise, *squeeze, project)
        self.has_shortcut = stride == 1 and inputs == row.channels

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N, row.channels, ⌈H / stride⌉, ⌈W / stride⌉) for (N, inputs, H, W)."""
        projected: Tensor = self.block(x)
        return x + projected if self.has_shortcut else projected


def mnasnet_a1(classes: int, *, width: float = 1.0) -> ImageClassifier:
    """Builds a MnasNet-A1; a `width` below 1.0 scales all layers but the last convolution, which has 1280 channels."""
    channels = make_divisible(32 * width)
    layers: list[nn.Module] = [_conv(3, channels, kernel=3, stride=2)]
    for row in A1:
        outputs = make_divisible(row.channels * width)
        for repeat in range(row.repeats):
            stride = row.stride if repeat == 0 else 1
            layers.append(MobileBottleneck(channels, row._replace(channels=outputs), stride))
            channels = outputs
    last = make_divisible(1280 * max(1.0, width))
    layers.append(_conv(channels, last, kernel=1))
    return ImageClassifier(nn.Sequential(*layers), nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes)))
