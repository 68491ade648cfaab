"""A budget is judged only where the measurement supports it."""

import pytest

from mobile_sdk.measurements import Measurement, Plan, judge
from mobile_sdk.stats import summarize


def measured(rounds_ms: list[list[float]]) -> Measurement:
    summary = summarize(rounds_ms)
    return Measurement(
        bundle="a",
        name="a",
        runtime="r",
        precision="int8",
        model_bytes=1,
        samples=None,
        summary=summary,
        advice=summary.advice,
        not_run=None,
    )


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
