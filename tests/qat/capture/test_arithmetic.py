"""Arithmetic of tensors in a net's forward(): the user's net in float, and exact in every runtime."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
    "a difference": lambda self, x: torch.relu(self.other(x)) - x,
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

FIXED = torch.randn(1, 6, 16, 16, generator=torch.Generator().manual_seed(0))
CHANNELS = torch.linspace(-1.5, 2, 6).reshape(1, 6, 1, 1)


def grid_like(x: Tensor) -> tuple[Tensor, ...]:
    """Rows' and columns' places, as detectors lay their anchors."""
    places = [(torch.arange(side) + 0.5).type_as(x) for side in x.shape[2:]]
    return torch.meshgrid(*places, indexing="ij")


CONSTANTS: dict[str, Operation] = {
    "an offset a pixel": lambda self, x: x + FIXED,
    "a map less an offset a pixel": lambda self, x: x - FIXED,
    "an offset a pixel less a map": lambda self, x: FIXED - x,
    "a gain a pixel": lambda self, x: x * FIXED,
    "a gain and an offset a pixel": lambda self, x: (x * FIXED + FIXED[:, :, :1]) / FIXED.abs().clamp(min=0.5),
    "a spatial mask": lambda self, x: x * (torch.arange(16) % 3)[None, None, :, None],
    "a table of positions that is learnt": lambda self, x: self.other(x) + self.positions,
    "means repeated by constants": lambda self, x: pooled(x) * FIXED,
    "means and a table of positions": lambda self, x: pooled(x) + FIXED,
    "means repeated by ones": lambda self, x: x + pooled(x) * torch.ones(1, 1, 16, 16),
    "layer scale": lambda self, x: x + self.gamma * self.other(x),
    "layer scale on a shared map": lambda self, x: self.gamma * x + x,
    "normalised by channel": lambda self, x: (x - CHANNELS) / (CHANNELS.abs() + 0.5),
    "normalised and clamped": lambda self, x: torch.clamp((x - 0.3) / 0.7, -1, 1) + x,
    "1 - x of a shared map": lambda self, x: (1 - x) * x,
    "negated and shared": lambda self, x: torch.relu(-x) + x,
    "twice and one": lambda self, x: (2 * x + 1) * torch.sigmoid(x),
    "places beside a map": lambda self, x: self.wide(torch.cat([x, FIXED[:, :2].expand(len(x), -1, -1, -1)], 1)),
    "places of pixels in the map's type": lambda self, x: x + torch.stack(grid_like(x)).sum(0) / 16,
    "ones like": lambda self, x: x + torch.ones_like(x[:, :, :1]),
}


def sum_of_squares(x: Tensor) -> Tensor:
    return (x * x).mean((2, 3), keepdim=True)


FUNCTIONS: dict[str, Operation] = {
    "GELU by tanh": lambda self, x: F.gelu(x, approximate="tanh"),
    "ELU of another alpha": lambda self, x: F.elu(x, 0.5),
    "SELU": lambda self, x: F.selu(x),
    "CELU": lambda self, x: F.celu(x, 1.5),
    "softplus of another beta": lambda self, x: F.softplus(x, 2.0),
    "log-sigmoid": lambda self, x: F.logsigmoid(x),
    "sine": lambda self, x: torch.sin(x),
    "cosine": lambda self, x: torch.cos(2 * x),
    "a cube": lambda self, x: x**3,
    "a fourth power": lambda self, x: x.pow(4),
    "a square root": lambda self, x: torch.sqrt(x * x + 0.1),
    "a power of half": lambda self, x: (x.abs() + 0.2) ** 0.5,
    "GeM": lambda self, x: x.clamp(min=1e-2).pow(3.5).mean((2, 3), keepdim=True).pow(1 / 3.5),
    "divided by a norm": lambda self, x: x * torch.rsqrt(sum_of_squares(x) + 1),
    "divided by a tensor": lambda self, x: x / (1 + x.abs()),
    "a constant by a tensor": lambda self, x: -2 / (torch.exp(x) + 1),
    "a reciprocal": lambda self, x: (x.abs() + 1).reciprocal(),
    "a logarithm": lambda self, x: torch.log(x.abs() + 0.5),
    "the larger of two": lambda self, x: torch.maximum(x, self.other(x)),
    "the smaller of two": lambda self, x: torch.minimum(x, self.other(x)),
    "PReLU a channel": lambda self, x: F.prelu(x, self.slopes),
    "PReLU": lambda self, x: F.prelu(x, self.slope),
    "PReLU after a convolution": lambda self, x: F.prelu(self.other(x), self.slopes),
}


@pytest.mark.parametrize("form", CONSTANTS)
def test_arithmetic_with_constants_is_the_users_net_in_float_and_exact_in_runtimes(form, tmp_path):
    assert_right(CONSTANTS[form], tmp_path)


@pytest.mark.parametrize("form", FUNCTIONS)
def test_a_function_is_the_users_net_in_float_and_exact_in_runtimes(form, tmp_path):
    assert_right(FUNCTIONS[form], tmp_path)


def modules() -> dict[str, Any]:
    return {
        "other": nn.Conv2d(6, 6, 3, padding=1),
        "one": nn.Conv2d(6, 1, 3, padding=1),
        "wide": nn.Conv2d(8, 6, 1),
        "rows": nn.Conv2d(6, 6, (1, 16)),
        "columns": nn.Conv2d(6, 6, (16, 1)),
        "positions": nn.Parameter(FIXED / 2),
        "gamma": nn.Parameter(0.3 * CHANNELS),
        "slopes": nn.Parameter(torch.tensor([0.1, 0.25, -0.5, 1.5, 0.0, 1.0])),
        "slope": nn.Parameter(torch.tensor([0.25])),
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
