"""Weights of four bits: which layers get them, what is refused, and that the program has the trained codes."""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.cli.app import call
from mobile_sdk.cli.learning.layer_lists import named_bits, whole_bits
from mobile_sdk.contract import Contract, TensorSpec
from mobile_sdk.errors import SettingError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Conv2d, Graph, Linear
from mobile_sdk.graph.reference import Reference
from mobile_sdk.workflow.settings import RunSettings
from qat.arguments.weight_bits import WeightBits
from qat.calibration.calibration import calibrate, quantize
from qat.calibration.plan import CalibrationPlan
from qat.freezing.freezing import freeze
from qat.layers.quantizers.fake_quant import fake_quantize_weight, weight_codes, weight_scales
from qat.layers.weighted import Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from qat.tasks.classification.training import fit
from qat.training.plan import StepAdam, TrainPlan
from tests.support.command_line import SmallRun
from tests.support.nets.calibrated_nets import block_net
from tests.support.tiny_nets import CONTRACT, LABELS, Tiny, body, mixed_bag, net, picture_set, rgb
from tests.support.training import small_task

ROWS = Contract(name="rows", labels=LABELS, tensor=TensorSpec(shape=(1, 4, 6), scale=0.03, zero_point=0))
EXTREMES = CalibrationPlan.extremes()


def many_kinds() -> Tiny:
    """Layers that can have four bits, and one of each kind that cannot."""

    def operation(self: Tiny, x: Tensor) -> Tensor:
        x = F.relu(self.pointwise(x)) + self.grouped(x) + self.depthwise(x) + self.padded(x)[:, :, 1:-1, 1:-1]
        return self.odd(self.three(self.strided(x)))

    return body(
        operation,
        pointwise=nn.Conv2d(6, 6, 1),
        grouped=nn.Conv2d(6, 6, 1, groups=3),
        depthwise=nn.Conv2d(6, 6, 3, padding=1, groups=6),
        padded=nn.Conv2d(6, 6, 1, padding=1),
        strided=nn.Conv2d(6, 6, 1, stride=2),
        three=nn.Conv2d(6, 5, 1),
        odd=nn.Conv2d(5, 8, 1),
    )


def squeeze_excite() -> Tiny:
    """A squeeze-excite whose gate a hard-sigmoid ends, h-swish, and two linear layers after the mean."""

    def forward(self: Tiny, x: Tensor) -> Tensor:
        x = F.hardswish(self.norm(self.wide(F.relu(self.stem(x)))))
        x = x * F.hardsigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        scores: Tensor = self.head(F.hardswish(self.hidden(self.deep(x).mean((2, 3)))))
        return scores

    return net(
        forward,
        stem=nn.Conv2d(3, 6, 3, padding=1),
        wide=nn.Conv2d(6, 12, 1, bias=False),
        norm=nn.BatchNorm2d(12),
        squeeze=nn.Conv2d(12, 4, 1),
        excite=nn.Conv2d(4, 12, 1),
        deep=nn.Conv2d(12, 8, 1),
        hidden=nn.Linear(8, 16),
        head=nn.Linear(16, len(LABELS)),
    )


def linear_net() -> Tiny:
    """Linear layers alone: on a flattened map of one row, and after it."""
    return net(
        lambda self, x: self.last(F.relu(self.first(x.flatten(1)))),
        first=nn.Linear(24, 16),
        last=nn.Linear(16, len(LABELS)),
    )


def bits_of(found: FakeQuantNet) -> dict[str, int]:
    """Returns the bits of every layer by the end of its name in the captured net."""
    layers = found.captured.named_modules()
    return {name.rpartition(".")[2]: each.weight_bits for name, each in layers if isinstance(each, Weighted)}


def four(found: FakeQuantNet) -> set[str]:
    return {name for name, bits in bits_of(found).items() if bits == 4}


def graph_bits(graph: Graph) -> dict[str, int]:
    return {each.path: each.weight_bits for each in graph.operators if isinstance(each, Conv2d | Linear)}


# -- which layers


