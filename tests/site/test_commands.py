"""Every line of every block of commands can be typed: its program, its verb, its options and its files are there."""

import re
import shlex
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer

from mobile_sdk.cli.app import BROKEN_PIPE, app
from mobile_sdk.cli.failures import BUG
from mobile_sdk.cli.stopping import INTERRUPTED
from mobile_sdk.errors import SdkError
from tests.support.pages import DOCS, Block, blocks, name_of, pages
from tests.support.repository import ROOT

VERBS: Any = typer.main.get_command(app)
COMMANDS = ("", "sh", "bash", "console")
OTHERS_LANGUAGES = ("json", "kotlin", "mermaid", "python", "swift", "text", "yaml")
SITES_OWN = ("{eval-rst}", "{toctree}")
FOREIGN = (
    *(".", "adb", "curl", "git", "ls", "openssl", "python3.11", "sphinx-build", "unzip"),
    *("./gradlew", "gradle", "xcodebuild", "xcodegen", "swift"),
)
TREE = "qat/"  # README's tree of folders, which has a test of its own
PAGES = [page for page in pages() if any(block.language in COMMANDS for block in blocks(page))]


def lines(block: Block) -> list[str]:
    """The lines that one types: all of a block, in one that shows a terminal those behind its prompt."""
    if block.language not in COMMANDS or block.text.startswith(TREE):
        return []
    typed = block.text.replace("\\\n", " ").splitlines()
    return [line[2:] for line in typed if line.startswith("$ ")] if block.language == "console" else typed


def check(line: str) -> None:
    """Raises if a shell's line cannot be typed."""
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        del words[0]
    for part in split(words, "&&"):
        check_command(part)


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


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_can_be_typed(page: Path) -> None:
    for block in blocks(page):
        for line in lines(block):
            try:
                check(line)
            except Exception as error:
                raise AssertionError(f"{name_of(page)}, block at line {block.line}: {line}") from error


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_block_says_what_it_is(page: Path) -> None:
    known = {*COMMANDS, *OTHERS_LANGUAGES, *SITES_OWN}
    assert [block for block in blocks(page) if block.language not in known] == []


@pytest.mark.parametrize(
    "line",
    [
        "mobile-sdk train --batch 3",
        "mobile-sdk nowhere",
        "mobile-sdk bench",
        "pip install '.[nowhere]'",
        "make nowhere",
        "python -m benchmarks.nowhere",
        "python examples/nowhere.py",
        "nowhere",
        "mobile-sdk run && mobile-sdk run --nowhere",
    ],
)
def test_a_command_that_is_nowhere_would_be_found(line: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - each kind of mistake has its own
        check(line)


def test_every_environment_variable_that_the_code_names_has_a_row() -> None:
    text = (DOCS / "reference/environment.md").read_text(encoding="utf-8")
    code = [
        path.read_text(encoding="utf-8") for package in ("mobile_sdk", "qat") for path in (ROOT / package).rglob("*.py")
    ]
    lines = [line for each in code for line in each.splitlines() if "environ" in line or "VARIABLE = " in line]
    named = {name for line in lines for name in re.findall(r'"([A-Z][A-Z0-9]*_[A-Z0-9_]+)"', line)}
    assert len(named) > 8
    assert [name for name in sorted(named) if f"`{name}`" not in text] == []


def test_every_exit_code_of_the_code_has_a_row() -> None:
    text = (DOCS / "reference/exit-codes.md").read_text(encoding="utf-8")
    kinds = {
        kind.exit_code: kind.__name__ for kind in SdkError.__subclasses__() if kind.__module__ == SdkError.__module__
    }
    assert len(kinds) == 6
    assert [
        code for code, name in kinds.items() if not re.search(rf"^\| {code} \|.*`{name}`", text, re.MULTILINE)
    ] == []
    for code in (BUG, BROKEN_PIPE, INTERRUPTED):
        assert re.search(rf"^\| [\d, ]*{code}[\d, ]* \|", text, re.MULTILINE), code
