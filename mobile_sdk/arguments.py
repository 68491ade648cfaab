"""Arguments of another kind than expected: refused by name, before anything long begins."""

import os
import reprlib
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from PIL import Image

from mobile_sdk.errors import SettingError
from mobile_sdk.preprocess import LabelledPictures

NOTHING = type(None)
MOST_SEED = 2**32 - 1  # what every generator takes, and times an epoch's number still fits into torch's 64 bits
_PICTURES_HINT = "give qat.load_folder(path).validation, or a list of (PIL image, label index)"


@runtime_checkable
class Parted(Protocol):
    """Pictures in two parts, as qat's loaders give them: those to learn from, and those held out."""

    @property
    def train(self) -> LabelledPictures:
        """To learn from."""
        ...

    @property
    def validation(self) -> LabelledPictures:
        """Held out."""
        ...


def expect(name: str, value: object, *kinds: type, hint: str = "") -> None:
    """Raises SettingError where the argument `name` is of none of the `kinds`; `hint` says how to come by one."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        wanted = " or ".join("None" if kind is NOTHING else kind.__name__ for kind in kinds)
        raise SettingError(
            f"expected {wanted} as {name}, found {described(value)}", hint=hint or f"give {name} as {wanted}"
        )


def is_seed(value: object) -> bool:
    """Tells whether random generators can start from `value`."""
    return isinstance(value, int) and 0 <= value <= MOST_SEED


def expect_seed(value: object) -> None:
    """Raises SettingError where random generators cannot start from `value`."""
    if not is_seed(value):
        raise SettingError(
            f"expected a seed from 0 to {MOST_SEED}, found {described(value)}", hint="give a whole number"
        )


def expect_path(name: str, value: object) -> None:
    """Raises SettingError where the argument `name` is no path."""
    expect(name, value, str, os.PathLike, hint=f"give {name} as a string or a pathlib.Path")


def expect_each(name: str, values: object, kind: type, *, hint: str = "") -> None:
    """Raises SettingError where the argument `name` is no sequence, or one of its elements not of that `kind`."""
    many = f"a sequence of {kind.__name__}"
    if isinstance(values, str | os.PathLike) or not isinstance(values, Sequence):
        raise SettingError(f"expected {many} as {name}, found {described(values)}", hint=hint or f"give {many}")
    for index, value in enumerate(values):
        expect(f"{name}[{index}]", value, kind, hint=hint)


def held_out(pictures: object) -> LabelledPictures:
    """The pictures to judge by: of pictures in two parts those held out, else all of them.

    SettingError where they are no pictures with the index of a label each.
    """
    if isinstance(pictures, Parted):
        return pictures.validation
    if isinstance(pictures, str) or not isinstance(pictures, Sequence):
        raise SettingError(f"expected pictures with labels, found {described(pictures)}", hint=_PICTURES_HINT)
    first = pictures[0] if len(pictures) else None
    is_pair = isinstance(first, tuple) and len(first) == 2
    if first is not None and not (is_pair and isinstance(first[0], Image.Image)):
        raise SettingError(
            f"expected pictures with labels, found {described(pictures)} that begins with {described(first)}",
            hint=_PICTURES_HINT,
        )
    return pictures


def described(value: object) -> str:
    """What was found, in a few words: its kind, and what it holds where that is short."""
    kind = type(value).__name__
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str | os.PathLike | int | float):
        return f"{kind} {reprlib.repr(os.fspath(value) if isinstance(value, os.PathLike) else value)}"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"{kind} of shape {tuple(shape)}"
    return f"{kind} of {len(value)}" if isinstance(value, list | tuple | dict | set) else kind
