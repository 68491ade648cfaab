"""The stages of calibration: each does what it promises, and what it chose is what the program holds."""

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_nets import CONTRACT, Tiny, body, picture_set
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.errors import CaptureError
from mobile_sdk.lowering import lower
from mobile_sdk.verification import verify
from qat.bias_correction import correct_biases
from qat.calibration import calibrate, quantize
from qat.calibration_plan import CalibrationPlan
from qat.channel_groups import channel_groups
from qat.equalisation import equalise
from qat.fake_quant import TensorQuantizer
from qat.freezing import freeze
from qat.layers import Conv2d, Weighted
from qat.paired_walk import Pair, PairedWalk
from qat.preparation import FakeQuantNet, prepare
from qat.ranges import BINS, best_ends, range_loss, search_ranges
from qat.synthesis import synthesise
from qat.weight_rounding import choose_codes, round_weights, second_moments


def block_net(activation: type[nn.Module] = nn.ReLU6) -> Tiny:
    """An inverted residual block between stem and head: expansion, depthwise, linear projection, sum."""

    def operation(self: Tiny, x: Tensor) -> Tensor:
        x = x + self.project_norm(self.project(self.act(self.depth_norm(self.depth(self.act(self.expand(x)))))))
        return x + self.again_norm(self.again(x))

    return body(
        operation,
        expand=nn.Conv2d(6, 18, 1),
        act=activation(),
        depth=nn.Conv2d(18, 18, 3, padding=1, groups=18, bias=False),
        depth_norm=nn.BatchNorm2d(18),
        project=nn.Conv2d(18, 6, 1, bias=False),
        project_norm=nn.BatchNorm2d(6),
        again=nn.Conv2d(6, 6, 3, padding=1, bias=False),
        again_norm=nn.BatchNorm2d(6),
    )


def calibrated(tiny: nn.Module) -> tuple[FakeQuantNet, FakeQuantNet, Tensor]:
    """The fake-quantized net on the extremes of its ranges, its teacher, and the float pictures."""
    found = prepare(tiny, CONTRACT)
    calibrate(found, picture_set(), CalibrationPlan.extremes())
    teacher = copy.deepcopy(found)
    teacher.quantize(False)
    return found, teacher, picture_set().tensors(CONTRACT.image)


class Errors(PairedWalk):
    """The error of every layer's output before rounding, by node: as it is met, `found`."""

    def __init__(self, teacher: FakeQuantNet, net: FakeQuantNet) -> None:
        super().__init__(teacher, net)
        self.found: dict[str, Tensor] = {}

    def at_layer(self, layer: Weighted, x: Pair, exact: Tensor) -> None:
        self.found[self.node.name] = layer(x.rounded) - exact


def errors(teacher: FakeQuantNet, found: FakeQuantNet, pictures: Tensor) -> dict[str, Tensor]:
    """The same, detached."""
    walk = Errors(teacher, found)
    with torch.no_grad():
        walk.walk(pictures)
    return walk.found


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


def test_what_is_joined_by_sums_is_rescaled_together_and_a_relu6_lets_no_factor_through():
    def sizes(activation: type[nn.Module]) -> list[tuple[int, int]]:
        groups = channel_groups(prepare(block_net(activation), CONTRACT))
        return sorted((len(group.producers), len(group.consumers)) for group in groups)

    assert sizes(nn.ReLU6) == sizes(nn.Hardswish) == [(3, 3)]  # stem, projection, again → expansion, again, head
    assert sizes(nn.ReLU) == [(1, 1), (1, 1), (3, 3)]


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
        calibrate(prepare(tiny, CONTRACT), picture_set(), CalibrationPlan(equalise=on, search_ranges=False))[0]
        for on in (False, True)
    )
    assert equalised.sqnr_db > plain.sqnr_db + 3


# -- ranges


