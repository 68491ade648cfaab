"""A task is known by its own modules and a row in each registry; nothing else in the product asks for it by name."""

import ast
from collections.abc import Iterator
from pathlib import Path

from mobile_sdk.contract import TRAITS
from mobile_sdk.report.sections.tasks import SECTIONS
from mobile_sdk.tasks.registry import TASKS

ROOT = Path(__file__).parents[2]
OWN_ROOMS = ("mobile_sdk/tasks/", "mobile_sdk/workflow/", "qat/tasks/")
ROWS = {
    "mobile_sdk/contract/contract.py": "the names of the tasks, and TRAITS",
    "mobile_sdk/report/sections/tasks.py": "SECTIONS",
    "mobile_sdk/report/earlier_report.py": "the fields of reports of schema 1, which had three tasks",
    "qat/nets/saved_net.py": "the builders of nets",
}


def product() -> Iterator[tuple[str, ast.Module]]:
    for package in ("mobile_sdk", "qat"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def names_a_task(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value in TRAITS


def test_no_module_but_a_tasks_own_compares_a_task_or_holds_a_table_by_task() -> None:
    found = []
    for name, tree in product():
        if name.startswith(OWN_ROOMS) or name in ROWS:
            continue
        for node in ast.walk(tree):
            is_comparison = isinstance(node, ast.Compare) and any(map(names_a_task, (node.left, *node.comparators)))
            if is_comparison and "task" in ast.unparse(node).lower():
                found.append(f"{name}:{node.lineno} compares a task")
            if isinstance(node, ast.Dict) and sum(map(names_a_task, node.keys)) > 1:
                found.append(f"{name}:{node.lineno} is a table by task")
            if isinstance(node, ast.MatchValue) and names_a_task(node.value):
                found.append(f"{name}:{node.lineno} matches a task")
    assert found == []


def test_every_registry_has_a_row_for_every_task() -> None:
    assert set(TASKS) == set(SECTIONS) == set(TRAITS)
    assert len({task.measure for task in TASKS.values()}) == len(TASKS)
