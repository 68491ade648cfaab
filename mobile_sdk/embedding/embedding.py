"""Embeds bundles into an app: each folder is copied unchanged to the place that the app's build includes."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mobile_sdk import runtimes as registry
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.manifest_file import MANIFEST_FILE, BundleRefusalError
from mobile_sdk.bundle.signature_file import check_signature, read_signature
from mobile_sdk.bundle.writer import check_replaceable, copy_bundle
from mobile_sdk.contract import ImageSpec
from mobile_sdk.embedding.glue import WRITTEN_BY, check_embeddable, gradle_advice, kotlin_glue, swift_glue, xcode_advice
from mobile_sdk.embedding.signed_glue import kotlin_signed, swift_signed
from mobile_sdk.embedding.usage import gradle_use, xcode_use
from mobile_sdk.errors import BundleError, SettingError
from mobile_sdk.runtimes.base import Platform
from mobile_sdk.signing.keys import public_der, read_public_key
from mobile_sdk.system.atomic_files import replaceable, write_bytes, write_text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

KEY_FILE = "bundle-key.der"
"""It lies beside the bundles in an app that takes signed ones alone; the readers of the demo apps look for it."""


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Describes what was put into an app, and what is left to do there by hand."""

    bundles: tuple[Bundle, ...]  # the copies
    glue: Path | None  # the source file that was written; None if the app reads bundles already
    signed_glue: Path | None  # the one that refuses what the key has not signed; None without a key too
    advice: tuple[str, ...]
    usage: str | None  # how code of the app asks the first bundle of pictures; None if the app reads bundles already


class _Glue(Protocol):
    """Describes the function that writes the glue for bundles of these names."""

    def __call__(self, names: Sequence[str], *, is_signed: bool) -> str: ...


class _Use(Protocol):
    """Describes the function that shows how the bundle of a name is asked."""

    def __call__(self, name: str, *, is_signed: bool) -> str: ...


@dataclass(frozen=True, kw_only=True)
class _App:
    """Names the places in an app for bundles, glue, the check of signatures, and reader."""

    bundles: Path
    glue: Path
    signed: Path
    reader: Path  # exists if the app is the demo, or has its reader of bundles
    runtimes: tuple[str, ...]
    write_glue: _Glue
    write_signed: Callable[[bytes], str]
    advise: Callable[[Sequence[str]], tuple[str, ...]]
    use: _Use


def embed(
    bundles: Sequence[Bundle], platform: Platform, folder: Path, *, key: str | os.PathLike[str] | None = None
) -> Embedding:
    """Copies `bundles` into the app at `folder`: a Gradle project or module, or the folder of an Xcode project.

    Bundles that are there stay, and one of the same name is replaced. With `key`, a public key's PEM file, the app
    refuses from then on what the private key has not signed. Everything is checked before anything is written.
    Raises SettingError if `folder` is no such project, if the platform cannot run a bundle, if two bundles have one
    name or a name that cannot stand in source code, if something else is in their place, or if the app has a key and
    none is given; and BundleError if a bundle of the app is not signed with its key.
    """
    signer = None if key is None else read_public_key(key)
    app = _android_app(folder) if platform == "android" else _ios_app(folder)
    _check(bundles, app, platform)
    _check_signatures(bundles, app, signer)
    if signer is not None:
        write_bytes(app.bundles / KEY_FILE, public_der(signer))
    copies = tuple(copy_bundle(bundle, app.bundles / bundle.path.resolve().name) for bundle in bundles)
    runtimes = {bundle.manifest.runtime for bundle in bundles}
    glue = _write_glue(app, signer)
    signed_glue = None if glue is None or signer is None else app.signed
    of_pictures = next((copy.path.name for copy in copies if isinstance(copy.manifest.input, ImageSpec)), None)
    usage = app.use(of_pictures, is_signed=signer is not None) if glue and of_pictures else None
    advice = app.advise(sorted(runtimes))
    return Embedding(bundles=copies, glue=glue, signed_glue=signed_glue, advice=advice, usage=usage)


