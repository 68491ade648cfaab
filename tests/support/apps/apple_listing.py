"""The names of Apple's SDK as an npm package lists them, to hold the stubs of its frameworks against.

The stubs in `ios_stubs/` stand in for frameworks that only Xcode has. Each of their declarations ends with a comment:

    // = CLASS.MEMBER   the name in Objective-C or C, of which the Swift name's words are a part, as Swift imports names
    // ~ CLASS.MEMBER   the same, where the SDK itself gives the declaration another name in Swift
    // Swift: REASON    what only Swift's own layer has
"""

import hashlib
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.system.cache import Say, cache_folder, made_once
from mobile_sdk.system.commands import run_command

PACKAGE = "@nativescript/types-ios@9.1.2"
SWIFTUI_PACKAGES = ("expo-dev-launcher@57.0.20", "expo-dev-menu@57.0.18")
"""Packages that carry apps' own SwiftUI code, which their authors compile with Apple's SDK."""

_CONTAINER = re.compile(r"^(?:declare (?:const enum|class)|interface) (\w+)")
_GLOBAL = re.compile(r"^declare (?:function|var|const) (\w+)")
_MEMBER = re.compile(r"^\t(?:static |readonly )*(\w+)(?:\?|\(|:| =)")
_DECLARATION = re.compile(
    r"^\s*(?:@\w+ )*(?:(?:public|open|final|static|weak|nonisolated) )*"
    r"(?:(?:class|struct|enum|protocol|func|var|let|typealias|case) (\w+)|(init|subscript)\b)(.*)"
)
_LABEL = re.compile(r"[(,] ?(\w+)(?: \w+)?:")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One declaration of a stub, and what its comment says of it."""

    place: str  # file and line
    words: tuple[str, ...]  # of its Swift name and labels, small letters
    comment: str


def fetch_listing(say: Say) -> Path:
    """The folder of the listing's files and of SwiftUI code, fetched first where it is missing (3 MB). MachineError."""
    packages = [PACKAGE, *SWIFTUI_PACKAGES]
    folder = cache_folder() / f"apple-names-{hashlib.sha256(' '.join(packages).encode()).hexdigest()[:12]}"

    def make(unfinished: Path) -> None:
        for package in packages:
            say(f"Swift: fetching {package}")
            _fetch(unfinished, package)

    return made_once(folder, make)


def read_listing(folder: Path) -> frozenset[str]:
    """Every name: `CLASS`, `CLASS.MEMBER`, and those of functions and constants."""
    names: set[str] = set()
    for file in folder.glob("*.d.ts"):
        container = ""
        for line in file.read_text(encoding="utf-8").splitlines():
            if found := _CONTAINER.match(line):
                container = found[1]
                names.add(container)
            elif found := _GLOBAL.match(line):
                names.add(found[1])
            elif found := _MEMBER.match(line):
                names.add(f"{container}.{found[1]}")
    return frozenset(names)


def declarations(stub: Path) -> Iterator[Declaration]:
    """Yields the declarations of a stub."""
    for number, line in enumerate(stub.read_text(encoding="utf-8").splitlines(), start=1):
        code, _, comment = line.partition("  // ")
        if found := _DECLARATION.match(code):
            head = found[3].partition("{")[0].partition("->")[0]
            name = found[1] or ("" if found[2] == "init" else found[2])
            labels = [label for label in _LABEL.findall(head) if label != "_"] if "(" in head else []
            yield Declaration(
                place=f"{stub.name}:{number}", words=_words(" ".join([name, *labels])), comment=comment.strip()
            )


def misfit(declaration: Declaration, names: frozenset[str]) -> str | None:
    """Why a declaration does not stand for anything in the listing, or None."""
    kind, _, rest = declaration.comment.partition(" ")
    if kind == "Swift:" and rest:
        return None
    if kind not in {"=", "~"}:
        return f"{declaration.place}: expected a comment that names the real declaration, found none"
    if rest not in names:
        return f"{declaration.place}: expected a name of the SDK, found {rest}"
    if kind == "=" and not _is_part(declaration.words, _words(rest.rpartition(".")[2])):
        return f"{declaration.place}: expected the words of {rest}, found {' '.join(declaration.words)}"
    return None


def swiftui_words(folder: Path) -> frozenset[str]:
    """Every word of the fetched SwiftUI code."""
    return frozenset(
        word for file in folder.glob("*.swift") for word in re.findall(r"\w+", file.read_text(encoding="utf-8"))
    )


def _fetch(folder: Path, package: str) -> None:
    """Keeps the listings and the SwiftUI code of one npm package."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), package]
    archive = folder / run_command(command, hint="look whether npm reaches its registry here").strip().splitlines()[-1]
    with tarfile.open(archive) as members:
        for member in members:
            name = Path(member.name).name
            if name.startswith("objc!") or name.endswith(".swift"):
                source = members.extractfile(member)
                data = b"" if source is None else source.read()
                if name.startswith("objc!") or b"import SwiftUI" in data:
                    (folder / member.name.replace("/", "-")).write_bytes(data)
    archive.unlink()


def _words(name: str) -> tuple[str, ...]:
    words = [word.lower() for word in _WORD.findall(name)]
    return tuple(words[1:] if words[:1] == ["is"] else words)


def _is_part(some: tuple[str, ...], words: tuple[str, ...]) -> bool:
    """Tells whether `some` occur among `words` in their order."""
    left = iter(words)
    return all(word in left for word in some)
