"""Builds Mobile DeepLabv3, R-ASPP and LR-ASPP: they return a label for every pixel, on MobileNets.

DeepLabv3's head, with and without the atrous pyramid, is in the MobileNetV2 paper, section 6.3 (without, it is the V3
paper's R-ASPP). LR-ASPP is in the MobileNetV3 paper, section 6.4, Figure 10. The gate's sigmoid is a hard-sigmoid, as
in the released code (`image_se_uses_qsigmoid`), and its pooling covers the whole map: at 49 × 49 in steps of (16, 20),
the paper's covers all of its 64 × 128 map too.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.arguments import NOTHING, expect
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import SettingError
from qat.arguments.nets import expect_to_build
from qat.layers.memory_format import ChannelsLast
from qat.nets.blocks import ConvNormActivation, ImageClassifier
from qat.nets.classifiers.mobilenet_v1 import mobilenet_v1
from qat.nets.classifiers.mobilenet_v2 import mobilenet_v2
from qat.nets.classifiers.mobilenet_v3 import mobilenet_v3_large, mobilenet_v3_small
from qat.nets.first_layer import made_for

Head = Literal["aspp", "r-aspp", "lr-aspp"]

_RATES = {8: (12, 24, 36), 16: (6, 12, 18), 32: (3, 6, 9)}  # by output stride (DeepLabv3, section 3.3)
_FILTERS = {"aspp": 256, "r-aspp": 256, "lr-aspp": 128}
_conv = partial(ConvNormActivation, norm=partial(nn.BatchNorm2d, eps=0.001, momentum=0.03), activation=nn.ReLU)


@dataclass(frozen=True, kw_only=True)
class _Backbone:
    """Holds `features(width, halves_tail)`, and `low`: the index of the last of them at output stride 8."""

    features: Callable[[float, bool], nn.Sequential]
    low: int


def _v2(width: float, halves: bool) -> nn.Sequential:
    """Returns all features but the last convolution: the head reads "the second last feature map"."""
    return nn.Sequential(*list(mobilenet_v2(2, width=width, halves_tail=halves).features)[:-1])


def _v3(build: Callable[..., ImageClassifier], width: float, halves: bool) -> nn.Sequential:
    return nn.Sequential(*build(2, width=width, halves_tail=halves, keeps_c4=False).features)


_BACKBONES = {
    "mobilenet_v1": _Backbone(features=lambda width, _: mobilenet_v1(2, width=width).features, low=5),
    "mobilenet_v2": _Backbone(features=_v2, low=6),
    "mobilenet_v3_large": _Backbone(features=partial(_v3, mobilenet_v3_large), low=6),
    "mobilenet_v3_small": _Backbone(features=partial(_v3, mobilenet_v3_small), low=3),
}


class Segmenter(ChannelsLast):
    """Joins features and a head: (N, 3, H, W) float32 to logits (N, labels, H, W), both sides multiples of 32."""

    contract: Contract | None = None

    def __init__(self, features: nn.Sequential, low: int, head: nn.Module) -> None:
        super().__init__()
        self.features, self.low, self.head = features, low, head
        head.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the logits: no softmax."""
        size, low = _size(x), x
        for index, layer in enumerate(self.features):
            if index == self.low:
                x, low = _through(layer, x)
            else:
                x = layer(x)
        return _resized(self.head(x, low), size)


