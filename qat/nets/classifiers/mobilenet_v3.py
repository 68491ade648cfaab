"""Builds MobileNetV3: Howard et al. 2019, arXiv 1905.02244, Tables 1 and 2; module names are torchvision's.

The minimalistic variants (TF-Slim's README: no squeeze-and-excite, no h-swish, no 5×5) use the same tables.
"""

from functools import partial
from typing import Final

from torch import Tensor, nn

from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from qat.nets.architecture import ActivationName, Architecture, Bottleneck
from qat.nets.blocks import (
    TIMM_EPSILON,
    Activation,
    ConvNormActivation,
    ImageClassifier,
    SqueezeExcitation,
    make_divisible,
)
from qat.nets.first_layer import made_for

_RE: Final = "relu"
_HS: Final = "hard_swish"
_ACTIVATIONS: dict[ActivationName, Activation] = {_RE: nn.ReLU, _HS: nn.Hardswish}

_LARGE = (
    # kernel, expanded, channels, has_se, activation, stride
    Bottleneck(3, 16, 16, False, _RE, 1),
    Bottleneck(3, 64, 24, False, _RE, 2),
    Bottleneck(3, 72, 24, False, _RE, 1),
    Bottleneck(5, 72, 40, True, _RE, 2),
    Bottleneck(5, 120, 40, True, _RE, 1),
    Bottleneck(5, 120, 40, True, _RE, 1),
    Bottleneck(3, 240, 80, False, _HS, 2),
    Bottleneck(3, 200, 80, False, _HS, 1),
    Bottleneck(3, 184, 80, False, _HS, 1),
    Bottleneck(3, 184, 80, False, _HS, 1),
    Bottleneck(3, 480, 112, True, _HS, 1),
    Bottleneck(3, 672, 112, True, _HS, 1),
    Bottleneck(5, 672, 160, True, _HS, 2),
    Bottleneck(5, 960, 160, True, _HS, 1),
    Bottleneck(5, 960, 160, True, _HS, 1),
)

_SMALL = (
    # kernel, expanded, channels, has_se, activation, stride
    Bottleneck(3, 16, 16, True, _RE, 2),
    Bottleneck(3, 72, 24, False, _RE, 2),
    Bottleneck(3, 88, 24, False, _RE, 1),
    Bottleneck(5, 96, 40, True, _HS, 2),
    Bottleneck(5, 240, 40, True, _HS, 1),
    Bottleneck(5, 240, 40, True, _HS, 1),
    Bottleneck(5, 120, 48, True, _HS, 1),
    Bottleneck(5, 144, 48, True, _HS, 1),
    Bottleneck(5, 288, 96, True, _HS, 2),
    Bottleneck(5, 576, 96, True, _HS, 1),
    Bottleneck(5, 576, 96, True, _HS, 1),
)

_norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
_conv = partial(ConvNormActivation, norm=_norm)


