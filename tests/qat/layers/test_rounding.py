"""Rounding in blocks: the plain formula's values and gradients, one tensor kept."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Quantization
from qat.layers.quantizers import rounding
from qat.layers.quantizers.rounding import (
    Curve,
    CurveTable,
    HardSwishCurve,
    Rounding,
    SiluCurve,
    extremes,
    gated_swish,
    round_to,
    rounded_curve,
)


def grids() -> st.SearchStrategy[Quantization]:
    """Grids of any scale and zero point."""
    scales = st.floats(2.0**-10, 1.0, width=32)
    return st.builds(lambda s, z: Quantization(scale=s, zero_point=z), scales, st.integers(INT8_MIN, INT8_MAX))


def values(seed: int, grid: Quantization, shape: tuple[int, ...] = (3, 5, 7, 2)) -> Tensor:
    """Values within and beyond the grid's ends."""
    low, high = Rounding(grid=grid).ends
    drawn = np.random.default_rng(seed).uniform(low - 20 * grid.scale, high + 20 * grid.scale, shape)
    return torch.from_numpy(drawn.astype(np.float32))


@given(grid=grids(), seed=st.integers(0, 99))
def test_rounded_values_are_those_of_pytorchs_own_operator_bit_for_bit(grid: Quantization, seed: int) -> None:
    x = values(seed, grid)
    plain = torch.fake_quantize_per_tensor_affine(x, grid.scale, grid.zero_point, INT8_MIN, INT8_MAX)
    assert torch.equal(round_to(Rounding(grid=grid), x), plain)


@given(grid=grids(), seed=st.integers(0, 99))
def test_a_gradient_passes_exactly_where_the_value_lies_within_the_grids_ends(grid: Quantization, seed: int) -> None:
    x = values(seed, grid).requires_grad_(True)
    weights = torch.linspace(-1, 2, x.numel()).reshape(x.shape)
    (round_to(Rounding(grid=grid), x) * weights).sum().backward()
    low, high = Rounding(grid=grid).ends
    inside = (x > float(np.float32(low))) & (x < float(np.float32(high)))
    assert x.grad is not None and torch.equal(x.grad, weights * inside)


BEFORE = Rounding(grid=Quantization(scale=0.0625, zero_point=-80))
AFTER = Rounding(grid=Quantization(scale=0.03125, zero_point=-116), is_open_below=True)
GATE = Rounding(grid=Quantization(scale=2.0**-8, zero_point=-128))
HARD_SWISH, SILU = HardSwishCurve(), SiluCurve(gate=GATE)
CPU = torch.device("cpu")
FUSED = [partial(rounded_curve, CurveTable(BEFORE, curve, CPU), AFTER) for curve in (HARD_SWISH, SILU)]


def gated_silu(x: Tensor) -> Tensor:
    """The product with the rounded gate, as a net's own steps compute it."""
    return x * round_to(GATE, torch.sigmoid(x))


@pytest.mark.parametrize(("curve", "plainly"), [(HARD_SWISH, gated_swish), (SILU, gated_silu)])
def test_a_fused_curve_is_its_three_roundings_one_after_another(
    curve: Curve, plainly: Callable[[Tensor], Tensor]
) -> None:
    found, wanted = (values(0, BEFORE.grid, (4, 6, 5, 5)).requires_grad_(True) for _ in range(2))
    y, plain = (
        rounded_curve(CurveTable(BEFORE, curve, CPU), AFTER, found),
        round_to(AFTER, plainly(round_to(BEFORE, wanted))),
    )
    assert torch.equal(y, plain)
    weights = torch.linspace(-1, 2, y.numel()).reshape(y.shape)
    (y * weights).sum().backward()
    (plain * weights).sum().backward()
    assert found.grad is not None and wanted.grad is not None
    torch.testing.assert_close(found.grad, wanted.grad, rtol=1e-5, atol=1e-6)
    assert 0 < (found.grad == 0).sum() < found.numel()


@pytest.mark.parametrize("operation", [lambda x: round_to(BEFORE, x), *FUSED])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_blocks_change_nothing_and_layouts_stay(
    operation: Callable[[Tensor], Tensor], layout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run() -> tuple[Tensor, Tensor]:
        x = values(1, BEFORE.grid, (4, 6, 5, 5)).to(memory_format=layout).requires_grad_(True)
        y = operation(x)
        y.mean().backward()  # its gradient is expanded: one number behind all elements
        assert x.grad is not None and y.stride() == x.stride() == x.grad.stride()
        return y, x.grad

    whole = run()
    monkeypatch.setattr(rounding, "BLOCK", 64)
    assert all(torch.equal(found, wanted) for found, wanted in zip(run(), whole, strict=True))


def test_a_tensor_with_gaps_is_rounded_as_well() -> None:
    x = values(2, BEFORE.grid, (4, 6, 5, 8))[..., ::2]
    assert torch.equal(round_to(BEFORE, x), round_to(BEFORE, x.contiguous()))
    assert [float(end) for end in extremes(x)] == [float(x.min()), float(x.max())]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_from_autocast_is_rounded_in_float32(dtype: torch.dtype) -> None:
    x = values(3, BEFORE.grid).to(dtype).requires_grad_(True)
    y = round_to(BEFORE, x)
    assert y.dtype == torch.float32 and torch.equal(y, round_to(BEFORE, x.detach().float()))
    y.sum().backward()
    assert x.grad is not None and x.grad.dtype == dtype


@pytest.mark.parametrize("operation", [lambda x: round_to(BEFORE, x), *FUSED])
def test_one_tensor_of_the_inputs_size_is_kept_for_the_backward_pass(operation: Callable[[Tensor], Tensor]) -> None:
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    x = values(4, BEFORE.grid).requires_grad_(True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        operation(x)
    assert [tensor.shape for tensor in kept] == [x.shape]


def test_h_swish_is_near_pytorchs_own() -> None:
    x = torch.linspace(-6, 6, 1001)
    torch.testing.assert_close(gated_swish(x), F.hardswish(x), rtol=0, atol=6 * 3 / 255 / 6)


@pytest.mark.parametrize("curve", [HARD_SWISH, SILU])
def test_what_is_no_number_stays_so_and_spoils_no_other(curve: Curve) -> None:
    x = values(5, BEFORE.grid)
    spoiled = x.clone()
    spoiled.view(-1)[7] = float("nan")
    found, wanted = (rounded_curve(CurveTable(BEFORE, curve, CPU), AFTER, each) for each in (spoiled, x))
    assert found.isnan().sum() == 1 and found.view(-1)[7].isnan()
    assert torch.equal(found.nan_to_num(0), torch.where(spoiled.isnan(), 0, wanted))