def test_four_bits_go_to_the_layers_that_phones_compute_so_and_to_no_others() -> None:
    found = prepare(many_kinds(), CONTRACT, weight_bits=4)
    assert four(found) == {"pointwise", "three", "head"}
    calibrate(found, picture_set(), EXTREMES)
    of_graph = graph_bits(freeze(found, CONTRACT).graph)
    assert {path for path, bits in of_graph.items() if bits == 4} == {"pointwise", "three", "head"}


def test_all_have_eight_bits_unless_they_are_asked_for_fewer() -> None:
    assert set(bits_of(prepare(many_kinds(), CONTRACT)).values()) == {8}


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"pointwise": 4}, {"pointwise"}),
        ({"pointwise": 4, "head": 4, "three": 8}, {"pointwise", "head"}),
        ({}, set()),
    ],
)
def test_a_mapping_names_the_layers(asked: Mapping[str, int], wanted: set[str]) -> None:
    assert four(prepare(many_kinds(), CONTRACT, weight_bits=asked)) == wanted


def test_a_modules_name_means_all_that_can_in_it_and_the_longer_name_counts() -> None:
    nested = net(
        lambda self, x: self.head(self.blocks(x).mean((2, 3))),
        blocks=nn.Sequential(nn.Conv2d(3, 6, 3), nn.Sequential(nn.Conv2d(6, 6, 1), nn.Conv2d(6, 6, 1))),
        head=nn.Linear(6, len(LABELS)),
    )
    assert four(prepare(nested, CONTRACT, weight_bits={"blocks": 4})) == {"blocks_1_0", "blocks_1_1"}
    assert four(prepare(nested, CONTRACT, weight_bits={"blocks.1.0": 8, "blocks": 4})) == {"blocks_1_1"}


def test_layers_kept_in_float_stay_so_beside_four_bits_for_the_rest() -> None:
    program = quantize(block_net(), CONTRACT, picture_set(), EXTREMES, keep_float=["project"], weight_bits=4)
    kept = next(each for each in program.graph.operators if isinstance(each, Conv2d) and each.path == "project")
    assert kept.weight.dtype == np.float32 and kept.weight_bits == 8
    assert graph_bits(program.graph)["expand"] == 4


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"pointwis": 4}, "pointwise"),
        ({"depthwise": 4}, "depthwise"),
        ({"odd": 4}, "(8, 5, 1, 1)"),
        ({"strided": 4}, "strided"),
        ({"head": 4}, "kept in float"),
        ({"pointwise": 5}, "5"),
        ({"pointwise": True}, "True"),
        (16, "16"),
        ("4", "'4'"),
        (None, "None"),
        (True, "True"),
    ],
)
def test_what_cannot_be_is_refused(asked: Any, said: str) -> None:
    with pytest.raises(SettingError, match="expected") as refused:
        prepare(many_kinds(), CONTRACT, keep_float=["head"], weight_bits=asked)
    assert said in f"{refused.value} {refused.value.hint}"


# -- what training sees


@given(
    limit=st.sampled_from([7, 127]),
    seed=st.integers(0, 99),
    share=st.floats(0.3, 1.5),
    magnitude=st.floats(1e-3, 1e3),
)
def test_codes_are_whole_within_the_limit_and_the_nearest(
    limit: int, seed: int, share: float, magnitude: float
) -> None:
    weight = torch.randn(4, 6, 1, 1, generator=torch.Generator().manual_seed(seed)) * magnitude
    scales = weight_scales(weight, limit)
    assert torch.equal(weight_codes(weight, scales, limit).flatten(1).abs().amax(1), torch.full((4,), float(limit)))
    assert ((fake_quantize_weight(weight, None, limit) - weight).flatten(1).abs().amax(1) <= scales * 0.5001).all()
    codes = weight_codes(weight, scales * share, limit)
    assert torch.equal(codes, codes.round()) and codes.abs().max() <= limit
    inside = (weight / (scales * share)[:, None, None, None]).abs() < limit
    assert ((codes * (scales * share)[:, None, None, None] - weight).abs()[inside] <= magnitude).all()


