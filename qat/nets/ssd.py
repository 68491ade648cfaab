"""Builds SSD and SSDLite on MobileNets: Liu et al. 2016, arXiv 1512.02325; Sandler et al. 2018, section 6.2.

Layout, anchors and depths are those of TensorFlow's object detection API, whose nets the papers' tables describe: two
maps of the backbone (output stride 16 and 32) and up to four more, each half the size of the one before it.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from qat.arguments.nets import expect_to_build
from qat.layers.anchors import Anchors, anchors_of, per_position
from qat.layers.box_decoder import Decoder
from qat.layers.memory_format import ChannelsLast
from qat.nets.blocks import ConvNormActivation
from qat.nets.classifiers.mobilenet_v1 import mobilenet_v1
from qat.nets.classifiers.mobilenet_v2 import mobilenet_v2
from qat.nets.classifiers.mobilenet_v3 import mobilenet_v3_large, mobilenet_v3_small
from qat.nets.first_layer import made_for

EXTRA_DEPTHS = (512, 256, 256, 128)
_SMALLEST_DEPTH = 16  # channels of an extra map at a small width
_conv = partial(ConvNormActivation, norm=partial(nn.BatchNorm2d, eps=0.001, momentum=0.03), activation=nn.ReLU6)


@dataclass(frozen=True, kw_only=True)
class _Backbone:
    """Holds `features(width)`, and `tap`: the index of C4 in them, in its block's expansion if it has one."""

    features: Callable[[float], nn.Sequential]
    tap: int


_BACKBONES = {
    "mobilenet_v1": _Backbone(features=lambda width: mobilenet_v1(2, width=width).features, tap=11),
    "mobilenet_v2": _Backbone(
        features=lambda width: mobilenet_v2(2, width=width, scales_last=width < 1).features, tap=14
    ),
    "mobilenet_v3_large": _Backbone(
        features=lambda width: mobilenet_v3_large(2, width=width, halves_tail=True).features, tap=13
    ),
    "mobilenet_v3_small": _Backbone(
        features=lambda width: mobilenet_v3_small(2, width=width, halves_tail=True).features, tap=9
    ),
    "mobilenet_v3_large_full": _Backbone(features=lambda width: mobilenet_v3_large(2, width=width).features, tap=13),
    "mobilenet_v3_small_full": _Backbone(features=lambda width: mobilenet_v3_small(2, width=width).features, tap=9),
}


