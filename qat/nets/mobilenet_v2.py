"""MobileNetV2: Sandler et al. 2018, arXiv 1801.04381, Table 2; module names as in torchvision."""

from functools import partial

from torch import Tensor, nn

from qat.nets.blocks import ConvNormActivation, ImageClassifier, make_divisible

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

_conv = partial(ConvNormActivation, norm=nn.BatchNorm2d, activation=nn.ReLU6)


class InvertedResidual(nn.Module):
    """Expand by a 1×1, filter by a 3×3 depthwise, project by a linear 1×1; a shortcut where the shapes allow it.

    Source: Table 1. Without expansion (`expanded == inputs`) the first 1×1 is left out.
    """

    def __init__(self, inputs: int, expanded: int, outputs: int, stride: int) -> None:
        super().__init__()
        expand = [_conv(inputs, expanded, kernel=1)] if expanded != inputs else []
        self.conv = nn.Sequential(
            *expand,
            _conv(expanded, expanded, kernel=3, stride=stride, groups=expanded),
            nn.Conv2d(expanded, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉) for (N, inputs, H, W)."""
        projected: Tensor = self.conv(x)
        return x + projected if self.has_shortcut else projected


def mobilenet_v2(
    classes: int, *, width: float = 1.0, expansion: float = 6.0, scales_last: bool = False
) -> ImageClassifier:
    """Build a MobileNetV2; `width` is the paper's α, `expansion` its t (of all blocks but the first).

    Below 1.0 `width` scales all layers but the last convolution, which keeps its 1280 channels (section 6.1), unless
    `scales_last`, as TensorFlow's detectors have it.
    """
    channels = make_divisible(32 * width)
    layers: list[nn.Module] = [_conv(3, channels, kernel=3, stride=2)]
    for is_expanded, base, repeats, first_stride in _LAYERS:
        for repeat in range(repeats):
            inputs, channels = channels, make_divisible(base * width)
            expanded = make_divisible(inputs * expansion) if is_expanded else inputs
            layers.append(InvertedResidual(inputs, expanded, channels, first_stride if repeat == 0 else 1))
    last = make_divisible(1280 * (width if scales_last else max(1.0, width)))
    layers.append(_conv(channels, last, kernel=1))
    return ImageClassifier(nn.Sequential(*layers), nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes)))