@given(seed=st.integers(0, 99), tail=st.floats(1, 50), centre=st.floats(-2, 2), moves_low=st.booleans())
def test_a_searched_range_is_never_worse_than_the_extremes_and_lies_within_them(seed, tail, centre, moves_low):
    values = torch.randn(3000, generator=torch.Generator().manual_seed(seed)) + centre
    values[:2] *= tail
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    counts = torch.histc(values, BINS, low, high)
    centres = low + (torch.arange(BINS) + 0.5) * (high - low) / BINS
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


# -- rounding


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
        made = layer.meet(x, error, None)
        rows = error.reshape(groups, 6 // groups, -1)
        counts = torch.rand(made.shape, generator=random)
        for weights in (None, counts):
            matrix = second_moments(layer, x, weights).expand(-1, 6 // groups, -1, -1)
            told = torch.einsum("gok,gokl,gol->go", rows, matrix, rows).flatten()
            shares = torch.ones_like(made) if weights is None else weights
            shares = shares / shares.sum((0, 2, 3), keepdim=True)
            mean = (made * shares).sum((0, 2, 3), keepdim=True)
            torch.testing.assert_close(told, ((made - mean).square() * shares).sum((0, 2, 3)), rtol=1e-3, atol=1e-3)


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


# -- biases


def test_bias_correction_leaves_no_mean_error_in_any_layer():
    found, teacher, pictures = calibrated(block_net())

    def largest_mean() -> float:
        means = [error.mean([0, *range(2, error.ndim)]) for error in errors(teacher, found, pictures).values()]
        return max(float(mean.abs().max()) for mean in means)

    before = largest_mean()
    correct_biases(found, teacher, pictures)
    assert largest_mean() < min(1e-4, before / 10)


# -- plans


PLANS = [
    CalibrationPlan(equalise=e, search_ranges=s, round_weights=r, correct_biases=c)
    for e, s, r, c in itertools.product((False, True), repeat=4)
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: "".join("01"[value is True] for value in vars(plan).values()))
def test_a_program_of_any_plan_stays_exact_and_says_what_was_done(plan, tmp_path):
    program = quantize(block_net(), CONTRACT, picture_set(), plan)
    stages = [stage["stage"] for stage in program.record.settings["calibration"]]  # type: ignore[union-attr, index]
    assert len(stages) == 1 + plan.search_ranges + plan.round_weights + plan.correct_biases
    assert stages[0].startswith("equalised") is plan.equalise
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


# -- without data


def test_pictures_are_made_up_from_batch_norms_alone_and_the_same_seed_gives_the_same():
    first, again, other = (synthesise(block_net(), CONTRACT, count=4, seed=seed) for seed in (0, 0, 1))
    assert len(first) == 4 and first.targets == (-1,) * 4
    assert all(np.array_equal(a, b) for a, b in zip(first.sources, again.sources, strict=True))
    assert not np.array_equal(first.sources[0], other.sources[0])
    assert first.bytes(CONTRACT.image).shape == (4, 16, 16, 3) and first.bytes(CONTRACT.image).std() > 5


def test_made_up_pictures_bring_statistics_near_to_those_that_batch_norm_remembers():
    tiny = block_net()
    for module in tiny.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        tiny.train()(picture_set(32).tensors(CONTRACT.image))  # statistics that there are pictures for
    made_up = synthesise(tiny.eval(), CONTRACT, count=4).tensors(CONTRACT.image)
    seen: list[Tensor] = []
    tiny.depth_norm.register_forward_hook(lambda module, args, output: seen.append(output))
    noise = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        tiny(noise)
        tiny(made_up)
    off = [(output.mean((0, 2, 3)) - tiny.depth_norm.bias).square().mean() for output in seen]
    assert off[1] < 0.5 * off[0]


def test_a_net_without_batch_norm_is_refused_with_what_to_give_instead():
    plain = body(lambda self, x: F.relu(self.conv(x)), conv=nn.Conv2d(6, 6, 3))
    with pytest.raises(CaptureError, match="expected a net with batch norm") as caught:
        synthesise(plain, CONTRACT)
    assert "--data" in caught.value.hint
