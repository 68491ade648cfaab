"""A budget is judged only where the measurement supports it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from benchmarks.confidence import noise
from mobile_sdk.benchmarking.measurements import Measurement, Plan, Samples, judge, read_numbers
from mobile_sdk.benchmarking.statistics import summarize
from mobile_sdk.errors import DataError
from tests.support.made_up_report import numbers


def measured(rounds_ms: list[list[float]]) -> Measurement:
    return noise.measured(summarize(rounds_ms))


@pytest.mark.parametrize(("max_ms", "verdict"), [(0.9, "fail"), (1.02, "not_run"), (1.2, "pass")])
def test_a_budget_is_judged_only_by_the_whole_interval(max_ms: float, verdict: str) -> None:
    rounds_ms = [[1.0 + 0.05 * (index % 2)] for index in range(40)]
    assert judge(measured(rounds_ms), Plan(max_ms=max_ms)).verdict == verdict


def test_scattered_times_give_no_verdict_even_far_below_the_budget() -> None:
    scattered = measured([[1.0 + index % 7] for index in range(60)])
    judged = judge(scattered, Plan(max_ms=1000))
    assert judged.verdict == "not_run"
    assert "close other programs" in (judged.reason or "")


def test_a_quick_measurement_gives_no_verdict() -> None:
    assert judge(measured([[1.0]] * 50), Plan(max_ms=2, quick=True)).verdict == "not_run"


def test_no_budget_no_verdict() -> None:
    assert judge(measured([[1.0]] * 50), Plan()).verdict is None


def test_samples_that_came_without_a_summary_are_described_by_the_same_rule() -> None:
    rounds_ms = [[1.0, 1.02, 0.98 + 0.01 * (index % 3)] for index in range(20)]
    samples = Samples(
        load_ms=1.0,
        first_run_ms=1.0,
        warm_up_ms=(1.0,),
        rewarm_ms=(1.0,) * 20,
        rounds_ms=tuple(map(tuple, rounds_ms)),
        peak_mib=None,
        seconds=0.1,
    )
    whole = measured(rounds_ms).model_copy(update={"samples": samples})
    sent = json.loads(whole.model_dump_json()) | {"summary": None}
    assert Measurement.model_validate_json(json.dumps(sent), strict=True) == whole
    sent["samples"]["rounds_ms"] = rounds_ms[:3]
    assert "only 3 rounds" in (Measurement.model_validate_json(json.dumps(sent), strict=True).advice or "")
    sent["advice"] = "the scores are not the expected ones"
    assert Measurement.model_validate_json(json.dumps(sent), strict=True).advice == sent["advice"]


@pytest.mark.parametrize("rounds_ms", [[[0.0]], [[-1.0]], [[]], [["a"]]])
def test_sent_samples_that_are_no_times_are_refused_as_the_files_mistake(rounds_ms: list[list[float]]) -> None:
    samples = {"load_ms": 1, "first_run_ms": 1, "warm_up_ms": [], "rewarm_ms": [], "peak_mib": None, "seconds": 1}
    sent = {**measured([[1.0]]).model_dump(), "summary": None, "samples": {**samples, "rounds_ms": rounds_ms}}
    with pytest.raises(ValidationError):
        Measurement.model_validate_json(json.dumps(sent))


@pytest.mark.parametrize("rounds_ms", [[], [[]], [[0.0]], [[-1.0]], [[1e300]], [[None]], [1.0]])
def test_a_file_whose_times_are_not_there_is_refused_in_one_line(rounds_ms: list[Any], tmp_path: Path) -> None:
    written = json.loads(numbers().model_dump_json())
    file = tmp_path / "bench.json"
    file.write_text(json.dumps(written), encoding="utf-8")
    assert read_numbers(file) == numbers()
    written["measurements"][0]["samples"]["rounds_ms"] = rounds_ms
    file.write_text(json.dumps(written), encoding="utf-8")
    with pytest.raises(DataError, match=r"the numbers of bench at .*bench\.json, found: [^\n]*$"):
        read_numbers(file)


def test_rounds_that_resemble_their_neighbours_say_how_little_they_are_worth() -> None:
    times = noise.memory(0.9, 0.03, 0.01).draw(np.random.default_rng(0), 40, 25)
    judged = judge(measured(times.tolist()), Plan(max_ms=float(np.median(times))))
    assert judged.verdict == "not_run"
    assert "as 40 rounds that resemble their neighbours are worth" in (judged.reason or "")
    assert "measure longer" in (judged.reason or "")
