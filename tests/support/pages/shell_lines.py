"""Checks a shell's line without running it: its program, verb, options, module, extra or target is there."""

import re
import shlex
import tomllib
from importlib.util import find_spec
from itertools import dropwhile
from typing import Any

import typer

from mobile_sdk.cli.app import app
from tests.support.repository import ROOT

VERBS: Any = typer.main.get_command(app)
FOREIGN = (
    *(".", "adb", "cp", "curl", "open", "git", "ls", "openssl", "python3.11", "sphinx-build", "unzip"),
    *("./gradlew", "gradle", "xcodebuild", "xcodegen", "xcrun", "swift"),
)


def check(line: str) -> None:
    """Raises if a shell's line cannot be typed."""
    words = shlex.split(re.sub(r"^\((.*)\)$", r"\1", line), comments=True)
    for part in split(words, "&&"):
        check_command(list(dropwhile(re.compile(r"[A-Z_]+=").match, part)))  # variables of this command


def split(words: list[str], between: str) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for word in words:
        found = [*found, []] if word == between else [*found[:-1], [*found[-1], word]]
    return [part for part in found if part]


def check_command(words: list[str]) -> None:
    match words:
        case ["mobile-sdk", *arguments] | ["python", "-m", "mobile_sdk", *arguments]:
            check_arguments(arguments)
        case ["torchrun", *rest] if "-m" in rest and "mobile_sdk" in rest:
            check_arguments(rest[rest.index("mobile_sdk") + 1 :])
        case ["torchrun", *_]:
            pass
        case ["python", "-m", module, *_] | ["python3", "-m", module, *_]:
            assert find_spec(module), module
        case ["python" | "python3.11", script, *_] if script.startswith(("docs/", "examples/")):
            assert (ROOT / script).is_file(), script
        case ["python", *_] | ["cd", _]:
            pass
        case ["pip", "install", *packages]:
            check_extras(packages)
        case ["make", *targets]:
            makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets), targets
        case [program, *_]:
            assert program in FOREIGN, program


def check_arguments(arguments: list[str]) -> None:
    """Lets the application itself parse the arguments of a verb; nothing runs."""
    if not arguments or arguments[0].startswith("-") or arguments[0] in ("VERB", "help"):
        return
    verb = VERBS.commands[arguments[0]]
    if "…" not in arguments:
        verb.make_context(arguments[0], list(arguments[1:]))


def check_extras(packages: list[str]) -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for extras in (found[1] for package in packages if (found := re.search(r"\[(.*)\]", package))):
        assert set(extras.split(",")) <= known.keys(), extras
