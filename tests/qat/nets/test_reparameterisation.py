"""The form that phones run computes what the trained form computes, and is what quantization captures."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from benchmarks.core.realistic import crops, with_realistic_numbers
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph.operators import Add, Conv2d
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.nets import build_net, reparameterised
from qat.nets.classifiers.mobileone import MobileOneBlock
from qat.preparation.preparation import prepare

CONTRACT = Contract(name="net", labels=tuple("abcde"), image=ImageSpec(size_px=64))


def block(*, kernel: int, stride: int, depthwise: bool, branches: int, squeezes: bool, outputs: int) -> MobileOneBlock:
    """A block of 16 channels whose batch norms have seen other values than zeros and ones."""
    made = MobileOneBlock(
        16,
        16 if depthwise else outputs,
        kernel=kernel,
        stride=stride,
        groups=16 if depthwise else 1,
        branches=branches,
        squeezes=squeezes,
    )
    generator = torch.Generator().manual_seed(0)
    for norm in (each for each in made.modules() if isinstance(each, nn.BatchNorm2d)):
        for values, low in ((norm.running_mean, -1.0), (norm.running_var, 0.1), (norm.weight.data, -1.0),
                            (norm.bias.data, -1.0)):  # fmt: skip
            values.copy_(low + 1.5 * torch.rand(values.shape, generator=generator))
    return made.eval()


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from((1, 3, 5)),
    stride=st.sampled_from((1, 2)),
    depthwise=st.booleans(),
    branches=st.integers(1, 4),
    squeezes=st.booleans(),
    outputs=st.sampled_from((8, 16, 24)),
)
def test_any_block_equals_its_one_convolution(kernel, stride, depthwise, branches, squeezes, outputs):
    trained = block(kernel=kernel, stride=stride, depthwise=depthwise, branches=branches, squeezes=squeezes,
                    outputs=outputs).double()  # fmt: skip
    run, x = trained.reparameterised(), torch.randn(2, 16, 9, 9).double()
    assert sum(isinstance(each, nn.Conv2d) for each in run.modules()) == 1 + 2 * squeezes
    with torch.no_grad():
        torch.testing.assert_close(run(x), trained(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["mobileone_s0", "mobileone_s4"])
def test_a_net_equals_the_form_that_phones_run_within_float32s_rounding(name):
    net = with_realistic_numbers(build_net(name, CONTRACT, width=0.25), CONTRACT.image).eval()
    wide = copy.deepcopy(net).double()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    run = reparameterised(net)
    pictures = crops(4, seed=1).tensors(CONTRACT.image)
    with torch.no_grad():
        exact, expected, found = wide(pictures.double()), net(pictures), run(pictures)
        torch.testing.assert_close(reparameterised(wide)(pictures.double()), exact, rtol=1e-9, atol=1e-9)
    assert (found - exact).abs().max() <= 3 * (expected - exact).abs().max(), "as near as the trained form itself"
    assert not [each for each in run.modules() if isinstance(each, nn.BatchNorm2d | MobileOneBlock)]
    assert run.contract == CONTRACT and not run.training
    assert net.state_dict().keys() == before.keys(), "the net itself stays in branches"
    assert all(value.equal(before[key]) for key, value in net.state_dict().items())


def test_the_copy_shares_nothing_with_the_net():
    net = build_net("mobileone_s4", CONTRACT, width=0.125)
    own = {parameter.data_ptr() for parameter in net.parameters()}
    assert own.isdisjoint(parameter.data_ptr() for parameter in reparameterised(net).parameters())
    assert reparameterised(net.train()).training


def test_a_net_without_branches_is_copied_as_it_is():
    net = build_net("mobilenet_v2", CONTRACT, width=0.25)
    copied = reparameterised(net)
    assert copied is not net
    assert all(value.equal(net.state_dict()[key]) for key, value in copied.state_dict().items())


class Own(nn.Module):
    """A user's block with such a method."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return self.left(x) + self.right(x)

    def reparameterised(self):
        conv = nn.Conv2d(3, 4, 1)
        conv.weight = nn.Parameter(self.left.weight + self.right.weight)
        conv.bias = nn.Parameter(self.left.bias + self.right.bias)
        return conv


def test_a_users_block_with_the_method_is_replaced_too():
    net = nn.Sequential(Own(), nn.ReLU())
    run, x = reparameterised(net), torch.randn(1, 3, 5, 5)
    assert type(run[0]) is nn.Conv2d
    torch.testing.assert_close(run(x), net(x))


@pytest.mark.parametrize("name", ["mobileone_s0", "mobileone_s4"])
def test_quantization_captures_one_convolution_a_block_of_the_trained_form(name):
    net = with_realistic_numbers(build_net(name, CONTRACT, width=0.125), CONTRACT.image)
    program = quantize(net, CONTRACT, crops(4, seed=1), CalibrationPlan.extremes())
    squeezing = sum(block.squeeze is not None for block in net.modules() if isinstance(block, MobileOneBlock))
    kinds = [type(operator) for operator in program.graph.operators]
    assert kinds.count(Conv2d) == 1 + 2 * (2 + 8 + 10 + 1) + 2 * squeezing and Add not in kinds
    assert squeezing == (12 if name == "mobileone_s4" else 0)
    student = prepare(net, CONTRACT).train()
    student(crops(4, seed=2).tensors(CONTRACT.image)).square().sum().backward()
    filters = [parameter for parameter in student.parameters() if parameter.ndim == 4]
    assert all(each.grad is not None and each.grad.isfinite().all() for each in filters)
