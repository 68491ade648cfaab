"""Every line of every block of commands can be typed: its program, its verb, its options and its files are there."""

import re
from pathlib import Path

import pytest

from mobile_sdk.cli.app import BROKEN_PIPE
from mobile_sdk.cli.failures import BUG
from mobile_sdk.cli.stopping import INTERRUPTED
from mobile_sdk.errors import SdkError
from tests.support.pages.blocks import DOCS, Block, blocks, name_of, pages
from tests.support.pages.shell_lines import check
from tests.support.repository import ROOT

COMMANDS = ("", "sh", "bash", "console")
OTHERS_LANGUAGES = ("json", "kotlin", "mermaid", "python", "swift", "text", "yaml")
SITES_OWN = ("{contents} Index", "{eval-rst}", "{toctree}")
TREE = "qat/"  # README's tree of folders, which has a test of its own
PAGES = [page for page in pages() if any(block.language in COMMANDS for block in blocks(page))]


def lines(block: Block) -> list[str]:
    """The lines that one types: all of a block, in one that shows a terminal those behind its prompt."""
    if block.language not in COMMANDS or block.text.startswith(TREE):
        return []
    typed = block.text.replace("\\\n", " ").splitlines()
    return [line[2:] for line in typed if line.startswith("$ ")] if block.language == "console" else typed


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