def test_beyond_the_largest_code_a_learned_step_gets_the_gradient_and_the_weight_none() -> None:
    weight = torch.tensor([[0.2, 3.0, -5.0]], requires_grad=True)
    scales = torch.tensor([0.1], requires_grad=True)
    fake_quantize_weight(weight, scales, 7).sum().backward()
    assert weight.grad is not None and weight.grad.tolist() == [[1.0, 0.0, 0.0]]
    other = torch.tensor([[0.2, 3.0, -5.0]], requires_grad=True)
    fake_quantize_weight(other, scales, 127).sum().backward()
    assert other.grad is not None and other.grad.tolist() == [[1.0, 1.0, 1.0]]


@pytest.mark.parametrize(
    ("make", "contract"), [(squeeze_excite, CONTRACT), (block_net, CONTRACT), (mixed_bag, CONTRACT)]
)
@pytest.mark.parametrize("plan", [EXTREMES, CalibrationPlan()], ids=["extremes", "all stages"])
def test_the_program_gives_what_training_saw(
    make: Callable[[], Tiny], contract: Contract, plan: CalibrationPlan
) -> None:
    found = prepare(make(), contract, weight_bits=4)
    calibrate(found, picture_set(16), plan)
    _a_few_steps(found)
    program = freeze(found, contract)
    _expect_equal_weights(found, program.graph)
    grid = arithmetic.quantization_of(program.graph.output)
    codes = Reference(program.graph).run(rgb(32, seed=3)).astype(np.float64)
    with torch.no_grad():
        simulated = found(picture_set(32, seed=3).tensors(contract.image)).double().numpy()
    assert np.abs(codes - grid.zero_point - simulated / grid.scale).max() < 1.01


def test_the_program_gives_what_training_saw_of_linear_layers_on_arrays() -> None:
    arrays = np.random.default_rng(0).normal(size=(32, 1, 4, 6)).astype(np.float32)
    found = prepare(linear_net(), ROWS, weight_bits={"last": 4})
    assert four(prepare(linear_net(), ROWS, weight_bits=4)) == {"last"}, "a flattened map is read by a filter"
    _observe(found, torch.from_numpy(arrays))
    program = freeze(found, ROWS)
    assert graph_bits(program.graph)["last"] == 4
    _expect_equal_weights(found, program.graph)


def _a_few_steps(found: FakeQuantNet) -> None:
    """Learns steps, ranges and weights for a moment, as distillation does."""
    found.learn_steps()
    found.train().set_phase(freeze_observers=True, freeze_batch_norm=True, learn_steps=True)
    plan = replace(TrainPlan.distil(1), optimizer=StepAdam(weight_steps=0.05, range_share=0.01))
    optimizer = plan.optimizer_for(found)
    for group in optimizer.param_groups:
        group["lr"] *= group["rate_share"]
    x, targets = picture_set(16).tensors(CONTRACT.image), torch.arange(16) % len(LABELS)
    for _ in range(5):
        optimizer.zero_grad()
        F.cross_entropy(found(x), targets).backward()
        optimizer.step()
    found.eval().set_phase(freeze_observers=True, freeze_batch_norm=True)


def _observe(found: FakeQuantNet, x: Tensor) -> None:
    found.eval().set_phase(freeze_observers=True, freeze_batch_norm=True)
    found.calibrate(True)
    with torch.no_grad():
        found(x)
    found.calibrate(False)


def _expect_equal_weights(found: FakeQuantNet, graph: Graph) -> None:
    """Asserts that every layer of the program has the codes that the net computed with, within its bits."""
    by_path = {each.path: each for each in graph.operators if isinstance(each, Conv2d | Linear)}
    seen = 0
    for node in found.captured.graph.nodes:
        layer = found.captured.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, Weighted) and (written := by_path[node.meta["step"].path]).weight_bits == 4:
            codes, _, _ = layer.codes()
            assert layer.weight_bits == 4 and np.abs(written.weight).max() <= 7
            np.testing.assert_array_equal(written.weight, codes.numpy().reshape(written.weight.shape))
            seen += 1
    assert seen


# -- copies, checkpoints, records


def test_copies_and_state_dicts_keep_the_bits() -> None:
    found = prepare(squeeze_excite(), CONTRACT, weight_bits=4)
    calibrate(found, picture_set(), EXTREMES)
    found.learn_steps()
    other = prepare(squeeze_excite(), CONTRACT, weight_bits=4)
    calibrate(other, picture_set(seed=5), EXTREMES)
    other.learn_steps()
    other.load_state_dict(found.state_dict())
    copied = copy.deepcopy(found)
    x = picture_set(seed=1).tensors(CONTRACT.image)
    with torch.no_grad():
        assert torch.equal(found(x), other(x)) and torch.equal(found(x), copied(x))
    assert freeze(copied, CONTRACT).digest() == freeze(found, CONTRACT).digest()


