"""Nets with functions of one number: exact in every runtime, and near the net; trained, in strips, with kept layers."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import qat
from mobile_sdk.comparison import compare
from mobile_sdk.errors import CaptureError
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import UnaryFunction
from mobile_sdk.graph.reference import Reference
from mobile_sdk.memory.limit import within
from mobile_sdk.memory.usage import peak_bytes
from mobile_sdk.program.program import Program
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import normalised
from qat.freezing.freezing import float_twin
from tests.support.nets.calibrated_nets import block_net
from tests.support.operators.runtimes import LITERT, RUNTIMES, assert_exact
from tests.support.tiny_nets import CONTRACT, body, picture_set, rgb, tensors

FUNCTIONS: dict[str, Any] = {
    "SiLU": nn.SiLU,
    "Mish": nn.Mish,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "GELU": nn.GELU,
    "ELU": nn.ELU,
    "leaky ReLU": lambda: nn.LeakyReLU(0.2),
    "softplus": nn.Softplus,
    "hardtanh": nn.Hardtanh,
}


def squeeze_net() -> nn.Module:
    """A squeeze-and-excite block as EfficientNet has it: SiLU inside, a sigmoid as the gate."""

    def operation(self: Any, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.widen(nn.functional.silu(self.narrow(x.mean((2, 3), keepdim=True)))))

    return body(operation, narrow=nn.Conv2d(6, 3, 1), widen=nn.Conv2d(3, 6, 1))


@pytest.mark.parametrize("name", [*FUNCTIONS, "squeeze-and-excite"])
def test_a_net_with_the_function_is_exact_in_every_runtime_and_near_the_net(name, tmp_path):
    net = squeeze_net() if name == "squeeze-and-excite" else block_net(FUNCTIONS[name])
    program = qat.quantize(net, CONTRACT, picture_set(), CalibrationPlan.extremes())
    assert any(isinstance(operator, UnaryFunction) for operator in program.graph.operators)
    for runtime in RUNTIMES:
        assert_exact(runtime, program.graph, tmp_path, rgb(8, seed=5))
    program.save(tmp_path / "program.pt2")
    assert Program.load(tmp_path / "program.pt2").digest() == program.digest()
    twin = float_twin(net, CONTRACT).graph
    with torch.no_grad():
        wanted = net(_normalised(rgb(8, seed=5))).numpy()
    assert compare(FloatReference(twin).run(rgb(8, seed=5)), wanted).reaches_db(80)
    codes = Reference(program.graph).run(rgb(8, seed=5)).astype(np.float64)
    grid = program.graph.output.quantization
    assert grid is not None
    assert compare(((codes - grid.zero_point) * grid.scale).astype(np.float32), wanted).reaches_db(18)


def test_strips_compute_functions_row_by_row(tmp_path):
    graph = qat.quantize(block_net(nn.SiLU), CONTRACT, picture_set(), CalibrationPlan.extremes()).graph
    strips = within(graph, int(peak_bytes(graph) * 0.7))
    assert sum(isinstance(operator, UnaryFunction) for operator in strips.operators) > 2
    np.testing.assert_array_equal(Reference(strips).run(rgb()), Reference(graph).run(rgb()))
    assert_exact(LITERT, strips, tmp_path, rgb())


def test_training_lowers_the_loss_and_what_is_frozen_is_exact(tmp_path):
    student = qat.prepare(block_net(nn.SiLU), CONTRACT)
    qat.calibrate(student, picture_set(), CalibrationPlan.extremes())
    optimizer = torch.optim.Adam(student.parameters(), lr=0.01)
    x, targets = tensors(8), torch.arange(8) % 5
    losses = []
    for _ in range(30):
        loss = nn.functional.cross_entropy(student(x), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    for runtime in RUNTIMES:
        assert_exact(runtime, qat.freeze(student, CONTRACT).graph, tmp_path, rgb())


def test_a_function_may_be_kept_in_float(tmp_path):
    program = qat.quantize(
        block_net(nn.GELU), CONTRACT, picture_set(), CalibrationPlan.extremes(), keep_float=["expand", "act"]
    )
    assert program.graph.precision == "mixed"
    assert not LITERT.requirement(program.graph).exact  # runtimes approximate it in different ways


def test_a_softplus_that_ends_early_is_refused_with_the_module():
    with pytest.raises(CaptureError, match=r"softplus.* at act, with a beta of 2\.0 and a threshold of 5"):
        qat.prepare(block_net(lambda: nn.Softplus(2.0, 5.0)), CONTRACT)


def _normalised(pictures: np.ndarray) -> torch.Tensor:
    return normalised(torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2), CONTRACT.image).contiguous()
