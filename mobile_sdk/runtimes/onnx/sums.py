"""Finds scales with which every kernel of ONNX Runtime rounds sums, products and means to the reference's codes.

Its kernels round in their own ways, by instruction set (`kernel_rules.py`), and the reference has XNNPACK's rules. They
differ for one or two pairs of codes of 65,536, next to a tie, or for none. A conversion beside such an operator may
hold a scale that is some float32 steps off, so that they differ for none. Every pair that is near a tie is tried.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Add, Constant, Mean, Mul, Quantization, Sub
from mobile_sdk.graph.settled_sums import Codes
from mobile_sdk.runtimes.onnx.kernel_rules import Grids, Pairs, means, plain_differences, products, sums

MOST_STEPS = 8  # of float32, from a scale to the farthest one that is tried
_CONSTANT_STEPS, _CONSTANT_STEP = 64, 2.0**-20  # a constant's scale has more room: there are only 256 sums
_ROUNDING = 2.0**-19  # no rule and no scale that is tried moves a sum by more than this share of its largest term
_CODES = INT8_MAX - INT8_MIN + 1


def sum_grids(operator: Add | Sub) -> Grids | None:
    """Returns the operands' grids with which every kernel gives the reference's codes; None if none are found."""
    a, b, y = grids = _grids(operator)
    pairs = _all_pairs(operator)
    factor_a, factor_b, shift = arithmetic.sum_factors(operator)
    total = (pairs.a - a.zero_point) * factor_a + (pairs.b - b.zero_point) * factor_b
    expected = (total + (1 << (shift - 1))) >> shift
    largest = 2 * _CODES * (1 + max(a.scale, b.scale) / y.scale)
    near = _near_ties(pairs, np.ldexp(total.astype(np.float64), -shift), largest, operator)
    rules = sums if isinstance(operator, Add) else plain_differences
    return _first(operator, grids, near, expected, rules)


def product_grids(operator: Mul) -> Grids | None:
    """Returns the operands' grids with which every kernel gives the reference's codes; None if none are found."""
    a, b, y = grids = _grids(operator)
    pairs = _all_pairs(operator)
    factor, whole = arithmetic.product_factor(a, b, y), (pairs.a - a.zero_point) * (pairs.b - b.zero_point)
    near = _near_ties(pairs, whole * np.float64(factor), 2 * _CODES, operator)
    return _first(operator, grids, near, arithmetic.round_product(whole, factor), products)


def mean_grid(operator: Mean) -> Quantization | None:
    """Returns the input's grid with which every kernel gives the reference's means; None if none is found."""
    _, height, width = operator.input.shape
    count = height * width
    x, y = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    if count * _CODES >= arithmetic.EXACT_IN_FLOAT32:
        return None
    factor, offset = arithmetic.mean_terms(x, y, count)
    totals = _sums_around_steps(factor, offset, count)
    expected = _saturated(np.rint(totals.astype(np.float32) * factor + offset).astype(np.int64) - y.zero_point, y)
    for steps in _from_zero(MOST_STEPS):
        grid = _moved(x, steps)
        found = means(totals - count * x.zero_point, grid, y, count)
        if all(np.array_equal(expected, _saturated(codes, y)) for codes in found):
            return grid
    return None


def _grids(operator: Add | Sub | Mul) -> tuple[Quantization, Quantization, Quantization]:
    a, b, y = (arithmetic.quantization_of(each) for each in (operator.a, operator.b, operator.output))
    return a, b, y


def _all_pairs(operator: Add | Sub | Mul) -> Pairs:
    """Returns every code of the first operand with every one of the second, which may be a constant's one."""
    every = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64)
    second = np.array([int(operator.b.value)], np.int64) if isinstance(operator.b, Constant) else every
    a, b = np.meshgrid(every, second, indexing="ij")
    return Pairs(a=a.ravel(), b=b.ravel())


def _near_ties(pairs: Pairs, steps: NDArray[np.float64], largest: float, operator: Add | Sub | Mul) -> NDArray[np.intp]:
    """Returns which pairs' results some rule could round otherwise; all where the other operand is a constant."""
    if isinstance(operator.b, Constant):
        return np.arange(len(pairs.a))
    y = arithmetic.quantization_of(operator.output)
    from_tie = np.abs(steps - np.floor(steps) - 0.5)
    is_inside = (steps > INT8_MIN - y.zero_point - 1) & (steps < INT8_MAX - y.zero_point + 1)
    return np.flatnonzero(is_inside & (from_tie < _ROUNDING * largest))


def _first(
    operator: Add | Sub | Mul,
    grids: tuple[Quantization, Quantization, Quantization],
    near: NDArray[np.intp],
    expected: Codes,
    rules: Callable[[Pairs, Quantization, Quantization, Quantization], Iterator[Codes]],
) -> Grids | None:
    a, b, y = grids
    pairs = _all_pairs(operator)
    pairs = Pairs(a=pairs.a[near], b=pairs.b[near])
    wanted = _saturated(expected[near], y)
    for one, other in _candidates(a, b, is_constant=isinstance(operator.b, Constant)):
        if all(np.array_equal(wanted, _saturated(found, y)) for found in rules(pairs, one, other, y)):
            return one, other
    return None


def _candidates(a: Quantization, b: Quantization, *, is_constant: bool) -> Iterator[Grids]:
    """Yields the grids themselves, and then those with other scales, the nearest first."""
    if is_constant:
        for steps in _from_zero(_CONSTANT_STEPS):
            yield a, replace(b, scale=float(np.float32(b.scale * (1 + steps * _CONSTANT_STEP))))
        return
    moves = [(one, other) for one in _from_zero(MOST_STEPS) for other in _from_zero(MOST_STEPS)]
    for one, other in sorted(moves, key=lambda move: abs(move[0]) + abs(move[1])):
        yield _moved(a, one), _moved(b, other)


def _from_zero(most: int) -> list[int]:
    """Returns 0, 1, -1, 2, -2 and so on."""
    return sorted(range(-most, most + 1), key=lambda step: (abs(step), -step))


def _moved(grid: Quantization, steps: int) -> Quantization:
    """Returns the grid with a scale that is so many float32 steps larger."""
    bits = np.float32(grid.scale).view(np.int32) + np.int32(steps)
    return replace(grid, scale=float(bits.view(np.float32)))


def _sums_around_steps(factor: np.float32, offset: np.float32, count: int) -> Codes:
    """Returns the sums of `count` codes next to every step from one mean to the next: every rule is monotone."""
    reach = 2 + int(2.0**-18 * (abs(offset) + 2 * _CODES) / factor)
    ties = (np.arange(INT8_MIN - 1, INT8_MAX + 1) + 0.5 - np.float64(offset)) / np.float64(factor)
    nearby = np.rint(ties).astype(np.int64)[:, np.newaxis] + np.arange(-reach, reach + 1)
    return np.unique(nearby.clip(INT8_MIN * count, INT8_MAX * count))


def _saturated(steps: Codes, y: Quantization) -> Codes:
    return np.clip(steps, INT8_MIN - y.zero_point, INT8_MAX - y.zero_point)