def student_of(teacher: nn.Module, weight_bits: WeightBits) -> FakeQuantNet:
    found = prepare(teacher, small_task.CONTRACT, weight_bits=weight_bits)
    calibrate(found, small_task.pictures().train, EXTREMES)
    return found


def test_training_goes_on_from_a_checkpoint_of_the_same_bits_alone(tmp_path: Path) -> None:
    teacher = net(
        lambda self, x: self.head(self.wide(F.relu6(self.stem(x))).mean((2, 3))),
        stem=nn.Conv2d(3, 8, 3, 2),
        wide=nn.Conv2d(8, 16, 1),
        head=nn.Linear(16, len(small_task.LABELS)),
    )
    data, plan = small_task.pictures(), TrainPlan.distil(1, after=small_task.PLAN)
    first, again = student_of(teacher, 4), student_of(teacher, 4)
    fit(first, data, plan, teacher=teacher, out=tmp_path)
    assert len(fit(again, data, plan, teacher=teacher, out=tmp_path).epochs) == 1
    assert freeze(again, small_task.CONTRACT).digest() == freeze(first, small_task.CONTRACT).digest()
    assert freeze(student_of(teacher, 4), small_task.CONTRACT).digest() != freeze(first, small_task.CONTRACT).digest()
    with pytest.raises(SettingError, match="with other net"):
        fit(student_of(teacher, 8), data, plan, teacher=teacher, out=tmp_path)


def test_the_record_says_what_was_asked_and_what_has_four_bits() -> None:
    said = quantize(squeeze_excite(), CONTRACT, picture_set(), EXTREMES, weight_bits={"wide": 4}).record.settings
    assert said["weight_bits"]["asked"] == {"wide": 4}
    assert said["weight_bits"]["layers"] == 1 and said["weight_bits"]["of_layers"] == 7
    assert 0 < said["weight_bits"]["weights_share"] < 0.5
    assert "weight_bits" not in quantize(squeeze_excite(), CONTRACT, picture_set(), EXTREMES).record.settings


# -- the command line


@pytest.mark.parametrize(
    ("option", "bits"),
    [("8", 8), ("4", 4), ("auto", "auto"), ("features=4, classifier.3=8", {"features": 4, "classifier.3": 8})],
)
def test_the_option_is_bits_or_those_of_layers(option: str, bits: WeightBits | str) -> None:
    assert named_bits(option) == bits


@pytest.mark.parametrize("option", ["", "5x", "a=4,a=8", "a=", "=4", "automatic"])
def test_another_form_of_the_option_is_refused(option: str) -> None:
    with pytest.raises(SettingError, match="expected 8, 4, auto, or LAYER=BITS"):
        named_bits(option)
    with pytest.raises(SettingError, match="expected --weight-bits 8, 4 or auto"):
        whole_bits(option)


def test_a_run_refuses_other_bits_before_it_trains() -> None:
    with pytest.raises(SettingError, match="weight_bits 8 or 4"):
        RunSettings(weight_bits=5)
    assert RunSettings(weight_bits=4).command() == "mobile-sdk run --weight-bits 4"


def test_quantize_gives_four_bits_and_says_so(
    small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    base = ["quantize", "--weights", f"{small.folder}/net.safetensors", "--data", small.pictures, "--epochs", "0"]
    base += ["--calibration", "extremes"]
    assert call([*base, "--out", str(tmp_path), "--weight-bits", "4", "--json"]) == 0
    shown = capfd.readouterr()
    said = json.loads(shown.out)["settings"]["weight_bits"]
    assert said["asked"] == 4 and said["weights_share"] > 0.8
    assert f"weights of 4 bits: {said['layers']} of {said['of_layers']} layers" in shown.err
    assert call([*base, "--out", str(tmp_path), "--weight-bits", "clasifier.3=4"]) == 2
    assert "hint: did you mean classifier.3?" in capfd.readouterr().err
