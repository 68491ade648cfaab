"""Builds MobileNetV2: Sandler et al. 2018, arXiv 1801.04381, Table 2; module names are torchvision's."""

from functools import partial
from typing import Literal

from torch import Tensor, nn

from qat.nets.blocks import TIMM_EPSILON, ConvNormActivation, ImageClassifier, make_divisible

_LAYERS = (
    # is_expanded, channels, repeats, stride of the first; the paper's t is 1 or `expansion`
    (False, 16, 1, 1),
    (True, 24, 2, 2),
    (True, 32, 3, 2),
    (True, 64, 4, 2),
    (True, 96, 3, 1),
    (True, 160, 3, 2),
    (True, 320, 1, 1),
)

Shortcut = Literal["bottlenecks", "expansions", "none"]

_conv = partial(ConvNormActivation, norm=nn.BatchNorm2d, activation=nn.ReLU6)


class InvertedResidual(nn.Module):
    """Expands by a 1×1, filters by a depthwise, projects by a linear 1×1; has a shortcut if shapes allow it.

    Source: Table 1. Without expansion (`expanded == inputs`) the first 1×1 is left out. If it is not `linear`, a ReLU6
    follows the projection (section 6.4, Figure 6a).
    """

    def __init__(
        self,
        inputs: int,
        expanded: int,
        outputs: int,
        stride: int,
        *,
        kernel: int = 3,
        linear: bool = True,
        has_shortcut: bool = True,
    ) -> None:
        super().__init__()
        expand = [_conv(inputs, expanded, kernel=1)] if expanded != inputs else []
        self.conv = nn.Sequential(
            *expand,
            _conv(expanded, expanded, kernel=kernel, stride=stride, groups=expanded),
            nn.Conv2d(expanded, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            *([] if linear else [nn.ReLU6()]),
        )
        self.inputs, self.expanded, self.stride = inputs, expanded, stride
        self.has_shortcut = has_shortcut and stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉) for (N, inputs, H, W)."""
        projected: Tensor = self.conv(x)
        return x + projected if self.has_shortcut else projected

    def widen(self, x: Tensor) -> Tensor:
        """Returns the input of the depthwise convolution, (N, expanded, H, W)."""
        return self.conv[0](x) if self.expanded != self.inputs else x

    def narrow(self, widened: Tensor) -> Tensor:
        """Returns the block's projection of the output of `widen`."""
        for layer in list(self.conv)[self.expanded != self.inputs :]:
            widened = layer(widened)
        return widened


class WideShortcuts(nn.Sequential):
    """Chains inverted residuals with shortcuts between their expanded tensors (Figure 6b, "between expansions").

    The input of a block's depthwise convolution is added to that of the next block's, if there is no stride in between
    and the shapes are equal: as many shortcuts as there are between bottlenecks.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Applies the layers in order."""
        wide, before = x, None
        for layer in self:
            if not isinstance(layer, InvertedResidual):
                x = layer(x)
                continue
            widened = layer.widen(x)
            if before is not None and before.stride == 1 and before.expanded == layer.expanded:
                widened = widened + wide
            x, wide, before = layer.narrow(widened), widened, layer
        return x


def mobilenet_v2(
    classes: int,
    *,
    width: float = 1.0,
    expansion: float = 6.0,
    scales_last: bool = False,
    halves_tail: bool = False,
    linear: bool = True,
    shortcut: Shortcut = "bottlenecks",
) -> ImageClassifier:
    """Builds a MobileNetV2; `width` is the paper's α, `expansion` its t (of all blocks but the first).

    A `width` below 1.0 scales all layers but the last convolution, which keeps its 1280 channels (section 6.1), unless
    `scales_last`, as in TensorFlow's detectors. `halves_tail` halves the last two rows (160 and 320 channels), as in
    segmenters (MobileNetV3 paper, section 6.4). Two options are the ablations of section 6.4: `linear=False` puts a
    ReLU6 after every projection, and `shortcut` selects the tensors that shortcuts join.
    """
    block = partial(InvertedResidual, linear=linear, has_shortcut=shortcut == "bottlenecks")
    channels = make_divisible(32 * width)
    layers: list[nn.Module] = [_conv(3, channels, kernel=3, stride=2)]
    for is_expanded, base, repeats, first_stride in _LAYERS:
        for repeat in range(repeats):
            inputs, channels = channels, make_divisible(base * width / (2 if halves_tail and base >= 160 else 1))
            expanded = make_divisible(inputs * expansion) if is_expanded else inputs
            layers.append(block(inputs, expanded, channels, first_stride if repeat == 0 else 1))
    last = make_divisible(1280 * (width if scales_last else max(1.0, width)))
    layers.append(_conv(channels, last, kernel=1))
    features = WideShortcuts(*layers) if shortcut == "expansions" else nn.Sequential(*layers)
    return ImageClassifier(
        features,
        nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes)),
        twin_epsilon=TIMM_EPSILON if linear and shortcut == "bottlenecks" else None,
    )
