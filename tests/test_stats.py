"""What the statistics promise, checked against hand-made series and against chance itself."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobile_sdk.errors import SettingError
from mobile_sdk.stats import (
    MIN_ROUNDS,
    STEADY_CV_SHARE,
    is_outlier,
    median_interval,
    ratio,
    summarize,
    wilson_interval,
)

times_ms = st.floats(min_value=1e-3, max_value=1e4, allow_nan=False)
rounds = st.lists(st.lists(times_ms, min_size=1, max_size=6), min_size=1, max_size=30)


@given(rounds)
def test_a_summary_is_ordered_and_counts_every_sample(rounds_ms: list[list[float]]) -> None:
    summary = summarize(rounds_ms)
    assert summary.count == sum(len(round_ms) for round_ms in rounds_ms)
    ordered = [summary.min_ms, summary.p50_ms, summary.p90_ms, summary.p99_ms, summary.max_ms]
    assert all(left <= right + 1e-9 * right for left, right in itertools.pairwise(ordered))
    assert summary.p50_ms == pytest.approx(summary.median_ms)
    assert 0 <= summary.outliers < max(summary.count, 1)


@given(rounds, st.floats(min_value=0.5, max_value=2))
def test_another_unit_scales_times_and_leaves_shares(rounds_ms: list[list[float]], factor: float) -> None:
    plain, scaled = summarize(rounds_ms), summarize([[value * factor for value in round_ms] for round_ms in rounds_ms])
    assert scaled.median_ms == pytest.approx(plain.median_ms * factor)
    assert scaled.mad_ms == pytest.approx(plain.mad_ms * factor, abs=1e-9)
    assert scaled.cv_share == pytest.approx(plain.cv_share, abs=1e-6)


@given(rounds)
def test_the_interval_holds_the_median(rounds_ms: list[list[float]]) -> None:
    summary = summarize(rounds_ms)
    assert summary.median_interval_ms.low <= summary.median_ms * (1 + 1e-12)
    assert summary.median_interval_ms.high >= summary.median_ms * (1 - 1e-12)


@pytest.mark.parametrize(("round_noise", "run_noise"), [(0.0, 0.1), (0.05, 0.01), (0.02, 0.02)])
def test_the_interval_covers_the_true_median_whether_noise_is_the_rounds_or_the_runs(
    round_noise: float, run_noise: float
) -> None:
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        logs = round_noise * random.normal(size=(40, 1)) + run_noise * random.normal(size=(40, 5))
        interval = summarize(np.exp(logs).tolist()).median_interval_ms
        covered += interval.low <= 1.0 <= interval.high
    assert covered / 400 == pytest.approx(0.95, abs=0.035)  # three standard errors of 400 trials


def test_order_statistics_are_those_of_the_published_tables() -> None:
    values = np.arange(1.0, 51.0)  # n = 50: the 95 % interval runs from the 18th to the 33rd value
    interval = median_interval(values)
    assert (interval.low, interval.high) == (18.0, 33.0)
    assert interval.coverage_share == pytest.approx(0.9672, abs=5e-5)
    six = median_interval(np.arange(1.0, 7.0))  # n = 6: the whole range, 31/32
    assert (six.low, six.high, six.coverage_share) == (1.0, 6.0, 1 - 2 / 64)


def test_the_interval_covers_the_true_median_as_often_as_it_says() -> None:
    draws = np.random.default_rng(7).lognormal(size=(4000, 21))
    intervals = [median_interval(draw) for draw in draws]
    covered = np.mean([interval.low <= 1.0 <= interval.high for interval in intervals])
    assert covered == pytest.approx(intervals[0].coverage_share, abs=0.012)


def test_few_rounds_support_no_verdict_however_many_runs() -> None:
    summary = summarize([[1.0, 1.01] * 50] * (MIN_ROUNDS - 1))
    assert not summary.is_steady
    assert summary.advice is not None and "measure longer" in summary.advice


def test_one_interrupted_run_leaves_the_series_steady_although_its_plain_cv_is_high() -> None:
    summary = summarize([[1.0, 1.01, 0.99]] * 20 + [[1.0, 60.0]])
    assert summary.cv_share > 1
    assert summary.outliers == 1
    assert summary.is_steady and summary.advice is None


def test_a_burst_over_half_of_the_rounds_gives_no_verdict_and_says_what_to_do() -> None:
    summary = summarize([[1.0, 1.01]] * 12 + [[1.5, 1.51]] * 12)
    assert summary.robust_cv_share > STEADY_CV_SHARE
    assert summary.advice is not None and "close other programs" in summary.advice


def test_pairing_by_round_sees_through_a_slow_machine() -> None:
    slowness = np.repeat([1.0, 1.5, 3.0], 10)
    compared = ratio([[2.0 * s, 2.1 * s] for s in slowness], [[4.0 * s, 4.2 * s] for s in slowness])
    assert compared.median == pytest.approx(0.5)
    assert compared.interval.high - compared.interval.low < 1e-9


@given(rounds)
def test_a_series_over_itself_is_one(rounds_ms: list[list[float]]) -> None:
    assert ratio(rounds_ms, rounds_ms).median == 1.0


def test_series_that_were_not_measured_together_are_refused() -> None:
    with pytest.raises(SettingError, match="found 1 and 2"):
        ratio([[1.0]], [[1.0], [1.0]])


@pytest.mark.parametrize("rounds_ms", [[], [[]], [[1.0], []], [[0.0]], [[float("nan")]], [[-1.0]]])
def test_a_series_without_times_is_refused(rounds_ms: list[list[float]]) -> None:
    with pytest.raises(SettingError):
        summarize(rounds_ms)


def test_a_lone_far_value_is_an_outlier_even_among_equal_values() -> None:
    assert is_outlier(np.array([1.0] * 9 + [1000.0])).tolist() == [False] * 9 + [True]


def test_wilson_interval_is_the_published_one() -> None:
    interval = wilson_interval(81, 263)  # Newcombe 1998, table I: 0.2553 to 0.3662
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)


@given(st.integers(1, 5000), st.data())
def test_wilson_interval_holds_the_share_and_stays_within_0_and_1(count: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, count))
    interval = wilson_interval(correct, count)
    assert 0 <= interval.low <= correct / count <= interval.high <= 1


def test_a_series_that_gets_slower_is_told_from_a_steady_one() -> None:
    steady = [[1.0, 1.01, 0.99]] * 100
    hot = [[1.0 + 0.002 * index] * 3 for index in range(100)]
    assert summarize(steady).throttling is None
    assert summarize(steady).last_over_first == pytest.approx(1.0)
    summary = summarize(hot)
    assert summary.last_over_first == pytest.approx(1.18, abs=0.01)
    assert "the last tenth of the runs took 1.18 times as long as the first" in (summary.throttling or "")
    assert summarize(hot[:19]).last_over_first is None, "a tenth of one round says nothing"
