"""Holds a caller's settings of the pipeline; the command line parses into these, and Python makes them by hand."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING

from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.choices import DIGITS
from qat.arguments.settings import Rule, check_settings

if TYPE_CHECKING:
    from qat.calibration.plan import CalibrationPlan


_KINDS: Mapping[str, tuple[type, ...]] = {
    "a word": (str,),
    "a word or None": (str, NoneType),
    "a path or None": (str, Path, NoneType),
    "a whole number": (int,),
    "a whole number or None": (int, NoneType),
    "a number or None": (int, float, NoneType),
    "True or False": (bool,),
}
_FIELDS = {
    **dict.fromkeys(("data", "task"), "a word"),
    **dict.fromkeys(("labels", "net", "head", "name", "recipe"), "a word or None"),
    **dict.fromkeys(("output_stride", "size", "epochs", "qat_epochs"), "a whole number or None"),
    **dict.fromkeys(("class_balance", "overwrite"), "True or False"),
    "weights": "a path or None",
    "out": "a path or None",
    "width": "a number or None",
    "seed": "a whole number",
}


def _rules(settings: "NetSettings") -> list[Rule]:
    """Returns the rules for each field."""
    return [
        Rule(f"{_FIELDS[each.name]} as {each.name}", (each.name,), partial(_is_of_kind, each.name))
        for each in fields(settings)
    ]


def _is_of_kind(name: str, settings: "NetSettings") -> bool:
    value, kinds = getattr(settings, name), _KINDS[_FIELDS[name]]
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


@dataclass(frozen=True, kw_only=True)
class NetSettings:
    """Names the pictures, the net and its float training; None leaves a choice to the task, the data or the weights.

    `data` is a folder, or "digits". `net` is a name of `mobile-sdk nets` or a file whose architecture is taken.
    """

    data: str = DIGITS
    task: str = "classification"
    weights: Path | None = None
    labels: str | None = None
    net: str | None = None
    width: float | None = None
    head: str | None = None
    output_stride: int | None = None
    size: int | None = None
    name: str | None = None
    epochs: int | None = None
    class_balance: bool = False
    seed: int = 0
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Turns words that name files into paths; raises SettingError for values of another type."""
        check_settings(self, _rules(self), "the settings")
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
    """Adds the epochs in int8, and the folder for everything: `runs/NAME` if None."""

    qat_epochs: int | None = None
    out: Path | None = None

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
    """Adds the recipe, and the folder for net.safetensors."""

    recipe: str | None = None
    out: Path = Path("runs/train")


@dataclass(frozen=True, kw_only=True)
class QuantizeSettings:
    """Names the float net, by its weights or as MODULE:FUNCTION, the pictures, and how int8 is calibrated or trained.

    `data` is a folder, "digits", or "none" for pictures that are made up. `epochs` in int8: None leaves them to both.
    `split` maps blocks to the number of parts that they are computed in.
    """

    data: str
    weights: Path | None = None
    net: str | None = None
    width: float | None = None
    model: str | None = None
    labels: str | None = None
    epochs: int | None = None
    calibration: "CalibrationPlan | None" = None
    keep_float: tuple[str, ...] = ()
    split: Mapping[str, int] = field(default_factory=dict)
    size: int | None = None
    name: str | None = None
    out: Path = Path("runs/quantize")
    overwrite: bool = False
