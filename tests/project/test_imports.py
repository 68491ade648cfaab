"""Imports point one way and stay light; every public name is there."""

import ast
import importlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.child_process import cpu_s, run
from tests.support.repository import ROOT

# The rooms of both packages, bottom up: a room imports those before it alone.
MOBILE_SDK = (
    *("errors", "packages", "document", "contract", "system", "preprocess", "arguments", "comparison", "labels"),
    *("tasks", "graph"),
    *(
        "prediction",
        "memory",
        "runtimes",
        "devices",
        "program",
        "analysis",
        "signing",
        "bundle",
        "verification",
        "benchmarking",
        "latency",
    ),
    *("report", "embedding", "workflow", "cli", "__main__"),
)
QAT = (
    *("steps", "arguments", "layers", "distributed", "event_log", "progress", "data", "capture"),
    *("preparation", "freezing"),
    *("training", "calibration", "bit_allocation", "nets", "tasks", "search"),
)
QAT_MAY_USE = {
    "errors",
    "packages",
    "document",
    "contract",
    "system",
    "preprocess",
    "arguments",
    "labels",
    "tasks",
    "graph",
    "program",
}
SEES_QAT = {"workflow", "cli", "__main__"}
MOST_MODULES = 13  # in a folder, its __init__ among them
MOST_AT_THE_TOP = {"mobile_sdk": 6, "qat": 4}
HEAVY = (
    *("torch", "torchao", "executorch", "coremltools", "ai_edge_litert"),
    *("matplotlib", "scipy", "pandas", "sklearn", "cryptography"),
)


def modules(package: str) -> dict[str, Path]:
    """Every module of the package, by its dotted name."""
    paths = sorted((ROOT / package).rglob("*.py"))
    assert len(paths) > 10, f"{package} is not at {ROOT}"
    return {dotted(path): path for path in paths}


def dotted(path: Path) -> str:
    """mobile_sdk/runtimes/__init__.py → mobile_sdk.runtimes."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(node: ast.AST, *, everywhere: bool = True) -> Iterator[str]:
    """Dotted names that a module imports: everywhere in it, or only when it is itself imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "relative imports hide their direction"
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif everywhere or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imports(child, everywhere=everywhere)


def first_below(name: str, package: str) -> str | None:
    """mobile_sdk.runtimes.base → runtimes; None for what is not below the package."""
    parts = name.split(".")
    return parts[1] if parts[0] == package and len(parts) > 1 else None


def next_below(name: str, folder: str) -> str | None:
    """(qat.data.boxes.folder, qat.data) → boxes; None for what is not below the folder."""
    inside = name.removeprefix(f"{folder}.")
    return None if inside == name else inside.partition(".")[0]


def parsed(package: str) -> dict[str, ast.Module]:
    """Every module's syntax tree."""
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in modules(package).items()}


@pytest.mark.parametrize(("package", "rooms"), [("mobile_sdk", MOBILE_SDK), ("qat", QAT)])
def test_every_room_has_a_place_in_the_order_and_opens_with_a_sentence(package: str, rooms: tuple[str, ...]) -> None:
    there = {first_below(name, package) for name in modules(package)} - {None}
    assert set(rooms) == there and len(set(rooms)) == len(rooms)
    for path in (ROOT / package).rglob("__init__.py"):
        assert (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0].endswith("."), path


@pytest.mark.parametrize(("package", "rooms"), [("mobile_sdk", MOBILE_SDK), ("qat", QAT)])
def test_no_room_imports_upwards(package: str, rooms: tuple[str, ...]) -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, tree in parsed(package).items()
        if (own := first_below(name, package))
        for imported in imports(tree)
        if (other := first_below(imported, package)) in rooms and rooms.index(other) > rooms.index(own)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_folder_in_a_room_imports_itself_through_its_neighbours() -> None:
    trees = parsed("mobile_sdk") | parsed("qat")
    for folder in {name.rpartition(".")[0] for name in trees if name.count(".") > 1}:
        graph: dict[str, set[str]] = {}
        for name, tree in trees.items():
            if own := next_below(name, folder):
                used = {next_below(target, folder) for x in imports(tree) if (target := _module_of(x, trees))}
                graph.setdefault(own, set()).update(used - {own, None})
        assert_no_circle(graph, folder)


