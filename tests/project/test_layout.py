"""The tests lie in folders that mirror the packages: each says what it holds, and no test leans on another one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobile_sdk.graph.operators import OPERATORS
from tests.support.repository import ROOT

TESTS = ROOT / "tests"
MOST_MODULES = 12
OPERATOR_TESTS = TESTS / "operators"  # one an operator, and so as many as there are
MODULES = sorted(TESTS.rglob("*.py"))
FOLDERS = sorted({module.parent for module in MODULES})


def imported(module: Path) -> Iterator[str]:
    """Dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_says_what_it_holds_and_holds_few_modules(folder: Path) -> None:
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert docstring.startswith("Holds ") and docstring.endswith(".")
    assert folder == OPERATOR_TESTS or len(list(folder.glob("*.py"))) - 1 <= MOST_MODULES


def test_no_test_imports_another_one() -> None:
    assert not [
        (str(module.relative_to(ROOT)), name)
        for module in MODULES
        for name in imported(module)
        if name.startswith("tests.") and any(part.startswith("test_") for part in name.split(".")[1:-1])
    ]


def test_tests_and_what_they_share_lie_apart() -> None:
    support = TESTS / "support"
    for module in MODULES:
        is_test = module.name.startswith("test_")
        assert is_test != (support in module.parents or module.name in ("__init__.py", "conftest.py")), module


def test_every_operator_of_the_integer_graph_has_a_file_of_tests() -> None:
    names = [kind.__name__ for kind in OPERATORS]
    files = {module.stem.removeprefix("test_").replace("_", "") for module in OPERATOR_TESTS.glob("test_*.py")}
    assert len(names) > 15
    assert {name for name in names if name.lower() not in files} == set()
