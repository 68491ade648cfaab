"""Compares sets of scores and returns how far apart they are, never just a bool."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

InUnit = Callable[[NDArray[Any]], NDArray[Any]]
_ELEMENTS = 2**22  # compared at a time: as float64, with intermediate results, some 200 MB


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Measures how far `actual` is from `expected`, over every element of every picture.

    Every number is finite, so JSON-safe.

    `elements`: all elements. `differing`: those that are not equal, NaN and infinities in `actual` included.
    `not_finite`: NaN and infinities in either array; the four measures below leave these elements out.
    `max_steps`, `mean_abs_steps`: largest and mean `|actual - expected|`, in the arrays' own unit: steps of the output
    scale for an int8 program, the scores' unit for a float32 one.
    `sqnr_db`: `10 log10(sum(expected²) / sum((actual - expected)²))`. It is None if the ratio is no number: without any
    noise (`differing` is 0: infinitely good) or with noise on a signal that is all zero (infinitely bad).
    `top1_agreement`: the share of pictures whose largest score has the same index; ties go to the lower index.
    """

    elements: int
    differing: int
    not_finite: int
    max_steps: float
    mean_abs_steps: float
    sqnr_db: float | None
    top1_agreement: float

    @property
    def is_exact(self) -> bool:
        """Tells whether every element is equal, and there was at least one."""
        return self.elements > 0 and self.differing == 0

    def reaches_db(self, bound_db: float) -> bool:
        """Tells whether the signal is at least `bound_db` above the noise, and every element is finite."""
        if self.not_finite:
            return False
        return self.is_exact if self.sqnr_db is None else self.sqnr_db >= bound_db


def compare(actual: ArrayLike, expected: ArrayLike, in_unit: InUnit | None = None) -> Comparison:
    """Compares scores (pictures, classes) of any numeric dtype, one row a picture, some pictures at a time.

    `in_unit` converts a few rows into the unit to compare in, and records of several outputs into numbers. Raises
    ValueError if the shapes differ or are not two-dimensional: that is a caller's mistake, not a measurement.
    """
    found, wanted = np.asarray(actual), np.asarray(expected)
    if found.shape != wanted.shape or found.ndim != 2:
        raise ValueError(
            f"expected two arrays (pictures, classes) of one shape, found {found.shape} and {wanted.shape}"
        )
    parts = [_Part.of(*pair) for pair in _in_unit(found, wanted, in_unit)]
    elements, finite = sum(part.elements for part in parts), sum(part.finite for part in parts)
    largest = max((part.noise for part in parts), default=0.0)
    loudest = max([largest, *(part.signal for part in parts)])
    mean, noise_power, signal_power = 0.0, 0.0, 0.0
    for noise, signal in (_finite(*pair) for pair in _in_unit(found, wanted, in_unit)):
        with np.errstate(over="ignore"):
            mean += float(np.sum(noise / max(finite, 1)))
        noise_power += _power(noise, loudest)
        signal_power += _power(signal, loudest)
    return Comparison(
        elements=elements,
        differing=sum(part.differing for part in parts),
        not_finite=elements - finite,
        max_steps=largest,
        mean_abs_steps=min(mean, largest),  # a sum near the end of float64 may round up to infinity
        sqnr_db=_decibels(signal_power, noise_power),
        top1_agreement=sum(part.agreeing for part in parts) / len(found) if len(found) else 0.0,
    )


def sqnr_db(noise: NDArray[np.float64], signal: NDArray[np.float64]) -> float | None:
    """Returns `10 log10(sum(signal²) / sum(noise²))` in decibels of finite arrays; None if either sum is zero."""
    loudest = max(float(np.abs(part).max(initial=0.0)) for part in (noise, signal))
    return _decibels(_power(signal, loudest), _power(noise, loudest)) if loudest else None


def top1(scores: NDArray[np.generic]) -> NDArray[np.int64]:
    """Returns the index of each row's largest score; ties go to the lower index.

    A row with a NaN or an infinity has none: -1.
    """
    if scores.shape[0] == 0 or scores.shape[1] == 0:
        return np.full(scores.shape[0], -1, dtype=np.int64)
    winners: NDArray[np.int64] = np.argmax(scores, axis=1).astype(np.int64)
    if np.issubdtype(scores.dtype, np.floating):
        winners[~np.isfinite(scores).all(axis=1)] = -1
    return winners


def share(hits: NDArray[np.bool_]) -> float:
    """Returns the share of `hits` that are true, 0..1; 0 for none at all, so that an empty run never looks perfect."""
    return float(np.mean(hits)) if hits.size else 0.0


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Holds the part of a comparison from some pictures: counts, and the largest of noise and of signal."""

    elements: int
    differing: int
    finite: int
    agreeing: int
    noise: float
    signal: float

    @classmethod
    def of(cls, found: NDArray[np.float64], wanted: NDArray[np.float64]) -> "_Part":
        noise, signal = _finite(found, wanted)
        winners = top1(found)
        return cls(
            elements=found.size,
            differing=int(np.count_nonzero(found != wanted)),
            finite=noise.size,
            agreeing=int(np.count_nonzero((winners == top1(wanted)) & (winners >= 0))),
            noise=float(noise.max(initial=0.0)),
            signal=float(np.abs(signal).max(initial=0.0)),
        )


def _in_unit(
    found: NDArray[Any], wanted: NDArray[Any], in_unit: InUnit | None
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yields pairs of some rows, as float64."""
    row = found.shape[1] * (found.dtype.itemsize if found.dtype.names else 1)
    rows = max(1, _ELEMENTS // max(1, row))
    for start in range(0, len(found), rows):
        pair = (each[start : start + rows] for each in (found, wanted))
        first, second = ((each if in_unit is None else in_unit(each)).astype(np.float64) for each in pair)
        yield first, second


def _finite(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns noise and signal where both are finite."""
    finite = np.isfinite(found) & np.isfinite(wanted)
    with np.errstate(over="ignore"):
        noise = np.minimum(np.abs(found[finite] - wanted[finite]), np.finfo(np.float64).max)
    return noise, wanted[finite]


def _power(values: NDArray[np.float64], loudest: float) -> float:
    """Returns the sum of squares in the loudest's unit, so that they neither overflow nor vanish together."""
    return float(np.sum(np.square(values / loudest))) if loudest else 0.0


def _decibels(signal_power: float, noise_power: float) -> float | None:
    if min(signal_power, noise_power) == 0.0:
        return None
    return 10.0 * (math.log10(signal_power) - math.log10(noise_power))
