"""Registers the nets by name, and builds one for a contract."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from qat.arguments.nets import expect_to_build
from qat.nets.blocks import ImageClassifier
from qat.nets.classifiers.efficientnet_lite import (
    efficientnet_lite0,
    efficientnet_lite1,
    efficientnet_lite2,
    efficientnet_lite3,
    efficientnet_lite4,
)
from qat.nets.classifiers.mnasnet import mnasnet_a1
from qat.nets.classifiers.mobilenet_v1 import mobilenet_v1
from qat.nets.classifiers.mobilenet_v2 import mobilenet_v2
from qat.nets.classifiers.mobilenet_v3 import (
    mobilenet_v3_large,
    mobilenet_v3_large_minimalistic,
    mobilenet_v3_small,
    mobilenet_v3_small_minimalistic,
)
from qat.nets.classifiers.mobilenet_v4 import (
    mobilenet_v4_conv_large,
    mobilenet_v4_conv_medium,
    mobilenet_v4_conv_small,
)
from qat.nets.classifiers.mobileone import mobileone_s0, mobileone_s1, mobileone_s2, mobileone_s3, mobileone_s4
from qat.nets.classifiers.shufflenet_v1 import shufflenet_v1
from qat.nets.classifiers.shufflenet_v2 import shufflenet_v2
from qat.nets.classifiers.squeezenet import squeezenet
from qat.nets.classifiers.xception import xception
from qat.nets.first_layer import made_for

Setting = float | str  # bool and int among them

_SMALLEST_SIZE_PX = 32  # most of these nets halve the image five times
_LARGEST_WIDTH = 4.0  # 16 times the multiply-adds: too many for any phone, and surely a mistake
_SHOWN = 4  # names in an error: `mobile-sdk nets` lists them all
_RANGES = {"expansion": (1, 16), "hidden": (8, 8192)}
_CHOICES: dict[str, tuple[Setting, ...]] = {
    "groups": (1, 2, 3, 4, 8),
    "linear": (True, False),
    "shortcut": ("bottlenecks", "expansions", "none"),
    "pointwise_first": (False, True),
    "inner_relu": (False, True),
}


@dataclass(frozen=True, kw_only=True)
class Family:
    """Describes a net at width 1.0: its builder, settings besides the width, paper, ImageNet accuracy (0..1) and size.

    The accuracy is the float net's in TF-Slim's READMEs for MobileNetV1 to V3, in the README of TensorFlow's
    EfficientNet-Lite, and in the papers for the others. Accuracy and published multiply-adds are at `size_px`.
    """

    build: Callable[..., ImageClassifier]
    settings: tuple[str, ...]
    paper: str
    top1_accuracy: float
    size_px: int = 224


_V1 = "Howard et al. 2017, arXiv 1704.04861"
_V2 = "Sandler et al. 2018, arXiv 1801.04381"
_V3 = "Howard et al. 2019, arXiv 1905.02244"
_V4 = "Qin et al. 2024, arXiv 2404.10518"
_MOBILEONE = "Vasu et al. 2022, arXiv 2206.04040"
_LITE = "Tan and Le 2019, arXiv 1905.11946 (TensorFlow's Lite variant)"
_MNASNET = "Tan et al. 2019, arXiv 1807.11626"
_XCEPTION = "Chollet 2017, arXiv 1610.02357"
_SHUFFLENET_V1 = "Zhang et al. 2018, arXiv 1707.01083"
_SHUFFLENET_V2 = "Ma et al. 2018, arXiv 1807.11164"
_SQUEEZENET = "Iandola et al. 2016, arXiv 1602.07360"
_V3_MINIMALISTIC = f"{_V3} (TF-Slim's variant)"

_NETS = {
    "mobilenet_v1": Family(build=mobilenet_v1, settings=(), paper=_V1, top1_accuracy=0.709),
    "mobilenet_v2": Family(
        build=mobilenet_v2, settings=("expansion", "linear", "shortcut"), paper=_V2, top1_accuracy=0.718
    ),
    "mobilenet_v3_large": Family(build=mobilenet_v3_large, settings=("hidden",), paper=_V3, top1_accuracy=0.752),
    "mobilenet_v3_small": Family(build=mobilenet_v3_small, settings=("hidden",), paper=_V3, top1_accuracy=0.675),
    "mobilenet_v3_large_minimalistic": Family(
        build=mobilenet_v3_large_minimalistic, settings=("hidden",), paper=_V3_MINIMALISTIC, top1_accuracy=0.723
    ),
    "mobilenet_v3_small_minimalistic": Family(
        build=mobilenet_v3_small_minimalistic, settings=("hidden",), paper=_V3_MINIMALISTIC, top1_accuracy=0.619
    ),
    "mobilenet_v4_conv_small": Family(build=mobilenet_v4_conv_small, settings=(), paper=_V4, top1_accuracy=0.738),
    "mobilenet_v4_conv_medium": Family(
        build=mobilenet_v4_conv_medium, settings=(), paper=_V4, top1_accuracy=0.799, size_px=256
    ),
    "mobilenet_v4_conv_large": Family(
        build=mobilenet_v4_conv_large, settings=(), paper=_V4, top1_accuracy=0.829, size_px=384
    ),
    "mobileone_s0": Family(build=mobileone_s0, settings=(), paper=_MOBILEONE, top1_accuracy=0.714),
    "mobileone_s1": Family(build=mobileone_s1, settings=(), paper=_MOBILEONE, top1_accuracy=0.759),
    "mobileone_s2": Family(build=mobileone_s2, settings=(), paper=_MOBILEONE, top1_accuracy=0.774),
    "mobileone_s3": Family(build=mobileone_s3, settings=(), paper=_MOBILEONE, top1_accuracy=0.781),
    "mobileone_s4": Family(build=mobileone_s4, settings=(), paper=_MOBILEONE, top1_accuracy=0.794),
    "efficientnet_lite0": Family(build=efficientnet_lite0, settings=(), paper=_LITE, top1_accuracy=0.751),
    "efficientnet_lite1": Family(build=efficientnet_lite1, settings=(), paper=_LITE, top1_accuracy=0.767, size_px=240),
    "efficientnet_lite2": Family(build=efficientnet_lite2, settings=(), paper=_LITE, top1_accuracy=0.776, size_px=260),
    "efficientnet_lite3": Family(build=efficientnet_lite3, settings=(), paper=_LITE, top1_accuracy=0.798, size_px=280),
    "efficientnet_lite4": Family(build=efficientnet_lite4, settings=(), paper=_LITE, top1_accuracy=0.815, size_px=300),
    "mnasnet_a1": Family(build=mnasnet_a1, settings=(), paper=_MNASNET, top1_accuracy=0.752),
    "xception": Family(
        build=xception,
        settings=("pointwise_first", "inner_relu"),
        paper=_XCEPTION,
        top1_accuracy=0.790,
        size_px=299,
    ),
    "shufflenet_v1": Family(build=shufflenet_v1, settings=("groups",), paper=_SHUFFLENET_V1, top1_accuracy=0.674),
    "shufflenet_v2": Family(build=shufflenet_v2, settings=(), paper=_SHUFFLENET_V2, top1_accuracy=0.694),
    "squeezenet": Family(build=squeezenet, settings=(), paper=_SQUEEZENET, top1_accuracy=0.575),
}


def build_net(name: str, contract: Contract, *, width: float = 1.0, **settings: Setting | None) -> ImageClassifier:
    """Builds the net called `name`, freshly initialised, with one output for each of the contract's labels.

    `width` is the papers' α; ρ is `contract.image.size_px`. Settings that are None or left out have the papers' value:
    `expansion` (MobileNetV2) is t; `linear` and `shortcut` are its ablations, see `mobilenet_v2`; `hidden` (V3) is the
    width of the classifier's hidden layer, see `mobilenet_v3_small`; `groups` (ShuffleNet) are those of its 1×1
    convolutions; `pointwise_first` and `inner_relu` (Xception) are the differences of Inception's separable
    convolution.

    Raises SettingError for an unknown name, a setting that the net does not have, and impossible values.
    """
    expect_to_build(name, contract, width)
    family = _find(name)
    if not 0 < width <= _LARGEST_WIDTH:  # also refuses nan
        raise SettingError(f"expected a width above 0 and up to {_LARGEST_WIDTH:g}, found {width}", hint="use 1.0")
    image = contract.image
    if min(image.height_px, image.width_px) < _SMALLEST_SIZE_PX:
        raise SettingError(
            f"expected pictures of at least {_SMALLEST_SIZE_PX} px for {name}, found size_px={image.size_px}",
            hint=f"give --size {_SMALLEST_SIZE_PX} or more; in Python, ImageSpec(size_px={_SMALLEST_SIZE_PX})",
        )
    given = {key: value for key, value in settings.items() if value is not None}
    _check_settings(name, family, given)
    net = family.build(len(contract.labels), width=width, **given)
    return made_for(net, contract)


def families() -> Mapping[str, Family]:
    """Returns all nets by name: how each is built, and what is published of it."""
    return MappingProxyType(_NETS)


def net_names() -> tuple[str, ...]:
    """Returns the names that `build_net` accepts."""
    return tuple(_NETS)


def near_nets(name: str) -> tuple[str, ...]:
    """Returns the names of nets that a mistaken one may mean: the shortest that begin with it, else the nearest."""

    def plain(each: str) -> str:
        return "".join(letter for letter in each.lower() if letter.isalnum())

    begun = [each for each in _NETS if plain(name) and plain(each).startswith(plain(name))]
    shortest = tuple(each for each in begun if not any(each != other and each.startswith(other) for other in begun))
    return shortest or tuple(difflib.get_close_matches(name.lower().replace("-", "_"), _NETS, n=1))


def _find(name: str) -> Family:
    family = _NETS.get(name)
    if family is None:
        near = near_nets(name)
        hint = f"did you mean {' or '.join(near)}?" if near else "run `mobile-sdk nets` to see them"
        shown = ", ".join(list(_NETS)[:_SHOWN])
        raise SettingError(f"expected the name of a net ({shown} … of {len(_NETS)}), found {name!r}", hint=hint)
    return family


def _check_settings(name: str, family: Family, given: dict[str, Setting]) -> None:
    for setting, value in given.items():
        if setting not in family.settings:
            *others, last = ("width", *family.settings)
            takes = f"{', '.join(others)} and {last}" if others else last
            raise SettingError(f"expected no {setting} for {name}, which takes {takes}", hint=f"leave {setting} out")
        if not _is_possible(setting, value):
            wanted = ", ".join(map(str, _CHOICES[setting])) if setting in _CHOICES else _span(setting)
            raise SettingError(
                f"expected {setting} in {wanted}, found {value}", hint=f"leave {setting} out for its default"
            )


def _is_possible(setting: str, value: Setting) -> bool:
    if setting in _CHOICES:
        return any(type(value) is type(choice) and value == choice for choice in _CHOICES[setting])
    lowest, highest = _RANGES[setting]
    return isinstance(value, int | float) and lowest <= value <= highest  # also refuses nan


def _span(setting: str) -> str:
    lowest, highest = _RANGES[setting]
    return f"{lowest}..{highest}"
