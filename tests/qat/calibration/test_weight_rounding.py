"""Adaptive rounding: less error in the output, codes next to the nearest, and those codes in the program."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from qat.calibration.bias_correction import correct_biases
from qat.calibration.weight_rounding import choose_codes, fit_and_round_weights, round_weights, second_moments
from qat.freezing.freezing import freeze
from qat.layers.weighted import Conv2d, Weighted
from tests.support.nets.calibrated_nets import block_net, calibrated, errors
from tests.support.tiny_nets import CONTRACT


def test_adaptive_rounding_lowers_the_layers_errors_and_stays_within_a_code_of_the_nearest():
    found, teacher, pictures = calibrated(block_net())
    floats = {name: layer.folded()[0] for name, layer in teacher.named_modules() if isinstance(layer, Weighted)}
    nearest = errors(teacher, found, pictures)
    round_weights(found, teacher, pictures)
    adaptive = errors(teacher, found, pictures)
    noise = [sum(float(error.var()) for error in each.values()) for each in (adaptive, nearest)]
    assert noise[0] < 0.9 * noise[1]
    changed = 0
    for name, layer in found.named_modules():
        if isinstance(layer, Weighted):
            codes, scales, _ = layer.codes()
            exact = floats[name] / scales.float().reshape(-1, *[1] * (codes.ndim - 1))
            away = (codes - exact.round().clamp(-127, 127)).abs()
            assert away.max() <= 1
            changed += int(away.sum())
    assert changed > 10


def test_codes_are_no_worse_than_the_nearest_by_the_error_that_they_minimise():
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(8, 20, generator=random)
    mixing = torch.randn(20, 20, generator=random)
    halves = tuple((x @ mixing).T @ (x @ mixing) / 400 for x in torch.randn(2, 400, 20, generator=random))
    moments = (halves[0][None, None], halves[1][None, None])
    chosen = choose_codes(weight, moments, groups=1)
    largest = weight.abs().amax(1) / 127
    error = (weight / largest[:, None]).round() * largest[:, None] - weight
    nearest = ((error @ (halves[0] + halves[1]) / 2) * error).sum(1)
    assert chosen.loss.sum() < 0.7 * nearest.sum()
    assert torch.equal(chosen.codes, chosen.codes.round()) and chosen.codes.abs().max() <= 127


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_second_moments_tell_the_error_that_weights_make_in_the_output(groups):
    random = torch.Generator().manual_seed(0)
    geometry = {"stride": (2, 1), "padding": (1, 0, 2, 1), "dilation": (1, 1), "groups": groups}
    layer = Conv2d(weight=nn.Parameter(torch.randn(6, 6 // groups, 3, 3)), bias=None, norm=None, **geometry)
    x = torch.randn(4, 6, 9, 9, generator=random)
    error = torch.randn(6, 6 // groups, 3, 3, generator=random)
    with torch.no_grad():
        made = layer.apply_weights(x, error, None)
        rows = error.reshape(groups, 6 // groups, -1)
        counts = torch.rand(made.shape, generator=random)
        for weights in (None, counts):
            matrix = second_moments(layer, x, weights).expand(-1, 6 // groups, -1, -1)
            told = torch.einsum("gok,gokl,gol->go", rows, matrix, rows).flatten()
            shares = torch.ones_like(made) if weights is None else weights
            shares = shares / shares.sum((0, 2, 3), keepdim=True)
            mean = (made * shares).sum((0, 2, 3), keepdim=True)
            torch.testing.assert_close(told, ((made - mean).square() * shares).sum((0, 2, 3)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("activation", [nn.ReLU6, nn.Hardswish])
def test_weights_fitted_to_the_rounded_inputs_lose_less_of_a_deep_layers_output_at_four_bits(activation):
    found, teacher, pictures = calibrated(block_net(activation), weight_bits=4)
    fitted = copy.deepcopy(found)
    round_weights(found, teacher, pictures)
    correct_biases(found, teacher, pictures)
    fit_and_round_weights(fitted, teacher, pictures)
    plain, better = (float(errors(teacher, net, pictures)["add_2"].var()) for net in (found, fitted))
    assert better < 0.6 * plain


def test_fitting_leaves_a_silenced_channel_and_layers_in_float_as_they_are():
    tiny = block_net()
    with torch.no_grad():
        tiny.depth_norm.weight[2] = 0
    found, teacher, pictures = calibrated(tiny, weight_bits=4)
    kept = found.captured.get_submodule("layers.project")
    assert isinstance(kept, Weighted)
    kept.quantizing = False
    before = kept.weight.clone()
    fit_and_round_weights(found, teacher, pictures)
    assert torch.equal(kept.weight, before)
    layers = [layer for layer in found.modules() if isinstance(layer, Weighted)]
    assert all(layer.weight.isfinite().all() for layer in layers)


def test_freezing_writes_the_codes_that_were_chosen():
    found, teacher, pictures = calibrated(block_net())
    round_weights(found, teacher, pictures)
    operators = {str(operator.path): operator for operator in freeze(found, CONTRACT).graph.operators}
    for name in ("expand", "depth", "project", "stem"):
        layer = found.captured.get_submodule(f"layers.{name}")
        assert isinstance(layer, Weighted)
        codes = (layer.weight / layer.scales.reshape(-1, 1, 1, 1)).round()  # type: ignore[union-attr]
        gain, _ = layer.folding()
        signed = codes * gain.sign().reshape(-1, 1, 1, 1)
        assert np.array_equal(operators[name].weight, signed.detach().numpy().astype(np.int8))  # type: ignore[union-attr]


def test_channels_without_weights_stay_silent_on_processors_that_flush_tiny_numbers_to_zero():
    tiny = block_net()
    with torch.no_grad():
        tiny.depth.weight[3] = 0
        tiny.depth.weight[4] = 1e-41
    found, teacher, pictures = calibrated(tiny)
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor keeps tiny numbers")
    try:
        round_weights(found, teacher, pictures)
    finally:
        torch.set_flush_denormal(False)
    layers = [layer for layer in found.modules() if isinstance(layer, Weighted)]
    assert all(layer.weight.isfinite().all() and layer.scales.isfinite().all() for layer in layers)  # type: ignore[union-attr]
