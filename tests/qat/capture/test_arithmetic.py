"""Arithmetic of tensors in a net's forward(): the user's net in float, and exact in every runtime."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import qat
from mobile_sdk.comparison import compare
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import Sub
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import normalised
from qat.freezing.freezing import float_twin
from tests.support.operators.runtimes import EXECUTORCH, LITERT, assert_exact
from tests.support.tiny_nets import CONTRACT, body, picture_set, rgb

Operation = Callable[[Any, Tensor], Tensor]


def pooled(x: Tensor) -> Tensor:
    """A map's means, (N, C, 1, 1)."""
    return x.mean((2, 3), keepdim=True)


def spatial_gate(self: Any, x: Tensor) -> Tensor:
    """The spatial half of CBAM (arXiv 1807.06521), its statistics by a convolution."""
    return x * torch.sigmoid(self.one(x))


def coordinate_gate(self: Any, x: Tensor) -> Tensor:
    """Two gates along the two sides of a map."""
    rows, columns = self.rows(x), self.columns(x)
    return x * (torch.sigmoid(rows) * torch.sigmoid(columns))


TENSORS: dict[str, Operation] = {
    "a difference": lambda self, x: self.other(x) - x,
    "a difference that a ReLU ends": lambda self, x: torch.relu(x - self.other(x)),
    "an absolute difference": lambda self, x: (x - self.other(x)).abs(),
    "rsub": lambda self, x: torch.rsub(self.other(x), x),
    "sub with alpha": lambda self, x: torch.sub(x, self.other(x), alpha=0.5),
    "rsub with alpha": lambda self, x: torch.rsub(x, self.other(x), alpha=2),
    "add with a negative alpha": lambda self, x: torch.add(x, self.other(x), alpha=-1),
    "a difference of a map and itself": lambda self, x: x - x + x,
    "a map less its means": lambda self, x: x - pooled(x),
    "means less their map": lambda self, x: pooled(x) - x,
    "a map and its means": lambda self, x: pooled(self.other(x)) + x,
    "a spatial gate": spatial_gate,
    "one channel and a map": lambda self, x: self.one(x) + x,
    "a map less one channel": lambda self, x: self.other(x) - self.one(x),
    "gates along both sides": coordinate_gate,
    "a difference with a negated map": lambda self, x: x - (-self.other(x)),
}


def modules() -> dict[str, Any]:
    return {
        "other": nn.Conv2d(6, 6, 3, padding=1),
        "one": nn.Conv2d(6, 1, 3, padding=1),
        "rows": nn.Conv2d(6, 6, (1, 16)),
        "columns": nn.Conv2d(6, 6, (16, 1)),
    }


@pytest.mark.parametrize("form", TENSORS)
def test_arithmetic_of_tensors_is_the_users_net_in_float_and_exact_in_runtimes(form, tmp_path):
    assert_right(TENSORS[form], tmp_path)


def test_a_difference_is_one_operator(tmp_path):
    graph = qat.quantize(body(TENSORS["a difference"], **modules()), CONTRACT, picture_set()).graph
    assert [type(operator) for operator in graph.operators].count(Sub) == 1
    assert len(graph.operators) == 5


def assert_right(operation: Operation, folder: Any) -> None:
    """The float twin computes the user's net, and LiteRT and ExecuTorch compute the int8 program."""
    net = body(operation, **modules())
    graph = qat.quantize(net, CONTRACT, picture_set(), CalibrationPlan.extremes()).graph
    for runtime in (LITERT, EXECUTORCH):
        assert_exact(runtime, graph, folder, rgb(8, seed=5))
    twin = FloatReference(float_twin(net, CONTRACT).graph).run(rgb(8, seed=5))
    values = torch.from_numpy(rgb(8, seed=5).copy()).permute(0, 3, 1, 2)
    with torch.no_grad():
        wanted = net(normalised(values, CONTRACT.image).contiguous()).numpy()
    assert compare(twin, wanted).reaches_db(80)
