"""`mobile-sdk classify` says what a bundle, or a program, sees in pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.terminal import quiet, show_json
from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.output_paths import folder_to_write

if TYPE_CHECKING:
    from mobile_sdk.bundle.bundle import Bundle
    from mobile_sdk.prediction.predictions import Prediction
    from mobile_sdk.program.program import Program

DRAWINGS = Path("predictions")
"""Drawings go here, unless `--out` names another folder."""
_DRAWN = ("boxes", "mask")  # a place is seen, not read


def classify(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="BUNDLE|PROGRAM",
            help="A bundle's folder, such as fruit.tflite, or a program.pt2, which the reference computes.",
        ),
    ],
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE…", help="Pictures; of a net that reads arrays .npy files.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Draw every picture with its answer, as an app shows it, into DIR. Default: predictions for a "
            "detector or a segmenter; nothing is drawn for others.",
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            "--top", metavar="N", min=1, help="Classes, or objects, to print. Default: 5 of a classifier, else all."
        ),
    ] = None,
    key: options.Key = None,
    json: options.Json = False,
) -> None:
    """Say what is in pictures: classes, boxes or a mask, as an app with the bundle does.

    A bundle's own runtime computes it, on this machine, from the same preprocessing as on a phone.
    """
    quiet()
    from mobile_sdk.tasks.registry import task_of

    opened = _opened(model, key)
    contract = opened.contract
    is_drawn = out is not None or task_of(contract).answer in _DRAWN
    folder = folder_to_write(out or DRAWINGS) if is_drawn else None
    found: list[dict[str, Any]] = []
    names: set[str] = set()
    for picture, prediction in zip(pictures, opened.predict_each(pictures), strict=True):
        drawing = None if folder is None else _draw(prediction, folder, f"{picture.stem}-{model.name}", names)
        found.append({"picture": str(picture), **prediction.fields(top), "drawing": drawing and str(drawing)})
        if not json:
            print(picture, *(f"  {line}" for line, _ in prediction.lines(top)), sep="\n")
            if drawing:
                print(f"  drawn: {drawing}")
    if json:
        show_json({"model": str(model), "task": contract.task, "predictions": found})


def _opened(model: Path, key: Path | None) -> "Bundle | Program":
    from mobile_sdk.bundle.bundle import open_bundle
    from mobile_sdk.program.program import Program

    if model.is_file():
        if key is not None:
            raise SettingError("expected a bundle beside --key, found a program", hint="programs carry no signature")
        return Program.load(model)
    return open_bundle(model, key=key)


def _draw(prediction: "Prediction", folder: Path, stem: str, taken: set[str]) -> Path:
    """Writes the drawing under a name that no other picture of this call has, and returns its path."""
    from mobile_sdk.preprocess import png_bytes
    from mobile_sdk.system.atomic_files import write_bytes

    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    write_bytes(folder / f"{name}.png", png_bytes(prediction.drawn()))
    return folder / f"{name}.png"
