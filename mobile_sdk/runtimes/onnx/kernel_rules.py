"""Says how ONNX Runtime's kernels round sums, products and means, on every instruction set (`core/mlas/lib`).

All of them take codes as they are stored, less nothing: `code + 128`. Results are less the output's zero point.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import INT8_MIN, Quantization
from mobile_sdk.graph.settled_sums import Codes, fused, rounded, sums_on_arm

Floats = NDArray[np.float32]
Grids = tuple[Quantization, Quantization]
_ARM_RATIOS = (2.0**-14, 2.0**8)  # beyond these its kernel of a sum is the portable one
_MEAN_RANGE = (2.0**-32, 2.0**8)  # the kernel of a mean refuses another factor
_NONE_AGREES = np.zeros(0, np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Holds int8 codes of two operands, element by element."""

    a: Codes
    b: Codes


def sums(pairs: Pairs, a: Quantization, b: Quantization, y: Quantization) -> Iterator[Codes]:
    """Yields the codes of sums by every kernel.

    On x86 the terms are added to a fixed part, in either order, with fused operations or not (`qladd.cpp`,
    `intrinsics/avx2/qladd_avx2.cpp`); on Arm they are whole numbers.
    """
    yield from _plain(pairs, a, b, y, sign=1)
    ratios = [np.float32(each.scale) / np.float32(y.scale) for each in (a, b)]
    zeros = [stored_zero(each) for each in (a, b, y)]
    terms = list(zip((pairs.a - INT8_MIN, pairs.b - INT8_MIN), ratios, strict=True))
    for fixed in _fixed_parts(ratios, zeros):
        for first, second in (terms, terms[::-1]):
            yield rounded((fixed + _product(*first)) + _product(*second)) - zeros[2]
            yield rounded(fused(*second, fused(*first, fixed))) - zeros[2]
            yield rounded(fused(*second, fixed + _product(*first))) - zeros[2]
    if all(_ARM_RATIOS[0] <= ratio < _ARM_RATIOS[1] for ratio in ratios):
        yield sums_on_arm(pairs.a - a.zero_point, pairs.b - b.zero_point, *ratios)


def plain_differences(pairs: Pairs, a: Quantization, b: Quantization, y: Quantization) -> Iterator[Codes]:
    """Yields the codes of differences: no kernel fuses the three nodes of one."""
    yield from _plain(pairs, a, b, y, sign=-1)


def products(pairs: Pairs, a: Quantization, b: Quantization, y: Quantization) -> Iterator[Codes]:
    """Yields the codes of products by every kernel (`qlmul.cpp`), and by nodes that nothing fuses."""
    whole = (pairs.a - a.zero_point) * (pairs.b - b.zero_point)
    factor, zero = arithmetic.product_factor(a, b, y), stored_zero(y)
    yield rounded(_product(whole, factor) + np.float32(zero)) - zero
    yield rounded(fused(whole, factor, np.float32(zero))) - zero
    values = _values(pairs.a, a) * _values(pairs.b, b)
    yield from _portable((values / np.float32(y.scale)).astype(np.float32), zero)


def means(totals: Codes, x: Quantization, y: Quantization, count: int) -> Iterator[Codes]:
    """Yields the codes of means of centred sums (`qlgavgpool.cpp`): in float32, and in whole numbers on Arm.

    A factor that the kernel refuses agrees with nothing.
    """
    factor = np.float32(x.scale) / (np.float32(y.scale) * np.float32(count))
    if not _MEAN_RANGE[0] <= factor < _MEAN_RANGE[1]:
        yield _NONE_AGREES
        return
    yield rounded(_product(totals, factor))
    mantissa, exponent = np.frexp(factor)
    shift = 24 - int(exponent)
    scaled = totals * int(np.ldexp(np.float64(mantissa), 24))
    yield (scaled - (totals < 0) + (1 << (shift - 1))) >> shift


def stored_zero(grid: Quantization) -> int:
    """Returns the zero point as the file holds it."""
    return grid.zero_point - INT8_MIN


def _plain(pairs: Pairs, a: Quantization, b: Quantization, y: Quantization, *, sign: int) -> Iterator[Codes]:
    """Yields what three nodes give that nothing fuses, and the portable kernel."""
    values = _values(pairs.a, a) + np.float32(sign) * _values(pairs.b, b)
    yield from _portable((values / np.float32(y.scale)).astype(np.float32), stored_zero(y))


def _portable(steps: Floats, zero: int) -> Iterator[Codes]:
    """Yields the steps rounded before and after the zero point is added to them."""
    yield rounded(steps)
    yield rounded(steps.clip(-256, 256) + np.float32(zero)) - zero


def _fixed_parts(ratios: list[np.float32], zeros: list[int]) -> set[np.float32]:
    """Returns the output's zero point less those of the operands, in its steps, with and without a fused operation."""
    a, b = (np.float32(zero) for zero in zeros[:2])
    together = (
        ratios[0] * a + ratios[1] * b,
        np.float32(np.float64(ratios[0]) * a + np.float64(ratios[1] * b)),
        np.float32(np.float64(ratios[1]) * b + np.float64(ratios[0] * a)),
    )
    return {np.float32(zeros[2]) - each for each in together}


def _values(codes: Codes, grid: Quantization) -> Floats:
    return _product(codes - grid.zero_point, np.float32(grid.scale))


def _product(whole: Codes, factor: np.float32) -> Floats:
    product: Floats = whole.astype(np.float32) * factor
    return product
