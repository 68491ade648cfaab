"""Refuses arguments of another type than expected, by name, before anything long begins."""

import os
import reprlib
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image

from mobile_sdk.errors import SettingError
from mobile_sdk.preprocess import LabelledPictures

NOTHING = type(None)
MOST_SEED = 2**32 - 1  # every generator takes it, and its product with an epoch's number fits into torch's 64 bits
_PICTURES_HINT = "give qat.load_folder(path).validation, or a list of (PIL image, label index)"


@runtime_checkable
class Parted(Protocol):
    """Describes pictures in two parts, as qat's loaders return them: training and validation."""

    @property
    def train(self) -> LabelledPictures:
        """Returns the pictures to train on."""
        ...

    @property
    def validation(self) -> LabelledPictures:
        """Returns the pictures held out."""
        ...


def expect(name: str, value: object, *kinds: type, hint: str = "") -> None:
    """Raises SettingError if the argument `name` is of none of the `kinds`; `hint` says how to get one."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        wanted = " or ".join("None" if kind is NOTHING else kind.__name__ for kind in kinds)
        raise SettingError(
            f"expected {wanted} as {name}, found {described(value)}", hint=hint or f"give {name} as {wanted}"
        )


def is_seed(value: object) -> bool:
    """Tells whether random generators can start from `value`."""
    return isinstance(value, int) and 0 <= value <= MOST_SEED


def expect_seed(value: object) -> None:
    """Raises SettingError if random generators cannot start from `value`."""
    if not is_seed(value):
        raise SettingError(
            f"expected a seed from 0 to {MOST_SEED}, found {described(value)}", hint="give a whole number"
        )


def expect_path(name: str, value: object) -> None:
    """Raises SettingError if the argument `name` is no path."""
    expect(name, value, str, os.PathLike, hint=f"give {name} as a string or a pathlib.Path")


def expect_each(name: str, values: object, kind: type, *, hint: str = "") -> None:
    """Raises SettingError unless the argument `name` is a sequence whose elements are all of that `kind`."""
    many = f"a sequence of {kind.__name__}"
    if isinstance(values, str | os.PathLike) or not isinstance(values, Sequence):
        raise SettingError(f"expected {many} as {name}, found {described(values)}", hint=hint or f"give {many}")
    for index, value in enumerate(values):
        expect(f"{name}[{index}]", value, kind, hint=hint)


def held_out(pictures: object) -> LabelledPictures:
    """Returns the pictures to evaluate on: the validation part if there are two, else all of them.

    Raises SettingError unless they are pictures with the index of a label each.
    """
    if isinstance(pictures, Parted):
        return pictures.validation
    if isinstance(pictures, str) or not isinstance(pictures, Sequence):
        raise SettingError(f"expected pictures with labels, found {described(pictures)}", hint=_PICTURES_HINT)
    first = pictures[0] if len(pictures) else None
    is_pair = isinstance(first, tuple) and len(first) == 2
    if first is not None and not (is_pair and isinstance(first[0], Image.Image | np.ndarray)):
        raise SettingError(
            f"expected pictures with labels, found {described(pictures)} that begins with {described(first)}",
            hint=_PICTURES_HINT,
        )
    return pictures


def described(value: object) -> str:
    """Describes the value that was found in a few words: its type, and its content if that is short."""
    kind = type(value).__name__
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str | os.PathLike | int | float):
        return f"{kind} {reprlib.repr(os.fspath(value) if isinstance(value, os.PathLike) else value)}"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"{kind} of shape {tuple(shape)}"
    return f"{kind} of {len(value)}" if isinstance(value, list | tuple | dict | set) else kind
