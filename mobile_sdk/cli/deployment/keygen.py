"""`mobile-sdk keygen` makes a pair of keys that sign bundles."""

from pathlib import Path
from typing import Annotated

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.tables import show_text
from mobile_sdk.cli.terminal import quiet, show_json


def keygen(
    out: Annotated[
        Path,
        typer.Argument(metavar="KEY", help="Where the private key goes, such as signer.pem; nothing may be there."),
    ],
    json: options.Json = False,
) -> None:
    """Make a private key that signs bundles, and its public key beside it; keys that are there are never replaced."""
    quiet()
    from mobile_sdk.signing.keys import make_keys

    public = make_keys(out)
    if json:
        show_json({"private": str(out), "public": str(public)})
        return
    show_text(f"private key: {out}: signs bundles (export --sign); keep it secret, and keep a copy")
    show_text(f"public key: {public}: goes into apps (embed --key) and to whoever checks bundles (verify --key)")
