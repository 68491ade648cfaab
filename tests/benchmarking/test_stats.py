"""The statistics keep their promises, checked on hand-made series and in simulated chance."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.confidence import noise
from benchmarks.confidence.interval_coverage import as_independent
from mobile_sdk.benchmarking.measurements import Plan, judge
from mobile_sdk.benchmarking.statistics import (
    MIN_ROUNDS,
    STEADY_CV_SHARE,
    Summary,
    is_outlier,
    median_interval,
    ratio,
    summarize,
    wilson_interval,
)
from mobile_sdk.errors import SettingError

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


NOISES = (
    (noise.independent(0.03), 40, 25),
    (noise.independent(0.03), 10, 20),
    (noise.memory(0.8, 0.05, 0.01), 40, 25),
    (noise.memory(0.8, 0.01, 0.03), 40, 25),
    (noise.memory(0.8, 0.05, 0.01), 10, 20),
    (noise.memory(0.8, 0.05, 0.01), 10, 1),
    (noise.switching(10, 0.08, 0.01), 40, 25),
    (noise.switching(5, 0.08, 0.01), 10, 20),
    (noise.drift(0.05, 0.03), 40, 25),
    (noise.bursts(0.1, 1.4, 0.03), 40, 25),
    (noise.bursts(0.1, 1.4, 0.03), 10, 20),
    (noise.heavy_tails(0.03), 40, 25),
    (noise.long_rounds(0.01, 0.01), 40, 25),
)
DRAWS = 120


def verdict(summary: Summary, max_ms: float) -> str | None:
    return judge(noise.measured(summary), Plan(max_ms=max_ms)).verdict


@pytest.mark.parametrize(
    ("kind", "rounds", "runs"), NOISES, ids=lambda each: each.kind if isinstance(each, noise.Noise) else str(each)
)
def test_in_six_kinds_of_noise_the_interval_holds_the_median_and_few_verdicts_are_wrong(
    kind: noise.Noise, rounds: int, runs: int
) -> None:
    random = np.random.default_rng(11)
    found = [summarize(kind.draw(random, rounds, runs).tolist()) for _ in range(DRAWS)]
    held = sum(each.median_interval_ms.low <= kind.median_ms <= each.median_interval_ms.high for each in found)
    wrong = Counter(verdict(each, kind.median_ms) for each in found)
    passing = sum(verdict(each, 0.98 * kind.median_ms) == "pass" for each in found)
    chance = 2 * math.sqrt(0.05 * 0.95 / DRAWS)  # two standard errors
    assert held / DRAWS >= 0.93 - chance
    assert (wrong["pass"] + wrong["fail"]) / DRAWS <= 0.05 + chance
    assert passing / DRAWS <= 0.05 + chance


def test_rounds_taken_for_independent_would_fail_where_they_remember() -> None:
    random, kind = np.random.default_rng(11), noise.memory(0.8, 0.05, 0.01)
    intervals = [as_independent(kind.draw(random, 40, 25).tolist()) for _ in range(DRAWS)]
    assert sum(low <= 1 <= high for low, high in intervals) / DRAWS < 0.7


@pytest.mark.parametrize(("rounds", "runs", "margin"), [(40, 25, 0.015), (40, 300, 0.01), (10, 20, 0.06)])
def test_in_quiet_noise_a_small_margin_gets_a_verdict(rounds: int, runs: int, margin: float) -> None:
    random = np.random.default_rng(5)
    found = [summarize(noise.independent(0.03).draw(random, rounds, runs).tolist()) for _ in range(60)]
    assert sum(verdict(each, 1 + margin) == "pass" for each in found) >= 51
    assert sum(verdict(each, 1 / (1 + margin)) == "fail" for each in found) >= 51


def test_more_rounds_narrow_the_interval_where_the_machine_forgets_and_hardly_where_it_does_not() -> None:
    random = np.random.default_rng(2)

    def width(kind: noise.Noise, rounds: int) -> float:
        found = [summarize(kind.draw(random, rounds, 10).tolist()).median_interval_ms for _ in range(9)]
        return float(np.median([each.high - each.low for each in found]))

    assert width(noise.independent(0.03), 400) < width(noise.independent(0.03), 40) / 2.5
    assert width(noise.memory(0.98, 0.05, 0.01), 40) > 5 * width(noise.independent(0.03), 40)


def test_two_speeds_of_the_machine_are_named_and_support_no_verdict() -> None:
    summary = summarize([[1.0, 1.01, 0.99]] * 14 + [[1.08, 1.09, 1.07]] * 12 + [[1.0, 1.01, 0.99]] * 14)
    assert summary.two_speeds_ms == pytest.approx((1.0, 1.08), abs=2e-3)
    assert "switches between two speeds, 1 and 1.08 ms" in (summary.advice or "")
    assert summary.median_interval_ms.low <= 1.0 and summary.median_interval_ms.high >= 1.08
    assert verdict(summary, 2.0) == "not_run"


@pytest.mark.parametrize("slow_share", [0.3, 0.4, 0.5, 0.7])
def test_runs_of_two_times_support_no_verdict_however_steady_their_median(slow_share: float) -> None:
    random = np.random.default_rng(1)
    runs = np.where(random.random((40, 300)) < slow_share, 3.0, 1.0) * random.lognormal(0, 0.01, (40, 300))
    summary = summarize(runs.tolist())
    assert summary.two_speeds_ms == pytest.approx((1.0, 3.0), abs=0.02)
    assert verdict(summary, 10.0) == "not_run"


@pytest.mark.parametrize("rounds", [10, 40, 400])
@pytest.mark.parametrize(("rise", "change"), [(1.25, "slower"), (0.8, "faster")])
def test_a_drift_is_named_in_either_direction(rounds: int, rise: float, change: str) -> None:
    kind = noise.drift(rise - 1, 0.02)
    summary = summarize(kind.draw(np.random.default_rng(3), rounds, 20).tolist())
    assert summary.drift_ratio == pytest.approx(rise, abs=0.05)
    assert f"got {change} all the while" in (summary.advice or "")
    assert verdict(summary, 10.0) == "not_run"


def test_steady_noise_is_neither_a_drift_nor_two_speeds() -> None:
    random = np.random.default_rng(4)
    for kind in (noise.independent(0.03), noise.heavy_tails(0.02), noise.bursts(0.05, 1.4, 0.02)):
        found = [summarize(kind.draw(random, 40, 25).tolist()) for _ in range(40)]
        assert sum(each.advice is not None for each in found) <= 2


@pytest.mark.parametrize("place", [0, 17, 39])
def test_one_wild_round_does_not_matter(place: int) -> None:
    times = noise.independent(0.01).draw(np.random.default_rng(6), 40, 25)
    plain = summarize(times.tolist())
    times[place] *= 30
    wild = summarize(times.tolist())
    assert wild.advice is None and wild.two_speeds_ms is None
    assert wild.median_interval_ms.high < 1.02
    assert wild.median_interval_ms.low == pytest.approx(plain.median_interval_ms.low, rel=0.005)


@pytest.mark.parametrize(("rounds", "runs"), [(10, 1), (10, 20), (40, 25), (3, 1), (1, 5)])
def test_equal_times_are_their_median_within_what_few_rounds_may_hide(rounds: int, runs: int) -> None:
    summary = summarize([[2.0] * runs] * rounds)
    interval = summary.median_interval_ms
    assert interval.low < 2.0 < interval.high
    assert interval.high - 2.0 == pytest.approx(2 * math.expm1(0.045 * (10 / rounds) ** 1.3))
    assert interval.coverage_share == (0.95 if rounds >= MIN_ROUNDS else 0.0)
    assert summary.drift_ratio == 1 and summary.two_speeds_ms is None


def test_the_ratio_of_two_bundles_holds_the_truth_where_one_of_them_remembers() -> None:
    random, held = np.random.default_rng(8), 0
    for _ in range(DRAWS):
        common = noise.memory(0.9, 0.1, 0.01).draw(random, 40, 1)
        own = noise.memory(0.8, 0.02, 0.01).draw(random, 40, 5)
        interval = ratio((common * own).tolist(), common.tolist()).interval
        held += interval.low <= 1 <= interval.high
    assert held / DRAWS >= 0.93 - 2 * math.sqrt(0.05 * 0.95 / DRAWS)


def test_a_summary_of_an_older_file_still_loads() -> None:
    new = {"independent_rounds", "drift_ratio", "fast_ms", "slow_ms"}
    summary = summarize([[1.0, 1.1]] * 12)
    old = Summary.model_validate(summary.model_dump(exclude=new))
    assert (old.median_ms, old.two_speeds_ms, old.advice) == (summary.median_ms, None, None)