@pytest.mark.parametrize("package", ["mobile_sdk", "qat"])
def test_no_folder_holds_more_modules_than_a_reader_takes_in(package: str) -> None:
    counts = Counter(path.parent.relative_to(ROOT).as_posix() for path in modules(package).values())
    assert counts[package] <= MOST_AT_THE_TOP[package]
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == {}


def test_errors_documents_and_contract_use_the_standard_library_and_pydantic_only() -> None:
    trees = parsed("mobile_sdk")
    own = [name for name in trees if first_below(name, "mobile_sdk") in ("errors", "document", "contract")]
    used = {name.split(".")[0] for module in own for name in imports(trees[module])}
    assert used <= {*sys.stdlib_module_names, "pydantic", "mobile_sdk"}


def test_only_the_command_line_sees_both_sides() -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, tree in parsed("mobile_sdk").items()
        if first_below(name, "mobile_sdk") not in SEES_QAT
        for imported in imports(tree)
        if imported.split(".")[0] == "qat"
    ]
    assert not wrong, "\n".join(wrong)


def test_qat_uses_the_core_of_mobile_sdk_only() -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, tree in parsed("qat").items()
        for imported in imports(tree)
        if imported.split(".")[0] == "mobile_sdk" and first_below(imported, "mobile_sdk") not in QAT_MAY_USE
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_through_others() -> None:
    trees = parsed("mobile_sdk") | parsed("qat")
    graph = {
        name: {target for imported in imports(tree, everywhere=False) if (target := _module_of(imported, trees))}
        for name, tree in trees.items()
    }
    assert_no_circle(graph, "the packages")


def assert_no_circle(graph: dict[str, set[str]], where: str) -> None:
    """Asserts that no node of the graph reaches itself."""
    for start in graph:
        seen: set[str] = set()
        waiting = list(graph[start])
        while waiting:
            name = waiting.pop()
            assert name != start, f"in {where}, {start} imports itself through {sorted(seen)}"
            if name not in seen:
                seen.add(name)
                waiting += graph.get(name, ())


@pytest.mark.parametrize("package", ["mobile_sdk", "qat"])
def test_importing_a_package_loads_nothing_heavy_and_less_than_a_server_of_the_standard_library(package: str) -> None:
    program = f"import sys, {package}; print(*(name for name in {HEAVY} if name in sys.modules))"
    assert run([sys.executable, "-c", program], cwd=ROOT).stdout.split() == []
    assert yardsticks_of([sys.executable, "-c", f"import {package}"]) <= 1


def test_help_loads_no_arrays_and_takes_as_long_as_four_servers_of_the_standard_library_at_most() -> None:
    command = [sys.executable, "-m", "mobile_sdk", "--help"]
    assert "Usage" in run(command, cwd=ROOT).stdout
    assert yardsticks_of(command) <= 4
    names = ("numpy", "pydantic", "PIL", *HEAVY)
    heavy = f"from mobile_sdk.cli import app; import sys; print(*(name for name in {names} if name in sys.modules))"
    assert run([sys.executable, "-c", heavy], cwd=ROOT).stdout.split() == []


def yardsticks_of(command: list[str]) -> float:
    """Returns a command's processor time in units of what asyncio, http.server and unittest take to be imported.

    A busy processor is slower, for both alike: their caches are shared with whatever else runs.
    """
    yardstick = [sys.executable, "-c", "import asyncio, http.server, logging.config, unittest.mock, xml.dom.minidom"]
    taken = [(cpu_s(command, cwd=ROOT), cpu_s(yardstick, cwd=ROOT)) for _ in range(5)]
    return min(own for own, _ in taken) / min(unit for _, unit in taken)


@pytest.mark.parametrize("package", ["mobile_sdk", "qat"])
def test_every_public_name_resolves(package: str) -> None:
    module = importlib.import_module(package)
    assert len(module.__all__) == len(set(module.__all__)) > 5
    assert [name for name in module.__all__ if getattr(module, name, None) is None] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    for package in ("mobile_sdk", "qat"):
        with pytest.raises(AttributeError, match="no_such_name"):
            importlib.import_module(package).no_such_name  # noqa: B018  reading it is the test


def _module_of(imported: str, known: dict[str, ast.Module]) -> str | None:
    """`mobile_sdk.errors.SdkError` → `mobile_sdk.errors`."""
    while imported and imported not in known:
        imported = imported.rpartition(".")[0]
    return imported or None