class InvertedResidual(nn.Module):
    """Computes one row of a table, from `inputs` channels to `row.channels`, with a shortcut if shapes allow it.

    A row that does not expand (`row.expanded == inputs`) has no first 1×1 convolution.
    """

    def __init__(self, inputs: int, row: Bottleneck) -> None:
        super().__init__()
        conv = partial(_conv, activation=_ACTIVATIONS[row.activation])
        expand = [conv(inputs, row.expanded, kernel=1)] if row.expanded != inputs else []
        depthwise = conv(row.expanded, row.expanded, kernel=row.kernel, stride=row.stride, groups=row.expanded)
        squeeze = [SqueezeExcitation(row.expanded)] if row.has_se else []
        project = _conv(row.expanded, row.channels, kernel=1, activation=None)
        self.block = nn.Sequential(*expand, depthwise, *squeeze, project)
        self.has_shortcut = row.stride == 1 and inputs == row.channels

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N, row.channels, ⌈H / row.stride⌉, ⌈W / row.stride⌉) for (N, inputs, H, W)."""
        projected: Tensor = self.block(x)
        return x + projected if self.has_shortcut else projected


def mobilenet_v3_large(
    classes: int, *, width: float = 1.0, hidden: int = 1280, halves_tail: bool = False, keeps_c4: bool = True
) -> ImageClassifier:
    """Builds a MobileNetV3-Large; `hidden` is the classifier's hidden layer, widened by `width` only above 1.0.

    `halves_tail` halves the channels from C4's bottleneck on, as in the paper's detectors (section 6.3).
    """
    table = _with_half_tail(_LARGE, keeps_c4) if halves_tail else _LARGE
    return build(_scaled(table, width, hidden, _HS), classes)


def mobilenet_v3_small(
    classes: int, *, width: float = 1.0, hidden: int = 1024, halves_tail: bool = False, keeps_c4: bool = True
) -> ImageClassifier:
    """Builds a MobileNetV3-Small; `hidden` is the classifier's hidden layer, widened by `width` only above 1.0.

    The paper's Table 2 has `hidden=1280`, which its parameter counts (2.9 M; 2.4 M at 0.75) agree with. The default is
    the 1024 of TF-Slim's and torchvision's code, so that published checkpoints load. As in that code, and unlike the
    table, the last convolution (576 channels) has no squeeze-and-excite. `mobilenet_v3_large` explains `halves_tail`.
    """
    table = _with_half_tail(_SMALL, keeps_c4) if halves_tail else _SMALL
    return build(_scaled(table, width, hidden, _HS), classes)


def mobilenet_v3_large_minimalistic(classes: int, *, width: float = 1.0, hidden: int = 1280) -> ImageClassifier:
    """Builds a MobileNetV3-Large of plain operators only: 3×3, ReLU, no squeeze-and-excite."""
    return build(_scaled(_minimalistic(_LARGE), width, hidden, _RE), classes)


def mobilenet_v3_small_minimalistic(classes: int, *, width: float = 1.0, hidden: int = 1024) -> ImageClassifier:
    """Builds a MobileNetV3-Small of plain operators only: 3×3, ReLU, no squeeze-and-excite."""
    return build(_scaled(_minimalistic(_SMALL), width, hidden, _RE), classes)


def architecture_of(name: str, width: float = 1.0) -> Architecture:
    """Returns the architecture of the net of that name and width; raises SettingError for another family."""
    if name not in _FAMILY:
        raise SettingError(
            f"expected a net of MobileNetV3's family ({', '.join(_FAMILY)}), found {name!r}", hint="name one of these"
        )
    table, hidden, activation = _FAMILY[name]
    return _scaled(table, width, hidden, activation)


def build(architecture: Architecture, classes: int) -> ImageClassifier:
    """Builds the net that `architecture` describes, freshly initialised."""
    norm_conv = partial(_conv, activation=_ACTIVATIONS[architecture.activation])
    layers: list[nn.Module] = [norm_conv(3, architecture.stem, kernel=3, stride=2)]
    for inputs, block in zip(architecture.inputs, architecture.blocks, strict=True):
        layers.append(InvertedResidual(inputs, block))
    layers.append(norm_conv(architecture.blocks[-1].channels, architecture.last, kernel=1))
    hidden, activation = architecture.hidden, _ACTIVATIONS[architecture.activation]
    classifier = (nn.Linear(architecture.last, hidden), activation(), nn.Dropout(0.2), nn.Linear(hidden, classes))
    twin_epsilon = TIMM_EPSILON if architecture.activation == _HS else None  # timm's minimalistic nets are tf_ alone
    return ImageClassifier(nn.Sequential(*layers), nn.Sequential(*classifier), twin_epsilon=twin_epsilon)


def build_for(architecture: Architecture, contract: Contract) -> ImageClassifier:
    """Builds the net with an output for each of the contract's labels, and attaches the contract."""
    net = build(architecture, len(contract.labels))
    return made_for(net, contract)


def _minimalistic(table: tuple[Bottleneck, ...]) -> tuple[Bottleneck, ...]:
    return tuple(row._replace(kernel=3, has_se=False, activation=_RE) for row in table)


_FAMILY: dict[str, tuple[tuple[Bottleneck, ...], int, ActivationName]] = {
    "mobilenet_v3_small": (_SMALL, 1024, _HS),
    "mobilenet_v3_large": (_LARGE, 1280, _HS),
    "mobilenet_v3_small_minimalistic": (_minimalistic(_SMALL), 1024, _RE),
    "mobilenet_v3_large_minimalistic": (_minimalistic(_LARGE), 1280, _RE),
}


def _with_half_tail(table: tuple[Bottleneck, ...], keeps_c4: bool) -> tuple[Bottleneck, ...]:
    """Returns the table with half the channels in its last three rows; C4, the first one's expansion, may stay.

    Source: TF-Slim's V3_LARGE_DETECTION and V3_SMALL_DETECTION; DeepLab's mobilenet_v3_*_seg halve it too.
    """
    *body, first, second, third = table
    halved = [row._replace(expanded=row.expanded // 2, channels=row.channels // 2) for row in (first, second, third)]
    return (*body, halved[0]._replace(expanded=first.expanded) if keeps_c4 else halved[0], *halved[1:])


def _scaled(table: tuple[Bottleneck, ...], width: float, hidden: int, activation: ActivationName) -> Architecture:
    """Scales the channels, and expands the rounded channels by the table's ratio.

    This is TF-Slim's `expand_input_by_factor`, which the published 0.75 nets agree with; rounding `expanded * width`
    instead, as torchvision does, gives smaller nets (140.6 M multiply-adds for Large 0.75, published: 155 M).
    """
    blocks: list[Bottleneck] = []
    stem = inputs = make_divisible(16 * width)
    base_inputs = 16
    for row in table:
        expanded = make_divisible(inputs * row.expanded / base_inputs)
        blocks.append(row._replace(expanded=expanded, channels=make_divisible(row.channels * width)))
        base_inputs, inputs = row.channels, blocks[-1].channels
    return Architecture(
        stem=stem,
        blocks=tuple(blocks),
        last=make_divisible(6 * table[-1].channels * width),
        hidden=make_divisible(hidden * width) if width > 1 else hidden,
        activation=activation,
    )
