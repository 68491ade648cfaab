"""Tests hold however busy the machine is: none judges a wall clock, sleeps, or sets a limit of its own."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.child_process import HANG_S
from tests.support.repository import ROOT

TESTS = ROOT / "tests"
WAITS = "child_process.py"  # where waiting and its one limit are
PROFILE = "conftest.py"  # where hypothesis is told that there is no deadline
WALL = {f"time.{name}{ns}" for name in ("time", "monotonic", "perf_counter") for ns in ("", "_ns")}
FORBIDDEN = {
    **dict.fromkeys(WALL, "count, use time.process_time or child_process.cpu_s, or let a made-up clock run"),
    "time.sleep": "wait for an event with child_process.wait_until",
    "timeit": "count, or measure processor time",
}
LIMITS = ("timeout", "deadline", "patience")
CI_S = 90 * 60


def complaints(source: str) -> list[str]:
    """Returns everything in a module of tests that a busy machine may break, a line each."""
    tree = ast.parse(source)
    found = [*forbidden_names(tree), *limits(tree), *settings_of_hypothesis(tree)]
    if any(dotted(node) == "signal.SIGINT" for node in ast.walk(tree)):
        found += [
            (node.lineno, "a script's background ignores Ctrl-C: use child_process.start")
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and dotted(node.func) == "subprocess.Popen"
        ]
    return [f"line {line}: {what}" for line, what in sorted(found)]


def forbidden_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        names = [dotted(node)]
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name in FORBIDDEN:
                yield node.lineno, f"{name}: {FORBIDDEN[name]}"


def limits(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Numbers of seconds that a test sets as a limit; 0, which always passes, is none."""
    for node in ast.walk(tree):
        for name, value in bindings(node):
            is_limit = any(limit in name.lower() for limit in LIMITS)
            if is_limit and isinstance(value, ast.Constant) and isinstance(value.value, int | float) and value.value:
                yield value.lineno, f"{name} = {value.value}: child_process.HANG_S is the only limit"


def bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Names and the values that a call, a signature or an assignment gives them."""
    if isinstance(node, ast.Call):
        yield from ((keyword.arg or "", keyword.value) for keyword in node.keywords)
    elif isinstance(node, ast.arguments):
        arguments = [*node.posonlyargs, *node.args, *node.kwonlyargs]
        values = [*node.defaults, *node.kw_defaults]  # of the last of them
        for argument, value in zip(reversed(arguments), reversed(values), strict=False):
            yield argument.arg, value
    elif isinstance(node, ast.Assign):
        yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, node.value


def settings_of_hypothesis(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func) == "settings":
            for keyword in node.keywords:
                if keyword.arg == "suppress_health_check":
                    yield keyword.value.lineno, f"{keyword.arg}: it takes the place of the one in {PROFILE}"


def dotted(node: ast.AST) -> str:
    """`time.sleep` of the expression that says so, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS)))
def test_no_test_waits_for_a_time_or_judges_one(path: Path) -> None:
    if path.name not in (WAITS, PROFILE):
        assert complaints(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\nassert time.perf_counter() - before < 1",
        "from time import monotonic",
        "import time\ntime.sleep(0.1)",
        "import timeit",
        "subprocess.run(command, timeout=60)",
        "def call(*words, timeout_s: float = 300): ...",
        "def call(words, timeout_s=300, cwd=None): ...",
        "DEADLINE_S = 120",
        "deadline_s: float = 2.5",
        "@settings(max_examples=9, deadline=200)\ndef test(): ...",
        "@settings(suppress_health_check=[])\ndef test(): ...",
        "subprocess.Popen(command)\nprocess.send_signal(signal.SIGINT)",
    ],
)
def test_what_a_busy_machine_may_break_is_found(source: str) -> None:
    assert len(complaints(source)) == 1


def test_a_hang_is_told_before_continuous_integration_gives_up() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    assert HANG_S < settings["ini_options"]["faulthandler_timeout"] < CI_S / 2
    assert settings["ini_options"]["faulthandler_exit_on_timeout"]