class Ssd(ChannelsLast):
    """Joins maps of a backbone and of extra layers, predictors of boxes and of scores on each, and the box decoder.

    It maps (N, 3, H, W) float32 to (N, anchors, 4 + 1 + labels): left, top, right and bottom in pixels of the image,
    then the logits of "nothing" and of every label. With `is_lite`, predictors and extra layers are separable.
    """

    contract: Contract | None = None

    def __init__(
        self, features: nn.Sequential, tap: int, *, labels: int, size_px: tuple[int, int], width: float, is_lite: bool
    ) -> None:
        super().__init__()
        self.features, self.tap = features, tap
        sides, channels = _maps(features, tap, size_px)
        self.extras = nn.ModuleList()
        for depth in EXTRA_DEPTHS:
            if max(sides[-1]) == 1:
                break
            scaled = max(int(depth * width), _SMALLEST_DEPTH)
            self.extras.append(_extra(channels[-1], scaled, is_lite))
            sides, channels = [*sides, ((sides[-1][0] + 1) // 2, (sides[-1][1] + 1) // 2)], [*channels, scaled]
        counts = [per_position(index) for index in range(len(sides))]
        predict = _lite_predictor if is_lite else _regular_predictor
        self.boxes = nn.ModuleList(predict(depth, 4 * count) for depth, count in zip(channels, counts, strict=True))
        outputs = [(labels + 1) * count for count in counts]
        self.scores = nn.ModuleList(predict(depth, each) for depth, each in zip(channels, outputs, strict=True))
        self.anchors: Anchors = anchors_of(sides, size_px)
        self.decoder = Decoder.of(self.anchors, labels + 1)
        for part in (self.extras, self.boxes, self.scores):
            part.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the decoded boxes and logits of all anchors."""
        maps = []
        for index, layer in enumerate(self.features):
            if index == self.tap and (first := _expansion(layer)) is not None:
                x = first(x)  # C4 is inside the block: its other layers read the predictors' input
                maps.append(x)
                x = _rest(layer)(x)
                continue
            x = layer(x)
            if index == self.tap:
                maps.append(x)
        maps.append(x)
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        predictions = [
            predict(each) for each, *both in zip(maps, self.boxes, self.scores, strict=True) for predict in both
        ]
        decoded: Tensor = self.decoder(predictions)
        return decoded


def build_detector(name: str, contract: Contract, *, width: float = 1.0, is_lite: bool = True) -> Ssd:
    """Builds SSDLite, or SSD unless `is_lite`, on the backbone `name`, with the contract's labels and image size.

    `mobilenet_v3_large` and `_small` have the halved tail (the daggers in the V3 paper's Table 6), `…_full` do not.
    Raises SettingError for an unknown name, a width that is not above 0 or a size below 64 px.
    """
    expect_to_build(name, contract, width)
    backbone = _BACKBONES.get(name)
    if backbone is None:
        raise SettingError(
            f"expected a backbone ({', '.join(_BACKBONES)}), found {name!r}", hint="use mobilenet_v3_small"
        )
    if not 0 < width <= 4:
        raise SettingError(f"expected a width above 0 and up to 4, found {width}", hint="use 1.0")
    size_px = contract.image.height_px, contract.image.width_px
    if min(size_px) < 64:
        raise SettingError(
            f"expected pictures of 64 px or more to find things in, found {contract.image}", hint="use 320"
        )
    features = backbone.features(width)
    net = Ssd(features, backbone.tap, labels=len(contract.labels), size_px=size_px, width=width, is_lite=is_lite)
    return made_for(net, contract)


def _expansion(layer: nn.Module) -> nn.Module | None:
    """Returns the 1×1 convolution that an inverted residual begins with; None for other layers."""
    block = getattr(layer, "conv", None) or getattr(layer, "block", None)
    return block[0] if isinstance(block, nn.Sequential) else None


def _rest(layer: nn.Module) -> nn.Module:
    """Returns the block after its expansion; blocks that change the map's size have no shortcut."""
    block = getattr(layer, "conv", None) or layer.block
    assert isinstance(block, nn.Sequential) and not layer.has_shortcut
    return block[1:]


def _maps(features: nn.Sequential, tap: int, size_px: tuple[int, int]) -> tuple[list[tuple[int, int]], list[int]]:
    """Returns height and width in pixels, and channels, of C4 and C5."""
    with torch.device("meta"):
        x = torch.empty(1, 3, *size_px)
    shapes = []
    for index, layer in enumerate(features):
        body = layer if (first := _expansion(layer)) is None or index != tap else first
        if index == tap:
            shapes.append(_shape(body, x))
        x = torch.empty(_shape(layer, x), device="meta")
    shapes.append(tuple(x.shape))
    return [(shape[2], shape[3]) for shape in shapes], [shape[1] for shape in shapes]


def _shape(layer: nn.Module, x: Tensor) -> tuple[int, ...]:
    with torch.no_grad():
        return tuple(copy.deepcopy(layer).to("meta").eval()(x).shape)


def _extra(inputs: int, outputs: int, is_lite: bool) -> nn.Sequential:
    middle = outputs // 2
    first = _conv(inputs, middle, kernel=1)
    if not is_lite:
        return nn.Sequential(first, _conv(middle, outputs, kernel=3, stride=2))
    return nn.Sequential(
        first, _conv(middle, middle, kernel=3, stride=2, groups=middle), _conv(middle, outputs, kernel=1)
    )


def _lite_predictor(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, inputs, kernel=3, groups=inputs), nn.Conv2d(inputs, outputs, 1))


def _regular_predictor(inputs: int, outputs: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _initialise(module: nn.Module) -> None:
    """Draws weights from N(0, 0.03), as TensorFlow's configurations do."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0, 0.03)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
