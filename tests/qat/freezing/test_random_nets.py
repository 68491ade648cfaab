"""Nets made at random: refused in one line, or calibrated; program, fake-quantized net and twin stay together."""

import contextlib
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.core.random_nets import Drawn
from mobile_sdk.analysis.layer_distances import layer_distances
from mobile_sdk.analysis.layer_pairing import counterparts
from mobile_sdk.analysis.sensitivity import layer_sensitivity
from mobile_sdk.contract import Contract
from mobile_sdk.errors import SdkError
from mobile_sdk.graph.operators import Conv2d
from mobile_sdk.graph.reference import Reference
from qat.calibration.calibration import calibrate, quantize
from qat.calibration.equalisation import equalise
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import PictureSet
from qat.freezing.freezing import float_twin, freeze
from qat.preparation.preparation import prepare
from tests.support.tiny_nets import CONTRACT, LABELS, Tiny, net, picture_set, rgb

SEEDS = range(16)
ODD_SETS = ("one picture", "all equal", "typical", "typical")


def pictures_for(made: Drawn, seed: int) -> PictureSet:
    """Typical ones, a single one, or one and the same again and again."""
    some = picture_set(1 if ODD_SETS[seed % 4] == "one picture" else 6, made.size_px, seed)
    if ODD_SETS[seed % 4] == "all equal":
        some = replace(some, sources=(np.full_like(some.sources[0], 255 * (seed // 4 % 2)),) * 6)
    return some


def far_share(made: nn.Module, contract: Contract, pictures: PictureSet, test: PictureSet) -> float:
    """The share of scores in which the program and what calibration saw are more than three steps apart.

    A few are one or two: rounding is not the same bit for bit (docs/guides/quantization.md).
    """
    student = prepare(made, contract)
    calibrate(student, pictures)
    graph = freeze(student, contract).graph
    with torch.no_grad():
        found = student(test.tensors(contract.image))
    found = found.permute(0, 2, 3, 1) if found.ndim == 4 else found
    grid = graph.output.quantization
    assert grid is not None
    apart = found.numpy() / grid.scale + grid.zero_point - Reference(graph).run(np.stack(test.sources))
    return float((np.abs(apart) > 3).mean())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_net_is_refused_by_name_or_its_program_is_what_calibration_saw(seed: int) -> None:
    made = Drawn(seed)
    with contextlib.suppress(SdkError):
        assert (
            far_share(made, made.contract, pictures_for(made, seed), picture_set(6, made.size_px, seed + 1000)) < 0.02
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_layers_of_a_random_net_pair_up_with_its_twins_and_their_figures_are_finite(seed: int) -> None:
    made = Drawn(seed)
    pictures = picture_set(4, made.size_px, seed)
    try:
        program = quantize(made, made.contract, pictures, CalibrationPlan.extremes()).graph
    except SdkError:
        return
    twin, pixels = float_twin(made, made.contract).graph, np.stack(pictures.sources)
    assert len(counterparts(program, twin)) == len(twin.operators)
    result = layer_sensitivity(program, twin, pixels)
    figures = [value for layer in result.layers for value in asdict(layer).values() if isinstance(value, float)]
    assert all(map(math.isfinite, figures))
    assert all(distance is None or math.isfinite(distance) for _, _, distance in layer_distances(program, twin, pixels))
    if result.program_db is not None and result.simulated_db is not None:
        assert abs(result.program_db - result.simulated_db) < 6


@pytest.mark.parametrize("seed", SEEDS)
@torch.no_grad()
def test_equalisation_leaves_a_random_nets_float_function_as_it_is(seed: int) -> None:
    made = Drawn(seed)
    try:
        prepared = prepare(made, made.contract).eval()
    except SdkError:
        return
    prepared.quantize(False)
    x = picture_set(6, made.size_px, seed).tensors(made.contract.image)
    before = prepared(x)
    equalise(prepared, x)
    prepared.quantize(False)
    torch.testing.assert_close(prepared(x), before, rtol=0, atol=1e-5 * max(1.0, float(before.abs().max())))


@pytest.mark.parametrize(("filters", "groups"), [(4, 4), (8, 4), (16, 8), (6, 2), (8, 1), (24, 8)])
@torch.no_grad()
def test_layers_of_any_groups_are_equalised(filters: int, groups: int) -> None:
    made = net(
        lambda self, x: self.head(self.grouped(F.relu(self.stem(x))).mean((2, 3))),
        stem=nn.Conv2d(3, 8, 3, padding=1),
        grouped=nn.Conv2d(8, filters, 3, padding=1, groups=groups),
        head=nn.Linear(filters, len(LABELS)),
    )
    made.stem.weight.mul_(torch.logspace(-1, 1, 8).reshape(-1, 1, 1, 1))
    prepared = prepare(made, CONTRACT).eval()
    prepared.quantize(False)
    x = picture_set().tensors(CONTRACT.image)
    before, weight = prepared(x), prepared.captured.get_submodule("layers.grouped").weight.clone()
    equalise(prepared, x)
    prepared.quantize(False)
    assert not torch.equal(prepared.captured.get_submodule("layers.grouped").weight, weight)
    torch.testing.assert_close(prepared(x), before, rtol=0, atol=1e-5)
    quantize(made, CONTRACT, picture_set(), CalibrationPlan(equalise=True))


# -- gates, each in a place where its ends were once lost, or its twin was not found


def gated(how: str) -> Tiny:
    """A gate that saturates at both ends."""

    def forward(self: Tiny, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        if how == "flattened":
            return self.head(F.hardsigmoid(self.wide(x.flatten(1))))
        if how == "of a vector":
            return self.head(F.hardsigmoid(self.gate(x.mean((2, 3)))))
        gate = F.hardsigmoid(self.gate(x))
        gate = gate[:, :3] if how == "sliced" else F.max_pool2d(gate, 3, 1, 1) if how == "pooled" else gate
        joined = [gate, gate] if how == "twice" else [gate, 3 * x] if how == "wide" else [gate, x]
        return self.head(torch.cat(joined, 1).mean((2, 3)))

    gate = nn.Linear(6, 4) if how == "of a vector" else nn.Conv2d(6, 4, 1)
    made = net(
        forward,
        stem=nn.Conv2d(3, 6, 3, stride=2, padding=1),
        wide=nn.Linear(384, 4),
        gate=gate,
        head=nn.LazyLinear(len(LABELS)),
    )
    with torch.no_grad():
        made.gate.weight.mul_(12)
        made.wide.weight.mul_(12)
    return made


@pytest.mark.parametrize("how", ["joined", "sliced", "pooled", "twice", "wide", "flattened", "of a vector"])
def test_a_gate_saturates_at_0_and_1_wherever_it_is_read_and_its_twin_is_found(how: str) -> None:
    made = gated(how)
    assert far_share(made, CONTRACT, picture_set(16), picture_set(16, seed=3)) < 0.02
    graph, twin = quantize(made, CONTRACT, picture_set(16)).graph, float_twin(made, CONTRACT).graph
    result = layer_sensitivity(graph, twin, rgb(16))
    assert result.program_db is not None and result.simulated_db is not None
    assert abs(result.program_db - result.simulated_db) < 1


@pytest.mark.parametrize("shape", ["other sides", "as many channels as rows and columns"])
def test_sensitivity_of_a_map_compares_one_layout(shape: str) -> None:
    side, labels = (16, 5) if shape == "other sides" else (8, 8)
    image = CONTRACT.image.model_copy(update={"size_px": side})
    named = tuple(f"label {index}" for index in range(labels))
    contract = CONTRACT.model_copy(update={"task": "segmentation", "labels": named, "inputs": (image,)})
    made = net(
        lambda self, x: self.last(F.relu(self.stem(x))),
        stem=nn.Conv2d(3, 8, 3, padding=1),
        last=nn.Conv2d(8, labels, 1),
    )
    program, twin = quantize(made, contract, picture_set(8, side)).graph, float_twin(made, contract).graph
    result = layer_sensitivity(program, twin, rgb(8, side))
    assert result.program_db is not None and result.simulated_db is not None
    assert result.program_db > 25 and abs(result.program_db - result.simulated_db) < 1


def test_a_layer_of_zeros_is_no_average() -> None:
    """Behind h-swish, whose product stands for six times it, an average keeps the multiple and a layer does not."""

    def forward(self: Tiny, x: torch.Tensor) -> torch.Tensor:
        x = F.hardswish(self.stem(x))
        return self.head((F.avg_pool2d(x, 2, 2) + F.avg_pool2d(self.dead(x), 2)).mean((2, 3)))

    made = net(forward, stem=nn.Conv2d(3, 6, 3), dead=nn.Conv2d(6, 6, 1), head=nn.Linear(6, len(LABELS)))
    with torch.no_grad():
        made.dead.weight.zero_()
    pair = quantize(made, CONTRACT, picture_set(8)).graph, float_twin(made, CONTRACT).graph
    dead = next(
        each for each in counterparts(*pair) if isinstance(each.operator, Conv2d) and each.operator.path == "dead"
    )
    assert dead.output is not None
    assert (
        dead.output.scale == next(each for each in pair[0].operators if each.path == "dead").output.quantization.scale
    )
    result = layer_sensitivity(*pair, rgb(8))
    assert result.program_db is not None and result.simulated_db is not None
    assert abs(result.program_db - result.simulated_db) < 1
