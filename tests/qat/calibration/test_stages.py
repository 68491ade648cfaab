"""The stages of calibration: each does what it promises, and what it chose is what the program holds."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from mobile_sdk.bundle.lowering import lower
from mobile_sdk.verification.verification import verify
from qat.calibration import calibration
from qat.calibration.bias_correction import correct_biases
from qat.calibration.calibration import calibrate, quantize
from qat.calibration.channel_groups import channel_groups
from qat.calibration.equalisation import equalise
from qat.calibration.held_back import CALIBRATED_CROPS, JUDGED_CROPS, hold_back
from qat.calibration.plan import CalibrationPlan
from qat.calibration.range_search import BINS, best_ends, range_loss, search_ranges
from qat.calibration.reconstruction import reconstruct
from qat.freezing.freezing import freeze
from qat.layers.quantizers.fake_quant import TensorQuantizer
from qat.layers.weighted import Weighted
from qat.preparation.preparation import prepare
from tests.support.nets.calibrated_nets import block_net, calibrated, errors
from tests.support.tiny_nets import CONTRACT, body, picture_set

# -- equalisation


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, nn.Hardswish])
def test_equalisation_moves_weights_and_leaves_the_float_function_as_it_is(activation):
    tiny = block_net(activation)
    found = prepare(tiny, CONTRACT)
    before = {name: value.clone() for name, value in found.named_parameters()}
    equalise(found, picture_set().tensors(CONTRACT.image))
    assert any(not torch.equal(value, before[name]) for name, value in found.named_parameters())
    found.quantize(False)
    others = picture_set(8, seed=5).tensors(CONTRACT.image)
    torch.testing.assert_close(found(others), tiny(others), rtol=1e-4, atol=1e-5)


def test_what_is_joined_by_sums_is_rescaled_together_and_a_relu6_lets_factors_through_to_depthwise_layers_alone():
    def sizes(activation: type[nn.Module]) -> list[tuple[int, int]]:
        groups = channel_groups(prepare(block_net(activation), CONTRACT))
        return sorted((len(group.producers), len(group.consumers)) for group in groups)

    # Stem, projection → expansion, again; again, which the second sum is fused into → head.
    assert sizes(nn.Hardswish) == [(1, 1), (2, 2)]
    assert sizes(nn.ReLU6) == [(1, 1), (1, 1), (2, 2)]
    assert sizes(nn.ReLU) == [(1, 1), (1, 1), (1, 1), (2, 2)]


def test_equalisation_helps_a_net_whose_channels_differ_much():
    tiny = body(
        lambda self, x: F.relu(self.second(F.relu(self.first(x)))),
        first=nn.Conv2d(6, 12, 3, padding=1),
        second=nn.Conv2d(12, 12, 1),
    )
    with torch.no_grad():
        tiny.first.weight.mul_(torch.logspace(-1.5, 1.5, 12).reshape(-1, 1, 1, 1))
        tiny.first.bias.mul_(torch.logspace(-1.5, 1.5, 12))
        tiny.second.weight.div_(torch.logspace(-1.5, 1.5, 12).reshape(1, -1, 1, 1))
    plain, equalised = (
        calibrate(prepare(tiny, CONTRACT), picture_set(), replace(CalibrationPlan.extremes(), equalise=on))[-1]
        for on in (False, True)
    )
    assert equalised.is_kept and equalised.sqnr_db > plain.sqnr_db + 3


def test_below_a_relu6_channels_are_enlarged_and_none_reaches_its_ceiling_by_that():
    tiny = block_net(nn.ReLU6)
    found = prepare(tiny, CONTRACT)
    equalise(found, picture_set().tensors(CONTRACT.image))
    below = [group for group in channel_groups(found) if group.ceiling == 6]
    factors = torch.cat([found.channel_factors[group.nodes[0].name] for group in below])
    assert len(below) == 1 and (factors >= 1).all() and (factors > 1).any()
    found.quantize(False)
    others = picture_set(64, seed=6).tensors(CONTRACT.image)
    torch.testing.assert_close(found(others), tiny(others), rtol=1e-4, atol=1e-5)


def test_a_net_that_is_equalised_again_says_what_its_channels_were_multiplied_by_in_all():
    tiny, pictures = block_net(nn.ReLU), picture_set().tensors(CONTRACT.image)
    found = prepare(tiny, CONTRACT).eval()
    before = {name: layer.folded()[0] for name, layer in found.named_modules() if isinstance(layer, Weighted)}
    for _ in range(2):
        equalise(found, pictures)
    group = channel_groups(found)[0]
    (name,) = (name for name, layer in found.named_modules() if layer is group.producers[0])
    factors = group.producers[0].folded()[0] / before[name]
    shape = (-1, *[1] * (factors.ndim - 1))
    said = found.channel_factors[group.nodes[0].name].reshape(shape)
    torch.testing.assert_close(factors, said.expand_as(factors), rtol=1e-4, atol=0, equal_nan=True)


# -- stages without gain


def test_a_stage_without_gain_on_held_back_pictures_is_undone_to_the_last_bit(monkeypatch):
    plan = replace(CalibrationPlan.extremes(), search_ranges=True)
    without = prepare(block_net(), CONTRACT)
    calibrate(without, picture_set(), plan)

    def harm(net, teacher, pictures):
        for layer in net.modules():
            if isinstance(layer, Weighted):
                layer.weight.data.mul_(-1)
                layer.scales = torch.ones(len(layer.weight))

    monkeypatch.setattr(calibration, "reconstruct", harm)
    found = prepare(block_net(), CONTRACT)
    *_, last = calibrate(found, picture_set(), replace(plan, reconstruct=True))
    assert (last.name, last.is_kept) == ("reconstruction", False)
    assert freeze(found, CONTRACT).graph.digest() == freeze(without, CONTRACT).graph.digest()


@pytest.mark.parametrize("count", [1, 4, 5, 30, 200])
def test_some_pictures_are_held_back_and_none_of_those_is_calibrated_on(count):
    pictures = picture_set(count)
    used, judged = hold_back(pictures, CONTRACT.image, CalibrationPlan())
    assert len(used) >= CALIBRATED_CROPS and len(judged) == JUDGED_CROPS
    shared = {id(source) for source in used.sources} & {id(source) for source in judged.sources}
    assert not shared


# -- ranges


@given(seed=st.integers(0, 99), tail=st.floats(1, 50), centre=st.floats(-2, 2), moves_low=st.booleans())
def test_a_searched_range_is_never_worse_than_the_extremes_and_lies_within_them(seed, tail, centre, moves_low):
    values = torch.randn(3000, generator=torch.Generator().manual_seed(seed)) + centre
    values[:2] *= tail
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    counts = torch.histc(values, BINS, low, high).double()
    centres = low + (torch.arange(BINS, dtype=torch.float64) + 0.5) * (high - low) / BINS
    found = best_ends(counts, low, high, moves_low=moves_low)
    assert range_loss(*found, centres, counts) <= range_loss(low, high, centres, counts)
    assert low <= found[0] <= 0 <= found[1] <= high and (moves_low or found[0] == low)


def test_a_few_large_values_do_not_set_the_range():
    counts = torch.zeros(BINS)
    counts[: BINS // 20] = 1e6
    counts[-1] = 1
    low, high = best_ends(counts, 0.0, 100.0, moves_low=False)
    assert low == 0 and high < 50


def test_ranges_of_a_relu6_end_early_where_no_value_comes_near_six_and_stay_within_it():
    found, _, pictures = calibrated(block_net())
    search_ranges(found, pictures)
    clamped = [q for q in found.modules() if isinstance(q, TensorQuantizer) and q.bounds.high == 6]
    assert clamped and all(float(q.low) == 0 and 0 < float(q.high) <= 6 for q in clamped)
    assert any(float(q.high) < 6 for q in clamped)


# -- biases


def test_bias_correction_leaves_no_mean_error_in_any_layer():
    found, teacher, pictures = calibrated(block_net())

    def largest_mean() -> float:
        means = [error.mean([0, *range(2, error.ndim)]) for error in errors(teacher, found, pictures).values()]
        return max(float(mean.abs().max()) for mean in means)

    before = largest_mean()
    correct_biases(found, teacher, pictures)
    assert largest_mean() < min(1e-4, before / 10)


# -- reconstruction


def test_reconstruction_brings_the_scores_nearer_moves_no_code_by_more_than_one_and_repeats_itself():
    found, teacher, pictures = calibrated(block_net())
    codes = [layer.codes()[0].clone() for layer in found.modules() if isinstance(layer, Weighted)]
    again = copy.deepcopy(found)
    with torch.no_grad():
        before = (found(pictures) - teacher(pictures)).square().mean()
    reconstruct(found, teacher, pictures)
    reconstruct(again, teacher, pictures)
    with torch.no_grad():
        assert (found(pictures) - teacher(pictures)).square().mean() < 0.75 * before
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in found.state_dict().items())
    layers = [layer for layer in found.modules() if isinstance(layer, Weighted)]
    moved = [(layer.codes()[0].int() - old.int()).abs().max() for layer, old in zip(layers, codes, strict=True)]
    assert max(moved) == 1
    assert all(parameter.grad is None for parameter in found.parameters())


# -- plans


STAGES = ("equalise", "search_ranges", "round_weights", "correct_biases", "reconstruct")
PLANS = [
    CalibrationPlan.extremes(),
    *(replace(CalibrationPlan.extremes(), **{stage: True}) for stage in STAGES),
    CalibrationPlan(),
    CalibrationPlan(equalise=False),
    CalibrationPlan.made_up(),
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: "".join("01"[value is True] for value in vars(plan).values()))
def test_a_program_of_any_plan_stays_exact_and_says_what_was_done(plan, tmp_path):
    program = quantize(block_net(), CONTRACT, picture_set(), plan)
    stages = [stage["stage"] for stage in program.record.settings["calibration"]]  # type: ignore[union-attr, index]
    asked = [stage for stage in STAGES if getattr(plan, stage) is True]
    assert len(stages) == 1 + len(asked) + plan.search_ranges, "ranges are searched, then measured"
    for bundle in lower(program, tmp_path, runtimes=["tflite", "executorch"]):
        verdict = verify(bundle, program, picture_set(16, seed=3))
        assert verdict.comparison is not None and verdict.comparison.is_exact


def test_stages_that_are_off_change_nothing():
    one = quantize(block_net(), CONTRACT, picture_set(), CalibrationPlan.extremes())
    found = prepare(block_net(), CONTRACT)
    found.calibrate(True)
    with torch.no_grad():
        found.eval()(picture_set().tensors(CONTRACT.image))
    found.calibrate(False)
    assert freeze(found, CONTRACT).graph.digest() == one.graph.digest()


def test_headroom_widens_what_was_seen_and_leaves_what_mathematics_fixes():
    def ranges(headroom_share: float) -> list[tuple[bool, float, float]]:
        found = prepare(block_net(), CONTRACT)
        calibrate(found, picture_set(), replace(CalibrationPlan.extremes(), headroom_share=headroom_share))
        quantizers = [module for module in found.modules() if isinstance(module, TensorQuantizer)]
        return [(quantizer.is_fixed, float(quantizer.low), float(quantizer.high)) for quantizer in quantizers]

    for (is_fixed, low, high), (_, wide_low, wide_high) in zip(ranges(0.0), ranges(0.5), strict=True):
        factor = 1.0 if is_fixed else 1.5
        assert (wide_low, wide_high) == (pytest.approx(factor * low), pytest.approx(factor * high))


def test_the_default_plan_is_nearer_to_the_float_net_than_the_extremes():
    plain, best = (
        calibrate(prepare(block_net(), CONTRACT), picture_set(), plan)[-1].sqnr_db
        for plan in (CalibrationPlan.extremes(), None)
    )
    assert best > plain + 2
