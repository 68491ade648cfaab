"""The comparison nets are 0 steps from the reference in every runtime, in one partition, and train in int8."""

from pathlib import Path

import numpy as np
import pytest
from torch import nn

from benchmarks.core.realistic import crops, with_realistic_numbers
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph.operators import ChannelShuffle, ChannelSlice, Concat, Conv2d
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.verification.verification import verify
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.freezing.freezing import freeze
from qat.nets import build_net
from qat.preparation.preparation import prepare
from tests.support.written_here import WRITTEN_HERE

RUNTIMES = WRITTEN_HERE
NETS = {
    # net: width, size; Xception's maps are odd at some sizes and even at others, and its pools pad what is below zero
    "mnasnet_a1": (0.35, 64),
    "xception": (0.1, 107),
    "shufflenet_v1": (0.5, 64),
    "shufflenet_v2": (0.5, 64),
    "squeezenet": (0.5, 64),
    "mobilenet_v4_conv_small": (0.35, 64),
    "mobileone_s0": (0.25, 64),
    "mobileone_s4": (0.125, 64),
}


def built(name: str) -> tuple[nn.Module, Contract]:
    width, size_px = NETS[name]
    contract = Contract(name=name, labels=tuple("abcdefghij"), image=ImageSpec(size_px=size_px))
    return with_realistic_numbers(build_net(name, contract, width=width), contract.image), contract


@pytest.fixture(scope="module", params=NETS)
def program(request: pytest.FixtureRequest) -> Program:
    net, contract = built(request.param)
    return quantize(net, contract, crops(8, seed=1), CalibrationPlan.extremes())


def test_every_score_is_the_references_in_one_partition_of_every_runtime(program: Program, tmp_path: Path):
    codes = Reference(program.graph).run(crops(6, seed=2).bytes(program.contract.image))
    assert len(np.unique(codes)) > 12, "scores that vary"
    for bundle in lower(program, tmp_path, runtimes=RUNTIMES):
        verdict = verify(bundle, program, crops(6, seed=2))
        assert verdict.comparison is not None and verdict.comparison.differing == 0, bundle.manifest.runtime
        failed = [check for check in verdict.checks if check.outcome == "fail"]
        assert not failed, failed


def test_a_program_is_read_back_as_it_was_saved(program: Program, tmp_path: Path):
    program.save(tmp_path / "program.pt2")
    assert Program.load(tmp_path / "program.pt2").graph.digest() == program.graph.digest()


def test_shuffles_and_slices_cost_no_requantization_and_groups_stay_groups(program: Program):
    operators, name = program.graph.operators, program.contract.name
    for operator in operators:
        if isinstance(operator, ChannelShuffle | ChannelSlice):
            assert operator.input.quantization == operator.output.quantization
    counts = {
        kind: sum(isinstance(each, kind) for each in operators) for kind in (ChannelShuffle, ChannelSlice, Concat)
    }
    expected = {
        "shufflenet_v1": (16, 0, 3),
        "shufflenet_v2": (16, 2 * 13, 16),
        "squeezenet": (0, 0, 8),
    }.get(name, (0, 0, 0))
    assert tuple(counts.values()) == expected
    grouped = [each for each in operators if isinstance(each, Conv2d) and each.groups > 1 and not each.is_depthwise]
    assert len(grouped) == (31 if name == "shufflenet_v1" else 0)


@pytest.mark.parametrize("name", ["shufflenet_v1", "shufflenet_v2"])
def test_a_fake_quantized_net_that_shuffles_learns_and_freezes(name):
    net, contract = built(name)
    student = prepare(net, contract).train()
    pictures = crops(4, seed=4).tensors(contract.image)
    student(pictures).square().sum().backward()
    weights = [parameter for parameter in student.parameters() if parameter.ndim == 4]
    assert all(weight.grad is not None and weight.grad.isfinite().all() and weight.grad.any() for weight in weights)
    assert freeze(student.eval(), contract).graph.is_int8
