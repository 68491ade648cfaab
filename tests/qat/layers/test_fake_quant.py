"""Fake quantization: gradients, ranges, modes, and how near it is to what the phone computes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.comparison import compare
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.reference import Reference
from qat.calibration.calibration import calibrate
from qat.calibration.plan import CalibrationPlan
from qat.freezing.freezing import freeze
from qat.layers.quantizers.fake_quant import LEVELS, Range, TensorQuantizer, fake_quantize_weight, weight_scales
from qat.layers.weighted import Conv2d, HardSwish, Linear, Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from tests.support.tiny_nets import CONTRACT, Tiny, body, picture_set, rgb


def quantizer(low: float, high: float, bounds: Range | None = None) -> TensorQuantizer:
    """A quantizer whose range was seen, in evaluation mode."""
    made = TensorQuantizer(bounds=bounds or Range())
    made(torch.tensor([low, high]))
    return made.eval()


def picture_floats(count: int = 8, seed: int = 0) -> Tensor:
    """Returns the net's floats for the app's bytes."""
    return torch.from_numpy(rgb(count, seed=seed).transpose(0, 3, 1, 2).copy()).float() / 128 - 1


def swish_net() -> Tiny:
    return body(
        lambda self, x: x + self.norm(self.conv(F.hardswish(x))) * F.hardsigmoid(self.gate(x.mean((2, 3), True))),
        conv=nn.Conv2d(6, 6, 3, padding=1, bias=False),
        norm=nn.BatchNorm2d(6),
        gate=nn.Conv2d(6, 6, 1),
    )


# -- one tensor


@given(low=st.floats(-100, 0), high=st.floats(0, 100), seed=st.integers(0, 99))
def test_a_quantized_tensor_is_within_half_a_step_and_on_the_grid_that_freezing_writes(low, high, seed):
    made = quantizer(low, high)
    grid = made.quantization()
    x = torch.from_numpy(np.random.default_rng(seed).uniform(low, high, 50).astype(np.float32))
    y = made(x).double().numpy()
    codes = y / grid.scale + grid.zero_point
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-4)
    assert codes.min() > -128.01 and codes.max() < 127.01
    # Rounding the zero point moves the ends of the range by half a step, too.
    assert np.abs(y - x.double().numpy()).max() <= grid.scale * 1.001


@given(low=st.floats(-100, 100), high=st.floats(-100, 100))
def test_zero_is_always_a_code(low, high):
    made = quantizer(min(low, high), max(low, high))
    assert made(torch.zeros(1)).item() == 0.0
    assert -128 <= made.quantization().zero_point <= 127


def test_gradients_pass_straight_through_inside_the_range_and_are_zero_outside():
    made = quantizer(-1.0, 2.0)
    x = torch.tensor([-5.0, -1.5, -0.9, 0.0, 0.333, 1.9, 2.5, 50.0], requires_grad=True)
    made(x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0, 0, 1, 1, 1, 1, 0, 0]


def test_a_range_follows_training_by_a_moving_average_and_holds_still_in_evaluation():
    made = TensorQuantizer(bounds=Range())
    made(torch.tensor([-1.0, 1.0]))
    assert (float(made.low), float(made.high)) == (-1.0, 1.0)  # the first batch is taken as it is
    made(torch.tensor([-3.0, 5.0]))
    assert (float(made.low), float(made.high)) == pytest.approx((-1.1, 1.2))
    made.eval()
    made(torch.tensor([-90.0, 90.0]))
    made.train()
    made.observing = False
    made(torch.tensor([-90.0, 90.0]))
    assert (float(made.low), float(made.high)) == pytest.approx((-1.1, 1.2))


def test_calibration_widens_a_range_to_the_extremes_in_either_mode():
    made = TensorQuantizer(bounds=Range())
    made.calibrating = True
    for mode, values in ((True, [-1.0, 1.0]), (False, [-0.5, 3.0]), (True, [-2.0, 0.0])):
        made.train(mode)
        made(torch.tensor(values))
    assert (float(made.low), float(made.high)) == (-2.0, 3.0)


def test_values_pass_unchanged_before_any_range_was_seen_and_while_quantizing_is_off():
    made, x = TensorQuantizer(bounds=Range()).eval(), torch.tensor([0.123, -4.567])
    assert torch.equal(made(x), x)
    seen = quantizer(-1.0, 1.0)
    seen.quantizing = False
    assert torch.equal(seen(x), x)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (Range(low=0.0, high=6.0), (6 / LEVELS, -128)),
        (Range(low=0.0, high=1.0), (1 / LEVELS, -128)),
        (Range(low=0.0), (9 / LEVELS, -128)),
        (Range(low=-0.375), (9.375 / LEVELS, -118)),
        (Range(floor=-3.0), (12 / LEVELS, -64)),
        (Range(), (16 / LEVELS, -16)),
    ],
)
def test_what_mathematics_fixes_is_not_observed(bounds, expected):
    made = quantizer(-7.0, 9.0, bounds)
    grid = made.quantization()
    assert (grid.scale, grid.zero_point) == (pytest.approx(expected[0]), expected[1])


def test_a_dead_tensor_still_has_a_scale():
    assert quantizer(0.0, 0.0).quantization().scale > 0


def test_torchaos_name_for_the_grid_gives_the_same_grid():
    made = quantizer(-1.0, 2.0)
    scale, zero_point = made.calculate_qparams()
    grid = made.quantization()
    assert (float(scale), int(zero_point)) == (grid.scale, grid.zero_point)


# -- weights


def test_each_channels_largest_weight_is_code_127_and_no_code_is_minus_128():
    weight = (
        torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(0))
        * torch.logspace(-3, 3, 8)[:, None, None, None]
    )
    weight[5] = 0.0
    scales = weight_scales(weight)
    codes = fake_quantize_weight(weight) / scales[:, None, None, None]
    torch.testing.assert_close(codes, codes.round(), rtol=0, atol=1e-4)
    largest = codes.abs().amax((1, 2, 3))
    assert largest.round().tolist() == [127] * 5 + [0] + [127] * 2
    assert scales[5] == 1.0 and torch.equal(fake_quantize_weight(weight)[5], weight[5])


def test_a_weights_gradient_passes_straight_through():
    weight = torch.randn(4, 3, 3, 3, requires_grad=True)
    (fake_quantize_weight(weight) * 2).sum().backward()
    assert weight.grad is not None and torch.equal(weight.grad, torch.full_like(weight, 2.0))


@pytest.mark.parametrize("gain", [1.0, -0.7, 0.0, 1e-3])
def test_training_evaluation_codes_and_folding_see_the_same_weights(gain):
    norm = nn.BatchNorm2d(4)
    with torch.no_grad():
        norm.weight.fill_(gain)
        norm.bias.normal_()
        norm.running_mean.normal_()  # type: ignore[union-attr]
        norm.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
    geometry = {"stride": (1, 1), "padding": (1, 0, 0, 2), "dilation": (1, 1), "groups": 1}
    layer = Conv2d(
        weight=nn.Parameter(torch.randn(4, 3, 3, 3)), bias=nn.Parameter(torch.randn(4)), norm=norm, **geometry
    ).eval()
    x = torch.randn(2, 3, 8, 8)
    padded = F.pad(x, (0, 2, 1, 0))
    quantized = norm(F.conv2d(padded, fake_quantize_weight(layer.weight), layer.bias))
    torch.testing.assert_close(layer(x), quantized, rtol=1e-4, atol=1e-5)
    codes, scales, bias = layer.codes()
    assert codes.dtype == torch.int8 and scales.dtype == torch.float64 and bool((scales >= 0).all())
    from_codes = F.conv2d(padded.double(), codes * scales[:, None, None, None], bias)
    torch.testing.assert_close(from_codes.float(), quantized, rtol=1e-4, atol=1e-5)
    weight, shift = layer.folded()
    layer.quantizing = False
    torch.testing.assert_close(F.conv2d(padded, weight, shift), layer(x), rtol=1e-4, atol=1e-5)


def test_frozen_statistics_stay_frozen_in_training_and_are_folded():
    layer = Linear(weight=nn.Parameter(torch.randn(4, 6)), bias=None, norm=nn.BatchNorm1d(4))  # type: ignore[arg-type]
    layer.statistics_frozen = True
    layer.train()
    assert layer.training and layer.norm is not None and not layer.norm.training
    before = layer.norm.running_mean.clone()  # type: ignore[union-attr]
    x = torch.randn(8, 6)
    torch.testing.assert_close(layer(x), layer.eval()(x))
    assert torch.equal(layer.norm.running_mean, before)  # type: ignore[arg-type]


# -- h-swish


def test_h_swish_is_rounded_as_the_phones_gate_is_and_keeps_the_smooth_gradient():
    x = torch.linspace(-6, 6, 101, requires_grad=True)
    layer = HardSwish()
    y = layer(x)
    gate = (y * 6 / x)[x.abs() > 0.1] / (6 / 255)
    torch.testing.assert_close(gate, gate.round(), rtol=0, atol=1e-3)
    torch.testing.assert_close(y, F.hardswish(x), rtol=0, atol=6 * 3 / 255 / 6)
    y.sum().backward()
    smooth = x.detach().clone().requires_grad_(True)
    F.hardswish(smooth).sum().backward()
    assert torch.equal(x.grad, smooth.grad)  # type: ignore[arg-type]
    layer.quantizing = False
    assert torch.equal(layer(x), F.hardswish(x))


# -- whole nets


def test_train_and_eval_are_ordinary():
    found = prepare(swish_net(), CONTRACT)
    for mode in (True, False):
        found.train(mode)
        parts = [module for module in found.modules() if not isinstance(module, nn.Identity)]
        assert all(module.training is mode for module in parts)


def test_prepare_takes_the_nets_mode_over_and_leaves_the_net_as_it_is():
    tiny = swish_net()
    before = {name: value.clone() for name, value in tiny.state_dict().items()}
    for mode in (True, False):
        assert prepare(tiny.train(mode), CONTRACT).training is mode
    assert all(torch.equal(value, before[name]) for name, value in tiny.state_dict().items())


def test_frozen_observers_and_statistics_hold_still_while_weights_learn():
    found = prepare(swish_net(), CONTRACT)
    calibrate(found, picture_set())
    found.train()
    found.set_phase(freeze_observers=True, freeze_batch_norm=True)
    before = {name: value.clone() for name, value in found.state_dict().items()}
    _step(found, picture_floats(), torch.arange(8) % 5)
    changed = {name for name, value in found.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name, _ in found.named_parameters()}
    found.set_phase(freeze_observers=False, freeze_batch_norm=False)
    _step(found, picture_floats(seed=7), torch.arange(8) % 5)
    moved = {name for name, value in found.state_dict().items() if not torch.equal(value, before[name])}
    assert any("running_mean" in name for name in moved) and any(name.endswith(".high") for name in moved)


def _step(found: FakeQuantNet, x: Tensor, targets: Tensor, rate: float = 0.05) -> float:
    loss = F.cross_entropy(found(x), targets)
    found.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in found.parameters():
            assert parameter.grad is not None
            parameter.sub_(parameter.grad, alpha=rate)
    return float(loss.detach())


def test_training_steps_on_the_grid_reduce_the_loss():
    found = prepare(swish_net(), CONTRACT).train()
    x, targets = picture_floats(16), torch.arange(16) % 5
    losses = [_step(found, x, targets, rate=0.1) for _ in range(30)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


def test_switching_all_rounding_off_gives_the_float_net_again():
    tiny = swish_net()
    found = prepare(tiny, CONTRACT)
    calibrate(found, picture_set(), CalibrationPlan.extremes())
    x = picture_floats()
    with torch.no_grad():
        rounded = found(x)
        found.quantize(False)
        torch.testing.assert_close(found(x), tiny(x), rtol=1e-4, atol=1e-5)
        found.quantize(True)
        assert torch.equal(found(x), rounded) and not torch.equal(rounded, tiny(x))


def test_evaluating_the_fake_quantized_net_is_nearly_what_the_phone_computes():
    """Only sums of many roundings differ, by a code here and there: 30 dB is one code of the scores' 255 at most."""
    found = prepare(swish_net(), CONTRACT)
    calibrate(found, picture_set(16))
    program = freeze(found, CONTRACT)
    images = rgb(32, seed=3)
    with torch.no_grad():
        simulated = found.eval()(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).float() / 128 - 1).numpy()
    grid = arithmetic.quantization_of(program.graph.output)
    phone = (Reference(program.graph).run(images).astype(np.float64) - grid.zero_point) * grid.scale
    comparison = compare(phone, simulated)
    assert comparison.reaches_db(30) and comparison.top1_agreement >= 0.9
    assert comparison.max_steps <= 3 * grid.scale
    layers = [module for module in found.modules() if isinstance(module, Weighted)]
    assert len(layers) == 4 and all(layer.quantizing for layer in layers)


def test_what_training_sees_goes_into_the_program():
    found = prepare(swish_net(), CONTRACT).train()
    x, targets = picture_floats(16), torch.arange(16) % 5
    for _ in range(5):
        _step(found, x, targets)
    program = freeze(found.eval(), CONTRACT)
    with torch.no_grad():
        simulated = found(picture_floats(32, seed=3)).numpy()
    grid = arithmetic.quantization_of(program.graph.output)
    phone = (Reference(program.graph).run(rgb(32, seed=3)).astype(np.float64) - grid.zero_point) * grid.scale
    assert compare(phone, simulated).reaches_db(30)
