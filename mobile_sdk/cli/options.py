"""Options that several verbs take, each written once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_sdk.errors import SettingError

if TYPE_CHECKING:
    from qat.data import Pictures

DIGITS = "digits"

Data = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Labelled pictures: DIR/<label>/*.jpg, or DIR/train/… and DIR/val/…; the word 'digits' is the built-in "
        "5,000 MNIST digits.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Program = Annotated[Path, typer.Option("--program", metavar="FILE", help="The program.pt2 that the bundles came from.")]
Bundles = Annotated[list[Path], typer.Argument(metavar="BUNDLE…", help="Bundle folders, such as fruit.tflite.")]
Threads = Annotated[int, typer.Option("--threads", min=1, max=256, help="Threads that a runtime may use.")]
Net = Annotated[str, typer.Option("--net", metavar="NAME", help="One of `mobile-sdk nets`.")]
Width = Annotated[float, typer.Option("--width", help="Width multiplier α: 1.0, 0.75, 0.5 …")]
Size = Annotated[
    int | None,
    typer.Option("--size", metavar="PX", help="Side of the square pictures. Default: 224, and 32 for the digits."),
]
Name = Annotated[str | None, typer.Option("--name", help="What the bundles are called. Default: the data's folder.")]


def load_pictures(data: str) -> "Pictures":
    """The labelled pictures that `--data` names; unreadable ones are said."""
    from mobile_sdk.cli.terminal import say
    from qat.data import load_folder, load_mnist

    if data == DIGITS:
        return load_mnist()
    pictures = load_folder(data)
    if pictures.unreadable:
        say(f"left out {len(pictures.unreadable)} unreadable pictures: {', '.join(pictures.unreadable[:5])}")
    return pictures


def data_name(data: str) -> str:
    """A bundle's default name: the last part of the data's folder, in letters that a file name may have."""
    stem = Path(data).resolve().name if data != DIGITS else DIGITS
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "_" for letter in stem)


def size_px(data: str, size: int | None) -> int:
    """The pictures' side: as asked, else 32 for the digits (they are 28 × 28) and 224 for photographs."""
    return size or (32 if data == DIGITS else 224)


def check_choice(what: str, found: str, known: tuple[str, ...]) -> str:
    """`found` where it is among `known`; SettingError with the nearest otherwise."""
    from difflib import get_close_matches

    if found not in known:
        near = get_close_matches(found, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
        raise SettingError(f"expected {what} ({', '.join(known)}), found {found!r}", hint=hint)
    return found
