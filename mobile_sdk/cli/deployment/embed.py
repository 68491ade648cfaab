"""`mobile-sdk embed` copies bundles into an app."""

from pathlib import Path
from typing import Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.terminal import quiet, show_json, show_table
from mobile_sdk.errors import SettingError


def embed(
    bundles: options.Bundles,
    android: Annotated[
        Path | None,
        typer.Option(
            "--android",
            metavar="DIR",
            help="A Gradle project or module; bundles go to src/main/assets/bundles. android_demo is one.",
        ),
    ] = None,
    ios: Annotated[
        Path | None,
        typer.Option(
            "--ios", metavar="DIR", help="The folder of an Xcode project; bundles go to Bundles. ios_demo is one."
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Copy bundles into an app, unchanged, and say what to add to its Gradle or Xcode project.

    An app that cannot find embedded bundles gets a source file that does.
    """
    quiet()
    if (android is None) == (ios is None):
        found = "neither" if android is None else "both"
        raise SettingError(f"expected --android DIR or --ios DIR, found {found}", hint="name one app")
    from mobile_sdk.bundle.bundle import open_bundle
    from mobile_sdk.embedding import embedding

    opened = [open_bundle(path) for path in bundles]
    done = embedding.embed(opened, "android", android) if android else embedding.embed(opened, "ios", ios or Path())
    if json:
        copies = [{"bundle": str(each.path), "runtime": each.manifest.runtime} for each in done.bundles]
        show_json({"bundles": copies, "glue": str(done.glue) if done.glue else None, "advice": done.advice})
        return
    rows = [(each.path, each.manifest.runtime, f"{each.model_bytes / 2**20:.2f}") for each in done.bundles]
    show_table(("embedded", "runtime", "model MiB"), rows, numbers=("model MiB",))
    if done.glue:
        print(f"written: {done.glue}")
    print("\n".join(done.advice))
