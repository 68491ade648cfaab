"""Fused passes: the same bits as the net's own steps one after another, in every mode of its schedule."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qat.layers.quantizers.fake_quant import TensorQuantizer
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.fusion import RoundedClamp, RoundedSilu, RoundedSwish, fused
from qat.preparation.preparation import prepare
from tests.support.tiny_nets import CONTRACT, body, rgb

KINDS = (RoundedClamp, RoundedSilu, RoundedSwish)
COUNT = 40


def net() -> FakeQuantNet:
    """A ReLU, a ReLU6, an h-swish and two SiLUs that fuse, and an h-swish and a SiLU whose input others read."""

    def operation(self: Any, x: Tensor) -> Tensor:
        x = F.relu6(self.first(F.relu(x)))
        x = F.hardswish(self.norm(self.second(x)))
        y = self.fifth(F.silu(self.fourth(x)))
        y = self.third(torch.sigmoid(y) * y)
        return y + F.hardswish(y) + F.silu(y)

    torch.manual_seed(0)
    layers = {name: nn.Conv2d(6, 6, 3, padding=1) for name in ("first", "second", "third", "fourth", "fifth")}
    return prepare(body(operation, norm=nn.BatchNorm2d(6), **layers), CONTRACT).train()


def pictures(seed: int) -> Tensor:
    """Pictures as the net reads them, so many that every tensor has nearly every code."""
    return torch.from_numpy(rgb(COUNT, seed=seed).transpose(0, 3, 1, 2).copy()).float() / 64 - 2


def test_activations_are_joined_with_the_roundings_that_only_they_meet() -> None:
    modules = [module for module in fused(net().captured).modules() if isinstance(module, KINDS)]
    clamps = [module for module in modules if isinstance(module, RoundedClamp)]
    assert {type(module.clamp) for module in clamps} == {nn.ReLU, nn.ReLU6} and len(clamps) == 2
    swishes = [module for module in modules if isinstance(module, RoundedSwish)]
    assert len(swishes) == 1 and len([module for module in modules if isinstance(module, RoundedSilu)]) == 2


@pytest.mark.parametrize("observers_frozen", [False, True])
@pytest.mark.parametrize("norm_frozen", [False, True])
def test_scores_gradients_and_ranges_are_those_of_the_net_step_by_step(
    observers_frozen: bool, norm_frozen: bool
) -> None:
    found = net()
    wanted = copy.deepcopy(found)
    for _ in range(3):  # the first step has not seen a range yet
        _same_step(found, wanted)
    for one in (found, wanted):
        one.set_phase(freeze_observers=observers_frozen, freeze_batch_norm=norm_frozen)
    for seed in range(1, 3):
        _same_step(found, wanted, seed)


def _same_step(found: FakeQuantNet, wanted: FakeQuantNet, seed: int = 0) -> None:
    x, targets = pictures(seed), torch.arange(COUNT) % 5
    scores, plain = found(x), wanted.captured(wanted.on_one_grid(x))
    assert torch.equal(scores, plain)
    for one, result in ((found, scores), (wanted, plain)):
        one.zero_grad()
        F.cross_entropy(result, targets).backward()
    for mine, theirs in zip(found.parameters(), wanted.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-6)
    for name, value in found.state_dict().items():
        assert torch.equal(value, wanted.state_dict()[name]), name


@pytest.mark.parametrize("switch", ["one rounding off", "all off", "calibrating"])
def test_switches_act_as_on_the_net_step_by_step(switch: str) -> None:
    found = net()
    found(pictures(0))
    match switch:
        case "all off":
            found.quantize(False)
        case "calibrating":
            found.calibrate(True)
        case _:
            next(part for part in found.captured.modules() if isinstance(part, TensorQuantizer)).quantizing = False
    wanted = copy.deepcopy(found)
    _same_step(found, wanted, 1)


def test_copies_share_nothing_and_the_state_has_each_tensor_once() -> None:
    found = net()
    twin = copy.deepcopy(found)
    twin(pictures(0))
    assert not any(part.seen for part in found.modules() if isinstance(part, TensorQuantizer))
    assert not any("fused" in name for name in found.state_dict())
