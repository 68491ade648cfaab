"""Benchmarks' results are what they say: every target judged by its own figures, every result from a command here."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture(autouse=True)
def _benchmarks_can_be_imported() -> Iterator[None]:
    sys.path.insert(0, str(ROOT))
    yield
    sys.path.remove(str(ROOT))


def test_every_result_was_written_by_a_benchmark_that_make_bench_runs() -> None:
    from benchmarks.__main__ import NAMES

    assert len(set(NAMES)) == len(NAMES)
    sources = [(ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8") for name in NAMES]
    written = {name for source in sources for name in re.findall(r'write_result\(\s*"(\w+)"', source)}
    assert {path.stem for path in RESULTS.glob("*.json")} <= written


def test_every_result_says_on_what_machine_and_with_which_versions() -> None:
    for path in RESULTS.glob("*.json"):
        environment = json.loads(path.read_text(encoding="utf-8"))["environment"]
        assert environment["processor"] and environment["versions"], path.name


def test_a_target_is_met_only_where_its_figure_keeps_its_bound() -> None:
    from benchmarks.overview import all_targets

    for target in all_targets():
        kept = {"at most": target["figure"] <= target["bound"], "at least": target["figure"] >= target["bound"]}
        is_close = target["figure"] == target["bound"]  # the file holds it rounded, it was judged unrounded
        assert is_close or target["met"] == kept[target["sense"]], target["work"]
        assert target["met"] or target["limit"], f"{target['work']} is not met and does not say why"


def test_the_overview_is_written_from_the_results() -> None:
    from benchmarks import overview

    assert overview.PATH.read_text(encoding="utf-8") == overview.page(), "run: python -m benchmarks.overview"


def test_ratios_and_gains_are_judged_by_the_unrounded_figure() -> None:
    from benchmarks.targets import Target

    just_over = Target.ratio("work", "ms", stock=1.0, ours=1.40004, at_most=1.4)
    assert not just_over.is_met and just_over.row()["figure"] == 1.4
    assert Target.ratio("work", "ms", stock=1.0, ours=1.4, at_most=1.4).is_met
    assert Target.gain("work", "dB", stock=14.0, ours=20.0, at_least=6.0).is_met
    assert not Target.gain("work", "dB", stock=14.0, ours=19.9, at_least=6.0).is_met


def test_an_unknown_benchmark_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.__main__ import main

    assert main(["bundels"]) == 2
    assert "bundles" in capsys.readouterr().err
