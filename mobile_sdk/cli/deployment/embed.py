"""`mobile-sdk embed` copies bundles into an app."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.tables import show_table, show_text
from mobile_sdk.cli.terminal import quiet, show_json
from mobile_sdk.errors import SettingError

if TYPE_CHECKING:
    from mobile_sdk.runtimes.base import Platform


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
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="A public key of keygen: the app then refuses every bundle that its private key has not signed.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Copy bundles into an app, unchanged, and say what to add to its Gradle or Xcode project.

    An app that cannot find embedded bundles gets a source file that does, and is shown a function that asks them.
    """
    quiet()
    if (android is None) == (ios is None):
        found = "neither" if android is None else "both"
        raise SettingError(f"expected --android DIR or --ios DIR, found {found}", hint="name one app")
    from mobile_sdk.bundle.bundle import open_bundle
    from mobile_sdk.embedding import embedding

    opened = [open_bundle(path) for path in bundles]
    platform: Platform = "android" if android else "ios"
    done = embedding.embed(opened, platform, android or ios or Path(), key=key)
    if json:
        copies = [{"bundle": str(each.path), "runtime": each.manifest.runtime} for each in done.bundles]
        sources = {"glue": done.glue, "signed_glue": done.signed_glue}
        written = {name: str(path) if path else None for name, path in sources.items()}
        show_json({"bundles": copies, **written, "advice": done.advice, "usage": done.usage})
        return
    rows = [(each.path, each.manifest.runtime, f"{each.model_bytes / 2**20:.2f}") for each in done.bundles]
    show_table(("embedded", "runtime", "model MiB"), rows, numbers=("model MiB",))
    for path in filter(None, (done.glue, done.signed_glue)):
        show_text(f"written: {path}")
    for line in done.advice:
        (show_text if line.endswith(".") else print)(line)  # code stays as it is
    if done.usage:
        print(f"\n{done.usage}")
