"""Embeds bundles into an app: each folder is copied unchanged to the place that the app's build includes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_sdk import runtimes as registry
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.manifest_file import MANIFEST_FILE
from mobile_sdk.bundle.writer import check_replaceable, copy_bundle
from mobile_sdk.embedding.glue import WRITTEN_BY, check_embeddable, gradle_advice, kotlin_glue, swift_glue, xcode_advice
from mobile_sdk.errors import SettingError
from mobile_sdk.runtimes.base import Platform
from mobile_sdk.system.atomic_files import replaceable, write_text


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Describes what was put into an app, and what is left to do there by hand."""

    bundles: tuple[Bundle, ...]  # the copies
    glue: Path | None  # the source file that was written; None if the app reads bundles already
    advice: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _App:
    """Names the places in an app for bundles, glue and reader."""

    bundles: Path
    glue: Path
    reader: Path  # exists if the app is the demo, or has its reader of bundles
    runtimes: tuple[str, ...]
    write_glue: Callable[[Sequence[str]], str]
    advise: Callable[[Sequence[str]], tuple[str, ...]]


def embed(bundles: Sequence[Bundle], platform: Platform, folder: Path) -> Embedding:
    """Copies `bundles` into the app at `folder`: a Gradle project or module, or the folder of an Xcode project.

    Bundles that are there stay, and one of the same name is replaced. Everything is checked before anything is written.
    Raises SettingError if `folder` is no such project, if the platform cannot run a bundle, if two bundles have one
    name or a name that cannot stand in source code, or if something else is in their place.
    """
    app = _android_app(folder) if platform == "android" else _ios_app(folder)
    _check(bundles, app, platform)
    copies = tuple(copy_bundle(bundle, app.bundles / bundle.path.resolve().name) for bundle in bundles)
    runtimes = {bundle.manifest.runtime for bundle in bundles}
    return Embedding(bundles=copies, glue=_write_glue(app), advice=app.advise(sorted(runtimes)))


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
        reader=sources / "mobilesdk/demo/bundle",
        runtimes=registry.in_apps("android"),
        write_glue=kotlin_glue,
        advise=gradle_advice,
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
        reader=folder / "MobileSDKDemoCore",
        runtimes=registry.in_apps("ios"),
        write_glue=swift_glue,
        advise=xcode_advice,
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
        replaceable(app.glue)
    if app.glue.exists() and not app.reader.is_dir() and not _is_ours(app.glue):
        raise SettingError(
            f"expected no file or one of this command's at {app.glue}, found another", hint="move that file away"
        )


def _write_glue(app: _App) -> Path | None:
    if app.reader.is_dir():
        return None
    write_text(app.glue, app.write_glue(_names(app)))
    return app.glue


def _names(app: _App) -> list[str]:
    """Returns the names of the bundles in the app."""
    return sorted(path.parent.name for path in app.bundles.glob(f"*/{MANIFEST_FILE}"))


def _is_ours(glue: Path) -> bool:
    with glue.open(encoding="utf-8", errors="replace") as file:
        return file.read(len(WRITTEN_BY)) == WRITTEN_BY