def _android_app(folder: Path) -> _App:
    main = next((path for path in (folder / "app/src/main", folder / "src/main") if path.is_dir()), None)
    if main is None:
        raise SettingError(
            f"expected a Gradle project or module at {folder}, found neither app/src/main nor src/main there",
            hint="name the folder that holds settings.gradle.kts",
        )
    sources = next((path for path in (main / "kotlin", main / "java") if path.is_dir()), main / "kotlin")
    return _App(
        bundles=main / "assets/bundles",
        glue=sources / "mobilesdk/EmbeddedBundles.kt",
        signed=sources / "mobilesdk/SignedBundles.kt",
        reader=sources / "mobilesdk/demo/shelf",
        runtimes=registry.in_apps("android"),
        write_glue=kotlin_glue,
        write_signed=kotlin_signed,
        advise=gradle_advice,
        use=gradle_use,
    )


def _ios_app(folder: Path) -> _App:
    marks = ("*.xcodeproj", "*.xcworkspace", "project.yml", "Package.swift")
    if not any(any(folder.glob(mark)) for mark in marks):
        raise SettingError(
            f"expected an Xcode project at {folder}, found none of {', '.join(marks)} there",
            hint="name the folder that holds the app's .xcodeproj",
        )
    app = folder / "App" if (folder / "App").is_dir() else folder
    return _App(
        bundles=app / "Bundles",
        glue=app / "EmbeddedBundles.swift",
        signed=app / "SignedBundles.swift",
        reader=folder / "MobileSDKDemoCore",
        runtimes=registry.in_apps("ios"),
        write_glue=swift_glue,
        write_signed=swift_signed,
        advise=xcode_advice,
        use=xcode_use,
    )


def _check(bundles: Sequence[Bundle], app: _App, platform: Platform) -> None:
    names = [bundle.path.resolve().name for bundle in bundles]
    check_embeddable(names)
    if not names or len({name.casefold() for name in names}) < len(names):
        raise SettingError(
            f"expected bundles of different names, found {', '.join(names) or 'none'}", hint="rename one of the folders"
        )
    for bundle, name in zip(bundles, names, strict=True):
        if bundle.manifest.runtime not in app.runtimes:
            raise SettingError(
                f"expected bundles of {' or '.join(app.runtimes)} for {platform}, found {bundle.manifest.runtime} "
                f"in {name}",
                hint=f"export the program --to {','.join(app.runtimes)}",
            )
        check_replaceable(app.bundles / name)
    if not app.reader.is_dir():
        check_embeddable(_names(app))
        for glue in (app.glue, app.signed):
            replaceable(glue)
            if glue.exists() and not _is_ours(glue):
                raise SettingError(
                    f"expected no file or one of this command's at {glue}, found another", hint="move that file away"
                )


def _check_signatures(bundles: Sequence[Bundle], app: _App, signer: "EllipticCurvePublicKey | None") -> None:
    """Checks the bundles that the app will hold, those that are there already among them."""
    file = app.bundles / KEY_FILE
    replaceable(file)
    if signer is None:
        if file.exists():
            raise SettingError(
                f"expected --key, as the app takes signed bundles alone, found none (its key: {file})",
                hint="give the public key; or remove that file, and the app takes any bundle",
            )
        return
    given = {bundle.path.resolve().name: bundle.path for bundle in bundles}
    there = {name: app.bundles / name for name in _names(app)}
    for name, path in {**there, **given}.items():
        try:
            check_signature((path / MANIFEST_FILE).read_bytes(), read_signature(path), signer)
        except BundleRefusalError as error:
            where = "the bundle" if name in given else "the app's bundle"
            raise BundleError(f"{where} {name}: {error.message}", hint="export it with --sign, and embed it") from error


def _write_glue(app: _App, signer: "EllipticCurvePublicKey | None") -> Path | None:
    if app.reader.is_dir():
        return None
    if signer is not None:
        write_text(app.signed, app.write_signed(public_der(signer)))
    write_text(app.glue, app.write_glue(_names(app), is_signed=signer is not None))
    return app.glue


def _names(app: _App) -> list[str]:
    """Returns the names of the bundles in the app."""
    return sorted(path.parent.name for path in app.bundles.glob(f"*/{MANIFEST_FILE}"))


def _is_ours(glue: Path) -> bool:
    with glue.open(encoding="utf-8", errors="replace") as file:
        return file.read(len(WRITTEN_BY)) == WRITTEN_BY
