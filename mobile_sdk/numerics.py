"""Comparison as product code: how far one set of scores is from another, never just a bool."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How far `actual` is from `expected`, over every element of every picture; every number is finite, so JSON-safe.

    `elements`: all elements. `differing`: those that are not equal, NaN and infinities in `actual` included.
    `not_finite`: NaN and infinities in either array; the four measures below leave these elements out.
    `max_steps`, `mean_abs_steps`: largest and mean `|actual - expected|`, in the arrays' own unit: steps of the output
    scale for an int8 program, the scores' unit for a float32 one.
    `sqnr_db`: `10 log10(sum(expected²) / sum((actual - expected)²))`. Null where the ratio is no number: without any
    noise (`differing` is 0: infinitely good) or with noise on a signal that is all zero (infinitely bad).
    `top1_agreement_share`: of the pictures, those whose largest score has the same index; ties go to the lower index.
    """

    elements: int
    differing: int
    not_finite: int
    max_steps: float
    mean_abs_steps: float
    sqnr_db: float | None
    top1_agreement_share: float

    @property
    def is_exact(self) -> bool:
        """Whether every element is equal, and there was at least one."""
        return self.elements > 0 and self.differing == 0

    def reaches_db(self, bound_db: float) -> bool:
        """Whether the signal stands at least `bound_db` above the noise, and every element is finite."""
        if self.not_finite:
            return False
        return self.is_exact if self.sqnr_db is None else self.sqnr_db >= bound_db


def compare(actual: ArrayLike, expected: ArrayLike) -> Comparison:
    """Compares scores (pictures, classes) of any numeric dtype, one row a picture.

    Raises ValueError where the shapes differ or are not two-dimensional: that is a caller's mistake, not a measurement.
    """
    found, wanted = np.asarray(actual, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if found.shape != wanted.shape or found.ndim != 2:
        raise ValueError(
            f"expected two arrays (pictures, classes) of one shape, found {found.shape} and {wanted.shape}"
        )
    finite = np.isfinite(found) & np.isfinite(wanted)
    with np.errstate(over="ignore"):
        noise = np.minimum(np.abs(found[finite] - wanted[finite]), np.finfo(np.float64).max)
        largest, mean = float(noise.max(initial=0.0)), float(np.sum(noise / max(noise.size, 1)))
    winners = top1(found)
    return Comparison(
        elements=found.size,
        differing=int(np.count_nonzero(found != wanted)),
        not_finite=int(found.size - np.count_nonzero(finite)),
        max_steps=largest,
        mean_abs_steps=min(mean, largest),  # a sum near the end of float64 may round up to infinity
        sqnr_db=sqnr_db(noise, wanted[finite]),
        top1_agreement_share=share((winners == top1(wanted)) & (winners >= 0)),
    )


def sqnr_db(noise: NDArray[np.float64], signal: NDArray[np.float64]) -> float | None:
    """`10 log10(sum(signal²) / sum(noise²))` in decibels of finite arrays; None where either sum is zero."""
    loudest = max(float(np.abs(part).max(initial=0.0)) for part in (noise, signal))
    if loudest == 0.0:
        return None
    # Divided by the largest element first, squares neither overflow nor vanish together.
    powers = [float(np.sum(np.square(part / loudest))) for part in (signal, noise)]
    if min(powers) == 0.0:
        return None
    return 10.0 * (math.log10(powers[0]) - math.log10(powers[1]))


def top1(scores: NDArray[np.generic]) -> NDArray[np.int64]:
    """The index of each row's largest score; ties go to the lower index, and a row that holds a NaN has none: -1."""
    if scores.shape[0] == 0 or scores.shape[1] == 0:
        return np.full(scores.shape[0], -1, dtype=np.int64)
    winners: NDArray[np.int64] = np.argmax(scores, axis=1).astype(np.int64)
    if np.issubdtype(scores.dtype, np.floating):
        winners[np.isnan(scores.astype(np.float64)).any(axis=1)] = -1
    return winners


def share(hits: NDArray[np.bool_]) -> float:
    """How many of `hits` are true, 0..1; 0 for none at all, so that an empty run never looks perfect."""
    return float(np.mean(hits)) if hits.size else 0.0
