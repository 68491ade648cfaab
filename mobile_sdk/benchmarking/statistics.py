"""Describes a series of times, and says when it supports no verdict.

The caller keeps every sample, and everything here is derived from samples. Quantiles follow one rule: linear
interpolation between order statistics (Hyndman and Fan 1996, type 7, numpy's default), so that p50 is the median. Sums
are taken in the order of the runs: Kotlin and Swift, which show a part of it, get the same bits. Runs
taken back to back are not independent, and neither are rounds of runs: the rounds themselves show how long a machine
remembers (`long_run_band`), and if it has two speeds (`two_speeds`).
"""

from collections.abc import Sequence
from math import comb, exp, log, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.benchmarking.autocorrelation import (
    FEWEST_ROUNDS,
    Rounds,
    long_run_band,
    median_band,
    round_medians,
    tame,
)
from mobile_sdk.benchmarking.two_speeds import lasting_speeds, two_speeds
from mobile_sdk.document import Document
from mobile_sdk.errors import SettingError

COVERAGE = 0.95
"""An interval shall hold the true value this often."""

STEADY_CV_SHARE = 0.10
"""A larger robust CV supports no verdict; this is a quarter of the 1.4-fold slowdown that a burst of noise causes."""

THROTTLED_RATIO = 1.05
"""The last tenth of a series may be so much slower than the first; half of the scatter that is allowed."""

LEAST_MS, MOST_MS = 1e-9, 1e12
"""Other times are none: no clock ticks so fast, no run takes 30 years. Squares of these neither overflow nor vanish."""

MIN_ROUNDS = FEWEST_ROUNDS
"""Fewer rounds support no verdict: the spread between them would be a guess."""

_DRIFT_ERRORS = 3.0  # standard errors of a slope that chance does not explain
_SECOND_SPEED_SHARE = 0.2  # of the runs; rarer slow runs are bursts
_SECOND_SPEED_ROUNDS = 0.1  # of the rounds, if the machine stays in it

_MAD_TO_SIGMA = 1 / NormalDist().inv_cdf(0.75)  # 1.4826: makes the MAD of a normal series its standard deviation
_OUTLIER_SIGMAS = 3.5  # Iglewicz and Hoaglin 1993


class Interval(Document):
    """An interval goes from `low` to `high`; `coverage_share` is how often such an interval holds the true value."""

    low: float
    high: float
    coverage_share: float


class Summary(Document):
    """Summarizes a series of latencies.

    `robust_cv_share` is 1.4826 MAD over the median. It judges steadiness: one interrupted run in a hundred moves the
    plain CV and says nothing about the median.
    """

    count: int
    rounds: int
    median_ms: float
    median_interval_ms: Interval
    mad_ms: float
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    min_ms: float
    max_ms: float
    cv_share: float
    robust_cv_share: float
    outliers: int
    last_over_first: float | None = None  # medians of the last and the first tenth; None for too few rounds
    independent_rounds: float | None = None  # how many such rounds the interval rests on; None in older files
    drift_ratio: float | None = None  # of the last round and the first, by the line that fits; 1 without a drift
    fast_ms: float | None = None  # the two speeds of a machine that has two, which do not average out;
    slow_ms: float | None = None  # both are the median if it has one

    @property
    def is_steady(self) -> bool:
        """Tells whether the series supports a verdict about its median."""
        return self.robust_cv_share <= STEADY_CV_SHARE and self.rounds >= MIN_ROUNDS

    @property
    def two_speeds_ms(self) -> tuple[float, float] | None:
        """Returns the two speeds of the machine, None if it has one."""
        return None if self.fast_ms is None or self.slow_ms in (None, self.fast_ms) else (self.fast_ms, self.slow_ms)

    @property
    def throttling(self) -> str | None:
        """Returns advice if the series got slower from its first tenth to its last, as on hot phones, else None."""
        if self.last_over_first is None or self.last_over_first <= THROTTLED_RATIO:
            return None
        return (
            f"the last tenth of the runs took {self.last_over_first:.2f} times as long as the first and a verdict "
            f"needs at most {THROTTLED_RATIO:.2f}: let the device cool down, off the charger, and measure again"
        )

    @property
    def advice(self) -> str | None:
        """Returns one sentence of advice if the series supports no verdict, else None."""
        if self.rounds < MIN_ROUNDS:
            return f"only {self.rounds} rounds were measured and a verdict needs {MIN_ROUNDS}: measure longer"
        if self.two_speeds_ms is not None:
            fast_ms, slow_ms = self.two_speeds_ms
            return (
                f"the machine switches between two speeds, {fast_ms:.3g} and {slow_ms:.3g} ms, too seldom to average "
                "out: close other programs, fix the CPU frequency, measure again"
            )
        if self.drift_ratio is not None and self.drift_ratio != 1:
            change = "slower" if self.drift_ratio > 1 else "faster"
            return (
                f"the runs got {change} all the while, in the end they took {self.drift_ratio:.2f} times as long as "
                "at first: let the machine settle (a phone: cool, off the charger), close other programs, measure again"
            )
        if not self.is_steady:
            return (
                f"the times scatter by {self.robust_cv_share:.0%} of their median and a verdict needs at most "
                f"{STEADY_CV_SHARE:.0%}: close other programs, fix the CPU frequency, measure again"
            )
        return None


