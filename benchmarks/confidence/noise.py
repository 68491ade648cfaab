"""Simulates six kinds of a machine's noise: rounds of run times around a known median of 1 ms."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mobile_sdk.benchmarking.measurements import Measurement
from mobile_sdk.benchmarking.statistics import Summary

Times = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """Holds one kind: `draw(random, rounds, runs)` returns times (rounds, runs) in ms with the long-run `median_ms`."""

    kind: str
    what: str
    draw: Callable[[Generator, int, int], Times]
    median_ms: float = 1.0


def measured(summary: Summary) -> Measurement:
    """Returns the measurement of a bundle whose rounds have that summary, to be judged."""
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


def independent(share: float) -> Noise:
    """Draws every run independently."""
    return Noise("independent", f"runs ±{share:.0%}", partial(_independent, share))


def memory(correlation: float, share: float, runs_share: float) -> Noise:
    """Draws a speed that remembers the round before: AR(1)."""
    rounds = round((1 + correlation) / (1 - correlation) / 2, 1)
    what = f"speed ±{share:.1%}, memory {rounds:g} rounds, runs ±{runs_share:.0%}"
    return Noise("memory", what, partial(_memory, correlation, share, runs_share))


def switching(dwell: float, gap: float, runs_share: float) -> Noise:
    """Draws two speeds, each kept for `dwell` rounds on average."""
    what = f"{gap:.0%} apart for {dwell:g} rounds each, runs ±{runs_share:.0%}"
    return Noise("two speeds", what, partial(_switching, dwell, gap, runs_share))


def drift(rise: float, runs_share: float) -> Noise:
    """Makes every round slower than the one before; the median is that of the middle."""
    return Noise("drift", f"{rise:.0%} from first to last, runs ±{runs_share:.0%}", partial(_drift, rise, runs_share))


def bursts(share: float, slowdown: float, runs_share: float) -> Noise:
    """Makes some rounds slower, each independently."""
    what = f"{share:.0%} of rounds {slowdown:g} times as slow, runs ±{runs_share:.0%}"
    median = _burst_median(share, slowdown, runs_share)
    return Noise("bursts", what, partial(_bursts, share, slowdown, runs_share), median)


def heavy_tails(share: float) -> Noise:
    """Makes few runs far slower: Student's t with 2 degrees of freedom, of the logarithm."""
    return Noise("heavy tails", f"runs ±{share:.0%}, t of 2", partial(_heavy_tails, share))


def long_rounds(share: float, runs_share: float) -> Noise:
    """Makes few rounds far slower, in the same way."""
    what = f"rounds ±{share:.0%}, t of 2, runs ±{runs_share:.0%}"
    return Noise("heavy tails", what, partial(_long_rounds, share, runs_share))


def _independent(share: float, random: Generator, rounds: int, runs: int) -> Times:
    return np.exp(random.normal(0, share, (rounds, runs)))


def _memory(correlation: float, share: float, runs_share: float, random: Generator, rounds: int, runs: int) -> Times:
    speed = random.normal(0, share, rounds)
    for index in range(1, rounds):
        speed[index] = correlation * speed[index - 1] + np.sqrt(1 - correlation**2) * speed[index]
    return np.exp(speed[:, None]) * _independent(runs_share, random, rounds, runs)


def _switching(dwell: float, gap: float, runs_share: float, random: Generator, rounds: int, runs: int) -> Times:
    state = (np.cumsum(random.random(rounds) < 1 / dwell) + random.integers(2)) % 2
    return np.exp(gap * (state[:, None] - 0.5)) * _independent(runs_share, random, rounds, runs)


def _drift(rise: float, runs_share: float, random: Generator, rounds: int, runs: int) -> Times:
    speed = np.linspace(-0.5, 0.5, rounds) * np.log1p(rise)
    return np.exp(speed[:, None]) * _independent(runs_share, random, rounds, runs)


def _bursts(share: float, slowdown: float, runs_share: float, random: Generator, rounds: int, runs: int) -> Times:
    slow = random.random(rounds) < share
    return np.where(slow, slowdown, 1.0)[:, None] * _independent(runs_share, random, rounds, runs)


def _burst_median(share: float, slowdown: float, runs_share: float) -> float:
    """Finds the median of the mixture of both log-normals by bisection."""
    normal, low, high = NormalDist(0, runs_share), 0.0, float(np.log(slowdown))
    for _ in range(60):
        middle = (low + high) / 2
        below = (1 - share) * normal.cdf(middle) + share * normal.cdf(middle - float(np.log(slowdown)))
        low, high = (middle, high) if below < 0.5 else (low, middle)
    return float(np.exp(low))


def _heavy_tails(share: float, random: Generator, rounds: int, runs: int) -> Times:
    return np.exp(share * random.standard_t(2, (rounds, runs)))


def _long_rounds(share: float, runs_share: float, random: Generator, rounds: int, runs: int) -> Times:
    return np.exp(share * random.standard_t(2, (rounds, 1))) * _independent(runs_share, random, rounds, runs)
