"""`mobile-sdk export`: a program → one bundle a runtime."""

from pathlib import Path
from typing import Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.terminal import progress, quiet, show_json, show_table


def export(
    program: Annotated[Path, typer.Argument(metavar="PROGRAM", help="program.pt2, or float.pt2 for float32 bundles.")],
    to: Annotated[
        str, typer.Option("--to", metavar="NAMES", help="Runtimes, separated by commas.")
    ] = "executorch,tflite,coreml",
    data: Annotated[
        str | None, typer.Option("--data", metavar="DIR", help="Golden pictures come from here, else they are made up.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the bundle folders go.")] = Path("bundles"),
    json: options.Json = False,
) -> None:
    """Write a bundle for every runtime: model, bundle.json, labels and golden pictures in one folder."""
    quiet()
    from mobile_sdk.lowering import lower
    from mobile_sdk.program import Program

    loaded = Program.load(program)
    pictures = options.load_pictures(data).validation if data else None
    with progress("export") as report:
        names = tuple(name.strip() for name in to.split(",") if name.strip())
        bundles = lower(loaded, out, runtimes=names, pictures=pictures, progress=report)
    if json:
        show_json([{"bundle": str(each.path), **each.manifest.model_dump(mode="json")} for each in bundles])
        return
    rows = [
        (each.path, each.manifest.precision, f"{each.model_bytes / 2**20:.2f}", each.manifest.structure.partitions)
        for each in bundles
    ]
    show_table(("bundle", "precision", "model MiB", "partitions"), rows, numbers=("model MiB", "partitions"))
