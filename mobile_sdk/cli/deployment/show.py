"""`mobile-sdk show` draws what an app with a bundle will show of a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.terminal import quiet, show_json
from mobile_sdk.errors import DataError
from mobile_sdk.workflow.output_paths import file_to_write

if TYPE_CHECKING:
    from mobile_sdk.contract import NetInput
    from mobile_sdk.preprocess import Sample
    from mobile_sdk.previewing.answer import Answer


def show(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle's folder, such as fruit.tflite.")],
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="A picture; of a net that reads arrays a .npy.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where the drawing goes; PICTURE-BUNDLE.png here without it."),
    ] = None,
    key: options.Key = None,
    json: options.Json = False,
) -> None:
    """Draw on this machine what the apps will show of a picture, computed by the bundle's own runtime."""
    quiet()
    from mobile_sdk.bundle.bundle import open_bundle
    from mobile_sdk.preprocess import png_bytes
    from mobile_sdk.previewing.drawing import lines_of
    from mobile_sdk.previewing.preview import preview
    from mobile_sdk.system.atomic_files import write_bytes

    file = file_to_write(out or Path(f"{picture.stem}-{bundle.name}.png"))
    opened = open_bundle(bundle, key=key)
    found = preview(opened, _sample(picture, opened.manifest.input))
    write_bytes(file, png_bytes(found.drawn()))
    if json:
        show_json({"bundle": str(bundle), "picture": str(picture), "drawing": str(file), **_fields(found.answer)})
        return
    for line, _ in lines_of(found.answer):
        print(line)
    print(f"written: {file}")


def _sample(file: Path, spec: "NetInput") -> "Sample":
    from mobile_sdk.contract import ImageSpec
    from mobile_sdk.preprocess import open_picture
    from qat.data.array_file import ARRAY_SUFFIX, read_array

    if not file.is_file():
        raise DataError(f"expected a file at {str(file)!r}, found nothing", hint="check the path")
    is_array = file.suffix == ARRAY_SUFFIX
    if isinstance(spec, ImageSpec):
        if is_array:
            raise DataError("expected a picture for a net that reads pictures, found an array", hint="name a picture")
        return open_picture(file, spec)
    if not is_array:
        raise DataError(
            f"expected an array for a net that reads arrays, found {file.name!r}", hint=f"name a file {ARRAY_SUFFIX}"
        )
    return read_array(file)


def _fields(answer: "Answer") -> dict[str, Any]:
    """Returns the answer as JSON: places as shares of the picture's sides, outputs as flat lists of real values."""
    return {
        "shares": [{"label": each.label, "share": each.share} for each in answer.shares if not answer.found],
        "found": [
            {"label": each.what.label, "share": each.what.share, "area": list(each.area)} for each in answer.found
        ],
        "features": [
            {"name": name, "shape": list(values.shape), "values": values.ravel().tolist()}
            for name, values in answer.features.items()
        ],
    }
