"""A settled sum has one code a pair of codes, whichever way a runtime adds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mobile_sdk.graph import settled_sums
from mobile_sdk.graph.arithmetic import ADD_RATIO_RANGE
from mobile_sdk.graph.operators import Add, Concat, Constant, Quantization, Sub
from mobile_sdk.graph.operators import Tensor as Wire
from mobile_sdk.graph.settled_sums import is_settled_sum, settle_sum_scale
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from tests.support.tiny_nets import CONTRACT, body, picture_set

CODES = np.arange(-128, 128)


def grid(scale: float, zero_point: int = 0) -> Quantization:
    return Quantization(scale=float(np.float32(scale)), zero_point=zero_point)


def wire(name: str, of: Quantization) -> Wire:
    return Wire(name=name, shape=(4, 2, 2), quantization=of)


def addition(a: Quantization, b: Quantization, y: Quantization, kind: type[Add | Sub] = Add) -> Add | Sub:
    return kind(a=wire("a", a), b=wire("b", b), output=wire("y", y), path="net.sum")


def every_rule(a: Quantization, b: Quantization, y: Quantization, sign: int) -> list[np.ndarray]:
    """All ways of adding on all pairs of codes, saturated."""
    left, right = (each.ravel() for each in np.meshgrid(CODES - a.zero_point, CODES - b.zero_point, indexing="ij"))
    found = list(settled_sums._sums(left, sign * right, a, b, y))
    if sign == 1:
        found += settled_sums._uncentred(left, right, a, b, y, lowest=-128)
        found += settled_sums._uncentred(left, right, a, b, y, lowest=0)
    return [each.clip(-128 - y.zero_point, 127 - y.zero_point) for each in found]


ZERO_POINTS = st.integers(-128, 127)


@settings(max_examples=30)
@given(
    log_a=st.floats(-5, 5),
    log_b=st.floats(-5, 5),
    scale=st.floats(1e-3, 1.0),
    zeros=st.tuples(ZERO_POINTS, ZERO_POINTS, ZERO_POINTS),
    is_difference=st.booleans(),
)
def test_every_way_of_adding_gives_one_code_for_each_of_the_65536_pairs(
    log_a: float, log_b: float, scale: float, zeros: tuple[int, int, int], is_difference: bool
) -> None:
    a, b = (grid(scale * 2**log, zero) for log, zero in zip((log_a, log_b), zeros[:2], strict=True))
    wanted = grid(scale, zeros[2])
    settled = grid(settle_sum_scale(a, b, wanted, is_difference=is_difference), zeros[2])
    first, *others = every_rule(a, b, settled, -1 if is_difference else 1)
    assert all(np.array_equal(first, other) for other in others)
    assert 1 <= settled.scale / wanted.scale < 1.01
    assert is_settled_sum(addition(a, b, settled, Sub if is_difference else Add))


@pytest.mark.parametrize("kind", [Add, Sub])
def test_a_sum_with_ties_is_not_settled_and_its_scale_is_moved_off_them(kind: type[Add | Sub]) -> None:
    a, y = grid(1 / 64, 3), grid(1 / 32, -7)
    assert not is_settled_sum(addition(a, a, y, kind))  # every other sum is a tie
    scale = settle_sum_scale(a, a, y, is_difference=kind is Sub)
    assert y.scale < scale < y.scale * (1 + 2.0**-14)
    assert is_settled_sum(addition(a, a, grid(scale, -7), kind))


def test_a_settled_scale_is_left_as_it_is() -> None:
    a, b, y = grid(0.021, 4), grid(0.034, -9), grid(0.05, 11)
    once = grid(settle_sum_scale(a, b, y), 11)
    assert settle_sum_scale(a, b, once) == once.scale


def test_a_sum_with_a_constant_counts_that_constant_alone() -> None:
    a, y = grid(1 / 64), grid(1 / 32)
    odd, half = (Constant(name="c", value=value, quantization=grid(1 / 128)) for value in (1, 64))
    sums = (Add(a=wire("a", a), b=each, output=wire("y", y), path="sum") for each in (odd, half))
    assert [is_settled_sum(each) for each in sums] == [True, False]  # a quarter step off every tie, and on them


def test_scales_at_the_ends_of_what_runtimes_add_are_settled() -> None:
    low, high = ADD_RATIO_RANGE
    for ratio in (low * 2, high / 2):
        a, b, y = grid(ratio), grid(1.0), grid(1.0)
        settled = grid(settle_sum_scale(a, b, y))
        assert len({each.tobytes() for each in every_rule(a, b, settled, 1)}) == 1


def test_a_frozen_sum_is_settled_but_where_a_concatenation_gives_its_grid() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        inner = x + self.again(x).relu()  # type: ignore[operator]
        joined = torch.cat([inner.relu(), x], 1)
        return joined - self.last(joined).relu()  # type: ignore[operator,no-any-return]

    parts = {"again": nn.Conv2d(6, 6, 3, padding=1), "last": nn.Conv2d(12, 12, 1)}
    program = quantize(body(forward, **parts), CONTRACT, picture_set(), CalibrationPlan.extremes(), progress=False)
    operators = program.graph.operators
    (concat,) = (each for each in operators if isinstance(each, Concat))
    sums = [each for each in operators if isinstance(each, Add | Sub) and isinstance(each.b, Wire)]
    assert [type(each) for each in sums] == [Add, Sub]
    joined, free = sums
    assert joined.output.quantization == concat.output.quantization
    assert is_settled_sum(free)
