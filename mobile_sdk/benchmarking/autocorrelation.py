"""Finds the long-run interval of a median of rounds if each round resembles the one before.

A machine's speed has a memory that outlasts a round. The variance of a mean over rounds is then larger than that of
independent rounds, by a factor that is estimated from the rounds alone. The rounds are put together in batches of 1, 2,
4 …, and each such series is modelled as one that remembers the batch before (AR(1)). The largest factor counts. The
memory is assumed to be longer than it looks, by as much as few batches may hide. If that leaves fewer than four
independent rounds, the interval is the range that was seen, widened. docs/project/results.md shows how often it
holds the true median.
"""

from collections.abc import Sequence
from math import exp, log, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.benchmarking.two_speeds import lasting_speeds

Rounds = Sequence[Sequence[float]]

FEWEST_ROUNDS = 10
"""Fewer rounds, or fewer batches of rounds, say nothing about memory."""

FEWEST_INDEPENDENT = 4.0
"""Rounds that are worth fewer independent ones support no estimate of their variance."""

_LONGEST_MEMORY = 0.95  # correlation of neighbours
_LAGS = 5
_EVIDENT = 0.6  # standard errors of the correlations' sum, beyond which rounds are taken to remember
_MANY_ROUNDS = 20  # fewer do not show that they forget
_PARTS = 4
_EXCESS = 1.3  # variance between rounds over the variance expected from a round's parts; more is not chance
_LONGER_MEMORY = (1.2, 8.0)  # the memory is longer than it looks by 1.2 + 8 / rounds standard errors
_QUIET_MEMORY = (0.0, 7.0)
_UNSEEN_ROUNDS = 8.0  # the range of n rounds is widened by this number / n on both sides
_UNSEEN_SPEED, _UNSEEN_FADES = 0.045, 1.3  # for 10 rounds, and the power of the number of rounds with which it falls
_TAME_SIGMAS = 3.0
_MAD_TO_SIGMA = 1 / NormalDist().inv_cdf(0.75)


class Band(NamedTuple):
    """Holds the range of a median, and the number of independent rounds that it rests on."""

    low: float
    high: float
    independent_rounds: float


def long_run_band(rounds_ms: Rounds, coverage: float) -> Band:
    """Returns the interval of the long-run median of one bundle's runs; few rounds give a wide one.

    A machine may have another speed that did not occur while it was measured: the interval allows 4.5 % to both sides
    after 10 rounds, 0.7 % after 40.
    """
    band = median_band(rounds_ms, coverage)
    center = log(float(np.median(np.concatenate([np.asarray(round_ms) for round_ms in rounds_ms]))))
    unseen = _UNSEEN_SPEED * (FEWEST_ROUNDS / len(rounds_ms)) ** _UNSEEN_FADES
    return band._replace(low=min(band.low, exp(center - unseen)), high=max(band.high, exp(center + unseen)))


def median_band(rounds_ms: Rounds, coverage: float) -> Band:
    """Returns the interval that holds the median of all runs with `coverage`, in the unit of the values."""
    samples = np.sort(np.concatenate([np.asarray(round_ms, dtype=np.float64) for round_ms in rounds_ms]))
    medians = round_medians(rounds_ms)
    if medians.size < FEWEST_ROUNDS:
        return Band(*_range_seen(samples, medians, 1.0), 1.0)
    median = float(np.median(samples))
    shares = _shares_below(rounds_ms, median)
    inflation = _inflation(shares, _margin(rounds_ms, medians, shares))
    independent = medians.size / inflation
    if independent < FEWEST_INDEPENDENT or lasting_speeds(medians) is not None:
        return Band(*_range_seen(samples, medians, independent), min(independent, FEWEST_INDEPENDENT))
    error = float(shares.std(ddof=1)) / sqrt(independent)
    reach = _student(coverage, medians.size - 1) * error
    low, high = np.quantile(samples, (max(0.0, 0.5 - reach), min(1.0, 0.5 + reach)))
    return Band(float(low), float(high), independent)


def round_medians(rounds_ms: Rounds) -> NDArray[np.float64]:
    """Returns the median of each round."""
    if len({len(round_ms) for round_ms in rounds_ms}) == 1:
        return np.asarray(np.median(np.asarray(rounds_ms, dtype=np.float64), axis=1))
    return np.array([float(np.median(round_ms)) for round_ms in rounds_ms], dtype=np.float64)


