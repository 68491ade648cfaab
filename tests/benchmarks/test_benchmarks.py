"""Benchmarks' results are what they say: every target judged by its own figures, every result from a command here."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

from benchmarks.__main__ import MODULES, ON_REQUEST, ROOMS, main
from benchmarks.core import overview
from benchmarks.core.targets import Target
from tests.support.repository import ROOT

BENCHMARKS = ROOT / "benchmarks"
RESULTS = BENCHMARKS / "results"
OWN = ("mobile_sdk.", "qat.")
SHARED = {"core": {"core"}, "judging": {"judging"}, "against": {"core", "against"}, "nets": {"core", "nets"}}
"""The rooms that others use, and what these may use."""


def imported(path: Path) -> set[str]:
    """The dotted names that a module imports, at its top or anywhere below."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {
        f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    }


def is_there(name: str) -> bool:
    """Tells whether a dotted name is a module, or a name in one."""
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def test_benchmarks_import_nothing_from_tests() -> None:
    paths = list(BENCHMARKS.rglob("*.py"))
    assert len(paths) > 40
    assert not [(path.name, name) for path in paths for name in imported(path) if name.split(".")[0] == "tests"]


def test_benchmarks_find_in_the_packages_all_that_they_import() -> None:
    names = {name for path in BENCHMARKS.rglob("*.py") for name in imported(path) if name.startswith(OWN)}
    assert len(names) > 100
    assert not [name for name in sorted(names) if not is_there(name)]


def test_benchmarks_call_what_they_import_as_it_is_today() -> None:
    """Nothing else runs most of them: a renamed argument would stay unseen until somebody measures."""
    command = [sys.executable, "-m", "mypy", "benchmarks"]
    checked = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert re.search(r"checked \d+ source files", checked.stdout), checked.stderr
    stale = re.compile(r"\[(?:call-arg|attr-defined|name-defined|call-overload)\]$")
    assert not [line for line in checked.stdout.splitlines() if stale.search(line)]


def test_benchmarks_lie_in_rooms_of_at_most_12_modules_that_say_what_goes_in() -> None:
    rooms = {path.parent for path in BENCHMARKS.rglob("*.py")} - {BENCHMARKS}
    assert {path.name for path in BENCHMARKS.glob("*.py")} == {"__init__.py", "__main__.py"}
    for room in rooms:
        assert len(list(room.glob("*.py"))) <= 13, f"{room.name} holds more than 12 modules and its __init__"
        sentence = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
        assert sentence and sentence.endswith("."), f"{room.name} does not say what goes in"


def test_rooms_use_the_shared_rooms_and_themselves_alone() -> None:
    for path in BENCHMARKS.glob("*/*.py"):
        room = path.parent.name
        used = {name.split(".")[1] for name in imported(path) if name.startswith("benchmarks.")}
        assert used <= SHARED.get(room, {*SHARED, room}), path


NAMES_WRONG_ONES = ROOT / "tests/site/test_commands.py"  # on purpose: they are to be found


def test_every_benchmark_that_is_named_anywhere_is_there() -> None:
    pages = [ROOT / "README.md", ROOT / "Makefile", *(ROOT / "docs").rglob("*.md")]
    sources = [
        path for folder in ("benchmarks", "tests", "mobile_sdk", "qat") for path in (ROOT / folder).rglob("*.py")
    ]
    rooms = "|".join(path.parent.name for path in BENCHMARKS.glob("*/__init__.py"))
    for path in (*pages, *sources):
        if path == NAMES_WRONG_ONES:
            continue
        text = path.read_text(encoding="utf-8")
        modules = re.findall(r"-m benchmarks\.([\w.]*\w)", text) + re.findall(
            rf"\bbenchmarks\.((?:{rooms})\.\w+)", text
        )
        files = {f"{module.replace('.', '/')}.py" for module in modules}
        files |= set(re.findall(r"(?<!tests/)\bbenchmarks/((?:\w+/)*\w+\.(?:py|c|csv|json|md))\b", text))
        packages = {file for file in files if (BENCHMARKS / file.removesuffix(".py") / "__init__.py").is_file()}
        assert not [file for file in files - packages if not (BENCHMARKS / file).is_file()], path


def test_every_result_was_written_by_a_benchmark_that_runs_by_its_name() -> None:
    assert len(MODULES) == sum(len(names) for names in ROOMS.values())
    paths = [(ROOT / module.replace(".", "/")).with_suffix(".py") for module in MODULES.values()]
    paths += [ROOT / module.replace(".", "/") / "__main__.py" for module in ON_REQUEST.values()]
    sources = [path.read_text(encoding="utf-8") for path in paths]
    written = {name for source in sources for name in re.findall(r'write_result\(\s*"(\w+)"', source)}
    assert {path.stem for path in RESULTS.glob("*.json")} <= written


def test_every_result_says_on_what_machine_and_with_which_versions() -> None:
    for path in RESULTS.glob("*.json"):
        environment = json.loads(path.read_text(encoding="utf-8"))["environment"]
        assert environment["processor"] and environment["versions"], path.name


def test_a_target_is_met_only_where_its_figure_keeps_its_bound() -> None:
    for target in overview.all_targets():
        kept = {"at most": target["figure"] <= target["bound"], "at least": target["figure"] >= target["bound"]}
        is_close = target["figure"] == target["bound"]  # the file holds it rounded, it was judged unrounded
        assert is_close or target["met"] == kept[target["sense"]], target["work"]
        assert target["met"] or target["limit"], f"{target['work']} is not met and does not say why"


def test_the_overview_is_written_from_the_results() -> None:
    assert overview.PATH.read_text(encoding="utf-8") == overview.page(), "run: python -m benchmarks.core.overview"


def test_ratios_and_gains_are_judged_by_the_unrounded_figure() -> None:
    just_over = Target.ratio("work", "ms", stock=1.0, ours=1.40004, at_most=1.4)
    assert not just_over.is_met and just_over.row()["figure"] == 1.4
    assert Target.ratio("work", "ms", stock=1.0, ours=1.4, at_most=1.4).is_met
    assert Target.gain("work", "dB", stock=14.0, ours=20.0, at_least=6.0).is_met
    assert not Target.gain("work", "dB", stock=14.0, ours=19.9, at_least=6.0).is_met


def test_an_unknown_benchmark_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundels"]) == 2
    assert "bundles" in capsys.readouterr().err