class AtrousPyramid(nn.Module):
    """Joins parallel convolutions of the map and the map's average: DeepLabv3's head; with 1×1 alone, R-ASPP."""

    def __init__(self, inputs: int, filters: int, labels: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        pyramid = [_atrous_conv(inputs, filters, rate) for rate in rates]
        self.branches = nn.ModuleList([_conv(inputs, filters, kernel=1), *pyramid])
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.pooled = _conv(inputs, filters, kernel=1)
        self.project = _conv((len(rates) + 2) * filters, filters, kernel=1)
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Conv2d(filters, labels, 1)

    def forward(self, x: Tensor, low: Tensor) -> Tensor:
        """Returns the logits (N, labels, …) of every position of `x`."""
        pooled = _resized(self.pooled(self.pool(x)), _size(x))
        joined = torch.cat([*(branch(x) for branch in self.branches), pooled], dim=1)
        logits: Tensor = self.classifier(self.dropout(self.project(joined)))
        return logits


class LiteReducedPyramid(nn.Module):
    """Computes LR-ASPP: a 1×1 convolution, gated by the map's average, plus a finer map's scores."""

    def __init__(self, inputs: int, low_inputs: int, filters: int, labels: int) -> None:
        super().__init__()
        self.conv = _conv(inputs, filters, kernel=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.gate = nn.Sequential(OrderedDict(conv=nn.Conv2d(inputs, filters, 1), sigmoid=nn.Hardsigmoid()))
        self.classifier = nn.Conv2d(filters, labels, 1)
        self.low_classifier = nn.Conv2d(low_inputs, labels, 1)

    def forward(self, x: Tensor, low: Tensor) -> Tensor:
        """Returns the logits (N, labels, …) of every position of `low`."""
        gated = self.conv(x) * self.gate(self.pool(x))
        logits: Tensor = self.classifier(_resized(gated, _size(low))) + self.low_classifier(low)
        return logits


def build_segmenter(
    name: str,
    contract: Contract,
    *,
    head: Head = "lr-aspp",
    output_stride: int = 16,
    filters: int | None = None,
    width: float = 1.0,
    halves_tail: bool | None = None,
) -> Segmenter:
    """Builds a segmenter on the backbone `name`, with the contract's labels and image size.

    `output_stride` is the number of image pixels to a position of the deepest map, 8, 16 or 32; atrous convolutions
    skip the pixels that a removed stride would have left out. `filters` are the head's: 128 for LR-ASPP, else 256.
    `halves_tail` halves the channels of the last block (the V3 paper's RF2); by default only LR-ASPP does. Raises
    SettingError for impossible values.
    """
    expect_to_build(name, contract, width)
    expect("output_stride", output_stride, int)
    expect("filters", filters, int, NOTHING)
    backbone = _BACKBONES.get(name)
    if backbone is None:
        raise SettingError(
            f"expected a backbone ({', '.join(_BACKBONES)}), found {name!r}", hint="use mobilenet_v3_small"
        )
    _check(head, output_stride, width, contract.image)
    features = backbone.features(width, head == "lr-aspp" if halves_tail is None else halves_tail)
    dilate(features, output_stride)
    deep, low = _channels(features), _low_channels(features[backbone.low])
    labels, filters = len(contract.labels), filters or _FILTERS[head]
    if head == "lr-aspp":
        net = Segmenter(features, backbone.low, LiteReducedPyramid(deep, low, filters, labels))
    else:
        rates = _RATES[output_stride] if head == "aspp" else ()
        net = Segmenter(features, backbone.low, AtrousPyramid(deep, filters, labels, rates))
    return made_for(net, contract)


def dilate(features: nn.Sequential, output_stride: int) -> None:
    """Removes strides beyond `output_stride`, and dilates later filters by as much.

    Source: TF-Slim's `mobilenet_base`: a layer that loses its stride keeps the rate of the layers before it.
    """
    stride = rate = 1
    for conv in (module for module in features.modules() if isinstance(module, nn.Conv2d)):
        step, kernel = conv.stride[0], conv.kernel_size[0]
        if kernel > 1 and rate > 1:
            conv.dilation, conv.padding = (rate, rate), (rate * (kernel // 2),) * 2
        if step > 1 and stride == output_stride:
            conv.stride, rate = (1, 1), rate * step
        else:
            stride *= step


def _check(head: str, output_stride: int, width: float, image: ImageSpec) -> None:
    if head not in get_args(Head):
        raise SettingError(f"expected a head ({', '.join(get_args(Head))}), found {head!r}", hint="use lr-aspp")
    if output_stride not in _RATES:
        raise SettingError(f"expected an output stride of 8, 16 or 32, found {output_stride}", hint="use 16")
    if not 0 < width <= 4:
        raise SettingError(f"expected a width above 0 and up to 4, found {width}", hint="use 1.0")
    if image.height_px % 32 or image.width_px % 32:
        found = image.size_px if isinstance(image.size_px, int) else f"{image.height_px} × {image.width_px}"
        raise SettingError(f"expected pictures of a multiple of 32 px, found {found}", hint="use 256")


def _through(layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Returns a block's output and its depthwise convolution's (DeepLab's `depthwise_output`), which V1 lacks."""
    block = getattr(layer, "conv", None) or getattr(layer, "block", None)
    if not isinstance(block, nn.Sequential):
        x = layer(x)
        return x, x
    before, filtered = x, x
    for index, part in enumerate(block):
        x = part(x)
        if index == 1:
            filtered = x
    return before + x if layer.has_shortcut else x, filtered


def _low_channels(layer: nn.Module) -> int:
    block = getattr(layer, "conv", None) or getattr(layer, "block", None)
    return _channels(block[:2] if isinstance(block, nn.Sequential) else layer)


def _channels(features: nn.Module) -> int:
    return [module for module in features.modules() if isinstance(module, nn.Conv2d)][-1].out_channels


def _atrous_conv(inputs: int, outputs: int, rate: int) -> ConvNormActivation:
    layer = _conv(inputs, outputs, kernel=3)
    conv = layer[0]
    assert isinstance(conv, nn.Conv2d)
    conv.dilation, conv.padding = (rate, rate), (rate, rate)
    return layer


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[2], x.shape[3]


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    return x if _size(x) == size else F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _initialise(module: nn.Module) -> None:
    """Draws convolutions from He's normal distribution; biases are 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_in")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