def _range_seen(samples: NDArray[np.float64], medians: NDArray[np.float64], independent: float) -> tuple[float, float]:
    """Returns the range of the rounds' medians without the two at the ends, widened, as few rounds may hide some."""
    if medians.size < 2:
        return float(samples[0]), float(samples[-1])
    inner = np.sort(np.log(medians))[1:-1] if medians.size > 3 else np.log(medians)
    center = log(float(np.median(samples)))
    low, high = min(center, float(inner.min())), max(center, float(inner.max()))
    unseen = (high - low) * _UNSEEN_ROUNDS / medians.size * (2 if independent < 1 else 1)
    return exp(low - unseen), exp(high + unseen)


def tame(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the values, with outliers drawn in to three robust standard deviations."""
    center = np.median(values)
    far = _TAME_SIGMAS * _MAD_TO_SIGMA * np.median(np.abs(values - center))
    return np.clip(values, center - far, center + far)


def _shares_below(rounds_ms: Rounds, median: float) -> NDArray[np.float64]:
    """Returns each round's share of runs at or below the median, less that of all runs; large rounds weigh more."""
    sizes = np.array([len(round_ms) for round_ms in rounds_ms])
    below = np.array([np.count_nonzero(np.asarray(round_ms) <= median) for round_ms in rounds_ms])
    return np.asarray((below - sizes * (below.sum() / sizes.sum())) / sizes.mean())


def _margin(rounds_ms: Rounds, medians: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """Returns by how many standard errors of a correlation the memory is assumed longer than it looks.

    If rounds differ no more than the parts of one round let expect, nothing that outlasts a run moves them. If they
    differ by more, or their correlations are not chance, something lasts, and its length is hard to see.
    """
    excess = _excess(rounds_ms, medians)
    if medians.size < _MANY_ROUNDS:
        lasts = excess is None or excess > 1
    else:
        lasts = _evidence(shares) > _EVIDENT or (excess is not None and excess > _EXCESS)
    always, few_rounds = _LONGER_MEMORY if lasts else _QUIET_MEMORY
    return always + few_rounds / medians.size


def _excess(rounds_ms: Rounds, medians: NDArray[np.float64]) -> float | None:
    """Returns the variance of rounds' medians over that of independent runs; None for rounds of few runs."""
    shortest = min(len(round_ms) for round_ms in rounds_ms)
    if shortest < 2 * _PARTS:
        return None
    runs = np.log(np.asarray([round_ms[:shortest] for round_ms in rounds_ms], dtype=np.float64))
    parts = np.stack([np.median(runs[:, start::_PARTS], axis=1) for start in range(_PARTS)])
    expected = float(parts.var(axis=0, ddof=1).mean()) / _PARTS
    return float(tame(np.log(medians)).var(ddof=1)) / max(expected, 1e-300)


def _evidence(values: NDArray[np.float64]) -> float:
    """Returns the sum of the first correlations, near ones weighing more, in its standard errors for independence."""
    apart = values - values.mean()
    squares, count = max(float(apart @ apart), 1e-300), values.size
    weights = 1 - np.arange(1, _LAGS) / _LAGS
    seen = [float(apart[lag:] @ apart[:-lag]) / squares + (1 - lag / count) / count for lag in range(1, _LAGS)]
    return float(weights @ seen) / sqrt(float(weights @ weights) / count)


def _inflation(values: NDArray[np.float64], margin: float) -> float:
    """Returns the variance of the values' mean over that of as many independent values, at least 1."""
    independent, largest, batch = float(values.var(ddof=1)), 1.0, 1
    while independent > 0 and values.size // batch >= FEWEST_ROUNDS:
        count = values.size // batch
        batches = values[values.size - count * batch :].reshape(count, batch).mean(axis=1)
        apart = batches - batches.mean()
        squares = max(float(apart @ apart), 1e-300)
        seen = float(apart[1:] @ apart[:-1]) / squares
        unbiased = seen + (1 + 3 * seen) / count  # Marriott and Pope 1954
        memory = min(max(0.0, unbiased + margin / sqrt(count)), _LONGEST_MEMORY)
        largest = max(largest, batch * squares / (count - 1) / independent * (1 + memory) / (1 - memory))
        batch *= 2
    return largest


def _student(coverage: float, freedom: int) -> float:
    """Returns Student's t for a two-sided coverage (Abramowitz and Stegun 26.7.5; from 9 degrees within 0.1 %)."""
    z = NormalDist().inv_cdf(0.5 + coverage / 2)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