class Ratio(Document):
    """Holds the first series over the second, round by round: below 1 the first is faster."""

    median: float
    interval: Interval
    rounds: int


def summarize(rounds_ms: Rounds) -> Summary:
    """Describes one bundle's times, given as rounds of runs; single independent samples are rounds of one.

    The interval of the median holds for the long run: see `long_run`. Raises SettingError without a sample.
    """
    samples = _positive(rounds_ms)
    ordered, mean = np.sort(samples), float(np.cumsum(samples)[-1]) / samples.size
    median, p90, p99 = (_quantile(ordered, share) for share in (0.5, 0.9, 0.99))
    distances = np.abs(samples - median)
    mad = _quantile(np.sort(distances), 0.5)
    band, medians = long_run_band(rounds_ms, COVERAGE), round_medians(rounds_ms)
    fast, slow = _two_speeds_ms(samples, medians) or (median, median)
    return Summary(
        count=samples.size,
        rounds=len(rounds_ms),
        median_ms=median,
        median_interval_ms=Interval(low=band.low, high=band.high, coverage_share=_coverage(len(rounds_ms))),
        mad_ms=mad,
        mean_ms=mean,
        p50_ms=median,
        p90_ms=p90,
        p99_ms=p99,
        min_ms=float(samples.min()),
        max_ms=float(samples.max()),
        cv_share=_standard_deviation(samples, mean) / mean,
        robust_cv_share=_MAD_TO_SIGMA * mad / median,
        outliers=int((distances > _OUTLIER_SIGMAS * _MAD_TO_SIGMA * mad).sum()),
        last_over_first=_last_over_first(rounds_ms),
        independent_rounds=band.independent_rounds,
        drift_ratio=_drift_ratio(medians),
        fast_ms=fast,
        slow_ms=slow,
    )


def ratio(first_ms: Rounds, second_ms: Rounds) -> Ratio:
    """Compares two series measured in the same interleaved rounds: the median of the ratios of the rounds' medians.

    Pairing by round cancels slowdowns that last longer than a round; other effects that outlast a round, such as each
    process's memory layout, widen the interval. Raises SettingError for unequal numbers of rounds.
    """
    if len(first_ms) != len(second_ms):
        raise SettingError(
            f"expected series of as many rounds, found {len(first_ms)} and {len(second_ms)}",
            hint="compare only series that were measured together",
        )
    _positive(first_ms), _positive(second_ms)
    ratios = round_medians(first_ms) / round_medians(second_ms)
    independent, band = median_interval(ratios), median_band([[each] for each in ratios], COVERAGE)
    interval = Interval(
        low=min(independent.low, band.low),
        high=max(independent.high, band.high),
        coverage_share=_coverage(len(ratios)),
    )
    return Ratio(median=float(np.median(ratios)), interval=interval, rounds=len(ratios))


