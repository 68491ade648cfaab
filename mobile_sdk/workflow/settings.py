"""Holds a caller's settings of the pipeline; the command line parses into these, and Python makes them by hand."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.choices import DIGITS
from qat.arguments.bit_target import BitTarget, bit_target
from qat.arguments.settings import Rule, check_settings
from qat.arguments.weight_bits import WeightBits, expect_weight_bits

if TYPE_CHECKING:
    from qat.calibration.plan import CalibrationPlan


_WORDS = {
    str: "a word",
    Path: "a path",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    NoneType: "None",
}
_ALSO = {Path: (str,), float: (int,)}  # taken in a kind's place


def _rules(settings: "NetSettings") -> Iterator[Rule]:
    """Yields the rule for each field: it holds what its annotation says."""
    for name, hint in get_type_hints(type(settings)).items():
        kinds = get_args(hint) or (hint,)
        yield Rule(
            f"{' or '.join(_WORDS[kind] for kind in kinds)} as {name}", (name,), partial(_is_any_of, kinds, name)
        )


def _is_any_of(kinds: tuple[type, ...], name: str, settings: "NetSettings") -> bool:
    value, taken = getattr(settings, name), (*kinds, *(other for kind in kinds for other in _ALSO.get(kind, ())))
    return isinstance(value, taken) and (bool in kinds or not isinstance(value, bool))


@dataclass(frozen=True, kw_only=True)
class NetSettings:
    """Names the pictures, the net and its float training; None leaves a choice to the task, the data or the weights.

    `data` is a folder, or "digits". `size` is a side in pixels, or "96x64", height and width; `channels` are 1 for
    grey, 3 for RGB and 4 for RGB and opacity. `net` is a name of `mobile-sdk nets` or a file whose architecture is
    taken. `validation_share` of the pictures of each label is held out, 0.2 or more. With `tensorboard`, epochs are
    written in `out/tensorboard` too.
    """

    data: str = DIGITS
    task: str = "classification"
    weights: Path | None = None
    labels: str | None = None
    net: str | None = None
    width: float | None = None
    head: str | None = None
    output_stride: int | None = None
    size: int | str | None = None
    channels: int | None = None
    name: str | None = None
    recipe: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    validation_share: float | None = None
    class_balance: bool = False
    seed: int = 0
    tensorboard: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Turns words that name files into paths; raises SettingError for values of another type."""
        check_settings(self, tuple(_rules(self)), "the settings")
        for name in ("weights", "out"):
            if isinstance(value := getattr(self, name, None), str):
                object.__setattr__(self, name, Path(value))

    def check_balance(self) -> None:
        """Raises SettingError if labels are to be balanced for a task whose loss does not weigh them."""
        if self.class_balance and self.task == "detection":
            raise SettingError(
                "expected no --class-balance for detection, whose loss weighs anchors, found it", hint="leave it out"
            )


@dataclass(frozen=True, kw_only=True)
class RunSettings(NetSettings):
    """Adds the epochs in int8, the bits of weights, and the folder for everything: `runs/NAME` if None.

    `weight_bits` is 8, 4, or "auto", which chooses them by layer for weights of `max_mib`, scores of `min_db`, or an
    accuracy of `min_accuracy`.
    """

    qat_epochs: int | None = None
    weight_bits: int | str = 8
    max_mib: float | None = None
    min_db: float | None = None
    min_accuracy: float | None = None
    out: Path | None = None

    def __post_init__(self) -> None:
        """Checks the values; raises SettingError for weights of other bits before a net is trained in float."""
        super().__post_init__()
        asked = self.asked_bits
        if not isinstance(asked, BitTarget):
            expect_weight_bits(asked)
        elif asked.min_accuracy is not None and self.task != "classification":
            raise SettingError(
                f"expected --min-accuracy for classification, whose pictures have classes, found it for {self.task}",
                hint="give --min-db",
            )

    @property
    def asked_bits(self) -> WeightBits | BitTarget:
        """Returns the bits, or what they are chosen for."""
        return _asked_bits(self)

    def command(self) -> str:
        """Returns the command line with the same settings."""
        words = ["mobile-sdk", "run"]
        for each in fields(self):
            value = getattr(self, each.name)
            if value != each.default:
                option = f"--{each.name.replace('_', '-')}"
                words += [option] if value is True else [option, str(value)]
        return shlex.join(words)


@dataclass(frozen=True, kw_only=True)
class TrainSettings(NetSettings):
    """Adds the folder for net.safetensors."""

    out: Path = Path("runs/train")


@dataclass(frozen=True, kw_only=True)
class QuantizeSettings:
    """Names the float net, by its weights or as MODULE:FUNCTION, the pictures, and how int8 is calibrated or trained.

    `data` is a folder, "digits", or "none" for pictures that are made up. `epochs` in int8: None leaves them to both.
    `task` is that of a net at `model`: "classification", or "features", which takes its outputs as they are. `input` is
    "tensor:1x49x10" if it reads arrays. `split` maps blocks to the number of parts that they are computed in.
    `weight_bits` is 8, 4, or maps layers to these by the names that `keep_float` takes; "auto" chooses them by layer,
    for weights of `max_mib`, scores of `min_db`, or an accuracy of `min_accuracy`.
    """

    data: str
    weights: Path | None = None
    net: str | None = None
    width: float | None = None
    model: str | None = None
    input: str | None = None
    task: str = "classification"
    labels: str | None = None
    epochs: int | None = None
    calibration: "CalibrationPlan | None" = None
    keep_float: tuple[str, ...] = ()
    weight_bits: WeightBits | Literal["auto"] = 8
    max_mib: float | None = None
    min_db: float | None = None
    min_accuracy: float | None = None
    split: Mapping[str, int] = field(default_factory=dict)
    size: int | str | None = None
    channels: int | None = None
    name: str | None = None
    licence: str | None = None
    out: Path = Path("runs/quantize")
    tensorboard: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Raises SettingError for bits to choose without a size or a quality, and for these beside given bits."""
        _asked_bits(self)

    @property
    def asked_bits(self) -> WeightBits | BitTarget:
        """Returns the bits, or what they are chosen for."""
        return _asked_bits(self)


def _asked_bits(settings: RunSettings | QuantizeSettings) -> WeightBits | BitTarget:
    bits: Any = settings.weight_bits
    target = bit_target(bits, settings.max_mib, settings.min_db, settings.min_accuracy)
    asked: WeightBits | BitTarget = target or bits
    return asked
