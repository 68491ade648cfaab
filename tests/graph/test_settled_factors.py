"""A settled weight scale has a float32 divisor that gives the codes which the runtimes' factor gives, for every sum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Quantization, Weighted
from mobile_sdk.graph.settled_factors import divisors, divisors_of, settle_weight_scales
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from tests.support.nets.calibrated_nets import block_net
from tests.support.tiny_nets import CONTRACT, picture_set


def grid(scale: float, zero_point: int = 0) -> Quantization:
    return Quantization(scale=float(np.float32(scale)), zero_point=zero_point)


def codes_of_all_sums(factor: np.float32, divisor: np.float32) -> tuple[np.ndarray, np.ndarray]:
    """The saturated codes of every whole number up to the last tie, multiplied and divided."""
    sums = np.arange(-int(257 / factor), int(257 / factor) + 1).astype(np.float32)
    return np.rint(sums * factor).clip(-256, 256), np.rint(sums / divisor).clip(-256, 256)


@settings(max_examples=40)
@given(factor=st.floats(2.0**-12, 2.0**6, width=32))
def test_a_divisor_gives_the_code_of_every_whole_number(factor: float) -> None:
    (divisor,) = divisors(np.array([factor], np.float32))
    if np.isnan(divisor):
        return  # what freezing moves; that it finds one is the next test's claim
    multiplied, divided = codes_of_all_sums(np.float32(factor), divisor)
    np.testing.assert_array_equal(multiplied, divided)


@settings(max_examples=20)
@given(scale_x=st.floats(2.0**-6, 1), log_w=st.floats(-7, -1), scale_y=st.floats(2.0**-8, 2.0**-2))
def test_freezing_finds_a_divisor_by_moving_the_scale_by_less_than_a_thousandth(
    scale_x: float, log_w: float, scale_y: float
) -> None:
    x, y, wanted = grid(scale_x), grid(scale_y), np.exp2([log_w]).astype(np.float32)
    scales = settle_weight_scales(wanted, x, y)
    assert 1 <= scales[0] / wanted[0] < 1.001
    (factor,) = arithmetic.requantization(x, scales, y)
    multiplied, divided = codes_of_all_sums(factor, divisors(np.array([factor]))[0])
    np.testing.assert_array_equal(multiplied, divided)


def test_a_factor_without_a_divisor_is_told_and_its_scale_is_moved() -> None:
    factors = np.exp2(np.linspace(-10, -4, 2000)).astype(np.float32)
    without = factors[np.isnan(divisors(factors))]
    assert 20 < len(without) < 1000
    for factor in without[:20]:
        nearest = np.float32(1 / np.float64(factor))
        multiplied, divided = codes_of_all_sums(factor, nearest)
        assert (multiplied != divided).any()
    settled = settle_weight_scales(without, grid(1.0), grid(1.0))
    assert (settled > without).all() and not np.isnan(divisors(settled)).any()


def test_a_factor_whose_sums_float32_does_not_hold_has_no_divisor_and_keeps_its_scale() -> None:
    tiny = np.array([2.0**-22], np.float32)
    assert np.isnan(divisors(tiny)).all()
    np.testing.assert_array_equal(settle_weight_scales(tiny, grid(1.0), grid(1.0)), tiny)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU])
def test_every_layer_of_a_frozen_net_has_divisors(activation: type[nn.Module]) -> None:
    program = quantize(block_net(activation), CONTRACT, picture_set(), CalibrationPlan.extremes(), progress=False)
    layers = [each for each in program.graph.operators if isinstance(each, Weighted)]
    assert len(layers) > 3
    assert not any(np.isnan(divisors_of(each)).any() for each in layers)