def median_interval(values: Sequence[float] | NDArray[np.float64], *, coverage: float = COVERAGE) -> Interval:
    """Returns the narrowest pair of symmetric order statistics that holds the median with at least `coverage`.

    Fewer than 6 values cannot reach 95 %: the interval is then their range, and its coverage says so. (David and
    Nagaraja, Order Statistics, 3rd edition, section 7.1.)
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    count = ordered.size
    tail, rank = 0.5**count, 0  # P(Binomial(count, 1/2) <= rank)
    while rank + 1 < count / 2:
        wider = tail + comb(count, rank + 1) * 0.5**count
        if 1 - 2 * wider < coverage:
            break
        tail, rank = wider, rank + 1
    covered = max(0.0, 1 - 2 * tail)
    return Interval(low=float(ordered[rank]), high=float(ordered[count - 1 - rank]), coverage_share=covered)


def wilson_interval(correct: float, count: float) -> Interval:
    """Returns the 95 % interval of a share that was counted, such as an accuracy (Wilson 1927)."""
    if not 0 <= correct <= count or count == 0:
        raise SettingError(
            f"expected 0 <= correct <= count, found {correct} of {count}", hint="count at least 1 picture"
        )
    z = NormalDist().inv_cdf(0.5 + COVERAGE / 2)
    share = correct / count
    center = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    low = 0.0 if correct == 0 else center - half  # exact at both ends, where rounding would leave 1e-17
    high = 1.0 if correct == count else center + half
    return Interval(low=low, high=high, coverage_share=COVERAGE)


def is_outlier(samples: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Marks the samples that are more than 3.5 robust standard deviations (1.4826 MAD) from the median."""
    distance = np.abs(samples - np.median(samples))
    outlying: NDArray[np.bool_] = distance > _OUTLIER_SIGMAS * _MAD_TO_SIGMA * np.median(distance)
    return outlying


def _coverage(rounds: int) -> float:
    """Returns the coverage of an interval; few rounds give the range that was seen, which promises nothing."""
    return COVERAGE if rounds >= MIN_ROUNDS else 0.0


def _quantile(ordered: NDArray[np.float64], share: float) -> float:
    """Returns the quantile of sorted values, by the operations of Kotlin and Swift and in their order."""
    place = share * (ordered.size - 1)
    below = int(place)
    low, high = float(ordered[below]), float(ordered[min(below + 1, ordered.size - 1)])
    return low + (place - below) * (high - low)


def _standard_deviation(samples: NDArray[np.float64], mean: float) -> float:
    squares = float(np.cumsum(np.square(samples - mean))[-1])
    return sqrt(squares / (samples.size - 1)) if samples.size > 1 else 0.0


def _last_over_first(rounds_ms: Rounds) -> float | None:
    tenth = len(rounds_ms) // 10
    if tenth < 2:
        return None
    last, first = (
        _quantile(np.sort([_median(each) for each in part]), 0.5) for part in (rounds_ms[-tenth:], rounds_ms[:tenth])
    )
    return last / first


def _median(round_ms: Sequence[float]) -> float:
    return _quantile(np.sort(np.asarray(round_ms, dtype=np.float64)), 0.5)


def _drift_ratio(medians: NDArray[np.float64]) -> float:
    """Returns the end over the beginning of the line through the rounds; 1 if chance explains the difference.

    The line is that of least squares, of the medians' logarithms.
    """
    if medians.size < MIN_ROUNDS:
        return 1.0
    logs, place = tame(np.log(medians)), np.linspace(-0.5, 0.5, medians.size)
    rise = float(place @ logs / (place @ place))
    left = logs - logs.mean() - rise * place
    error = sqrt(float(left @ left) / (medians.size - 2) / float(place @ place))
    is_drift = abs(rise) > max(log(THROTTLED_RATIO), _DRIFT_ERRORS * error)
    return exp(rise) if is_drift else 1.0


def _two_speeds_ms(samples: NDArray[np.float64], medians: NDArray[np.float64]) -> tuple[float, float] | None:
    """Returns the two speeds of runs, or of rounds if the machine stays in each, if both matter; else None."""
    of_runs, of_rounds = two_speeds(samples), lasting_speeds(medians)
    for found, least_share in ((of_rounds, _SECOND_SPEED_ROUNDS), (of_runs, _SECOND_SPEED_SHARE)):
        if found and found.gap > log(THROTTLED_RATIO) and found.rarer_share >= least_share:
            return found.fast, found.slow
    return None


def _positive(rounds_ms: Rounds) -> NDArray[np.float64]:
    if not rounds_ms or not all(len(round_ms) for round_ms in rounds_ms):
        raise SettingError("expected at least one run in every round, found none", hint="measure at least one run")
    samples = np.concatenate([np.asarray(round_ms, dtype=np.float64) for round_ms in rounds_ms])
    if not np.all((samples >= LEAST_MS) & (samples <= MOST_MS)):
        expected = f"expected times of {LEAST_MS:g} to {MOST_MS:g} ms, found others"
        raise SettingError(expected, hint="measure with a monotonic clock")
    return samples
