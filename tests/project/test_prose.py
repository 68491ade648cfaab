"""Docstrings are sentences: none begins with a fragment."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import ROOT

FOLDERS = ("mobile_sdk", "qat", "benchmarks", "tests")
FRAGMENT = re.compile(r"(What|Of|Whether|The same)\b")


def docstrings(module: Path) -> Iterator[tuple[int, str]]:
    """Yields the line and the text of every docstring of a module, including those below a name's value."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        for statement in getattr(node, "body", ()) if not isinstance(node, ast.Lambda | ast.IfExp) else ():
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield statement.lineno, text


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_docstring_begins_with_a_fragment(folder: str) -> None:
    modules = sorted((ROOT / folder).rglob("*.py"))
    found = [(str(module.relative_to(ROOT)), *each) for module in modules for each in docstrings(module)]
    assert len(found) > 300
    assert not [each for each in found if FRAGMENT.match(each[2])]


def test_no_paragraph_on_the_architecture_begins_with_a_fragment() -> None:
    text = (ROOT / "docs/project/architecture.md").read_text(encoding="utf-8")
    assert not [paragraph for paragraph in re.split(r"\n\s*\n", text) if FRAGMENT.match(paragraph.lstrip("#-*|> \n"))]


def test_a_fragment_would_be_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('"""Of a module."""\n\nX = 1\n"""What it is."""\n', encoding="utf-8")
    assert [line for line, text in docstrings(module) if FRAGMENT.match(text)] == [1, 4]
