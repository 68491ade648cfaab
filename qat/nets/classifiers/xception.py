"""Builds Xception, a stack of linear residuals of separable convolutions: Chollet 2017, arXiv 1610.02357, Figure 5."""

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn

from qat.nets.blocks import ConvNormActivation, ImageClassifier, make_divisible


class Module(NamedTuple):
    """Holds one of the figure's residual modules at width 1.0: its separable convolutions' outputs, and if it pools."""

    channels: tuple[int, ...]
    pools: bool
    begins_with_relu: bool = True


_STEM = (32, 64)
_MODULES = (
    # channels, pools (then the shortcut is a strided 1×1), begins_with_relu
    Module((128, 128), True, False),
    Module((256, 256), True),
    Module((728, 728), True),
    *[Module((728, 728, 728), False)] * 8,
    Module((728, 1024), True),
)
_EXIT = (1536, 2048)


class SeparableConv(nn.Sequential):
    """Chains a 3×3 of each channel, a 1×1 over them and batch norm, without a nonlinearity between the first two.

    An "extreme" Inception module (section 1.2) differs in two ways, each an option here: the 1×1 comes first, and a
    ReLU follows the first of the two. The paper found the ReLU between the two to be harmful (section 4.7, Figure 10).
    """

    def __init__(self, inputs: int, outputs: int, *, pointwise_first: bool, inner_relu: bool) -> None:
        mixed = outputs if pointwise_first else inputs
        depthwise = nn.Conv2d(mixed, mixed, 3, padding=1, groups=mixed, bias=False)
        pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        first, second = (pointwise, depthwise) if pointwise_first else (depthwise, pointwise)
        super().__init__(first, *([nn.ReLU()] if inner_relu else []), second, nn.BatchNorm2d(outputs))


class ResidualModule(nn.Module):
    """Adds separable convolutions, each after a ReLU, and a linear shortcut around them."""

    def __init__(self, inputs: int, row: Module, *, pointwise_first: bool, inner_relu: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, outputs = inputs, row.channels[-1]
        for index, wider in enumerate(row.channels):
            if index or row.begins_with_relu:
                layers.append(nn.ReLU())
            layers.append(SeparableConv(channels, wider, pointwise_first=pointwise_first, inner_relu=inner_relu))
            channels = wider
        if row.pools:
            layers.append(nn.MaxPool2d(3, 2, padding=1))
        self.block = nn.Sequential(*layers)
        norm = nn.BatchNorm2d
        strided = [ConvNormActivation(inputs, outputs, kernel=1, stride=2, norm=norm, activation=None)]
        self.shortcut = nn.Sequential(*(strided if row.pools else []))

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N, outputs, H, W) for (N, inputs, H, W), or ⌈H / 2⌉ and ⌈W / 2⌉ if the module pools."""
        shortcut: Tensor = self.shortcut(x)
        computed: Tensor = self.block(x)
        return shortcut + computed


def xception(
    classes: int, *, width: float = 1.0, pointwise_first: bool = False, inner_relu: bool = False
) -> ImageClassifier:
    """Builds an Xception, designed for images of 299 px; `width` scales every layer.

    `pointwise_first` and `inner_relu` turn a `SeparableConv` into that of an "extreme" Inception module.
    """
    separable = {"pointwise_first": pointwise_first, "inner_relu": inner_relu}
    layers = list(_stem(width))
    channels = make_divisible(_STEM[-1] * width)
    for row in _MODULES:
        scaled = row._replace(channels=tuple(make_divisible(each * width) for each in row.channels))
        layers.append(ResidualModule(channels, scaled, **separable))
        channels = scaled.channels[-1]
    for each in _EXIT:
        outputs = make_divisible(each * width)
        layers += [SeparableConv(channels, outputs, **separable), nn.ReLU()]
        channels = outputs
    return ImageClassifier(nn.Sequential(*layers), nn.Sequential(nn.Dropout(0.5), nn.Linear(channels, classes)))


def _stem(width: float) -> Iterator[nn.Module]:
    """Yields two 3×3 convolutions without padding, the first with stride 2."""
    inputs, stride = 3, 2
    for base in _STEM:
        outputs = make_divisible(base * width)
        yield nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
        inputs, stride = outputs, 1
