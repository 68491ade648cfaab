"""Which tensors get int8, on what grid; and that no net of ours keeps an operator in float."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Add, Clamp, Conv2d, Graph, Linear, Mean, Mul, Operator
from qat.calibration.calibration import calibrate, quantize
from qat.calibration.plan import CalibrationPlan
from qat.layers.quantizers.fake_quant import TensorQuantizer
from qat.nets import build_net
from qat.nets.blocks import SqueezeExcitation
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from qat.steps import Kind, absorbs, step_of
from tests.support.tiny_nets import CONTRACT, LABELS, Tiny, body, net, picture_set

SMALL = Contract(name="small", labels=LABELS, image=ImageSpec(size_px=32))
EXTREMES = CalibrationPlan.extremes()  # ends where values do, before a search moves them
RELU6_SCALE, UNIT_SCALE = float(np.float32(6 / 255)), float(np.float32(1 / 255))


# Blocks of stride 1 that keep their channels, counted in the papers' tables at width 1.0.
RESIDUAL_SUMS = {
    "mobilenet_v1": 0,
    "mobilenet_v2": 10,
    "mobilenet_v3_large": 10,
    "mobilenet_v3_small": 6,
    "mobilenet_v3_large_minimalistic": 10,
    "mobilenet_v3_small_minimalistic": 6,
    "mnasnet_a1": 9,
}


@pytest.fixture(scope="module", params=sorted(RESIDUAL_SUMS))
def graph(request: pytest.FixtureRequest) -> Graph:
    """Each of our mobile nets at width 1.0, frozen."""
    torch.manual_seed(0)
    return quantize(build_net(request.param, SMALL), SMALL, picture_set(4, 32), EXTREMES).graph


def prepared(operation: Callable[[Any, Tensor], Tensor], **modules: nn.Module) -> FakeQuantNet:
    """The net around the operation, calibrated."""
    found = prepare(body(operation, **modules), CONTRACT)
    calibrate(found, picture_set(), EXTREMES)
    return found


def quantizer_after(found: FakeQuantNet, kind: Kind, index: int = 0) -> TensorQuantizer | None:
    """The quantizer of the index-th step of that kind."""
    nodes = [node for node in found.captured.graph.nodes if (step := step_of(node)) and step.kind is kind]
    modules = dict(found.captured.named_modules(remove_duplicate=False))
    for user in nodes[index].users:
        module = modules.get(str(user.target))
        if isinstance(module, TensorQuantizer):
            return module
    return None


def grid_after(found: FakeQuantNet, kind: Kind, index: int = 0) -> tuple[float, int]:
    quantizer = quantizer_after(found, kind, index)
    assert quantizer is not None
    return quantizer.quantization().scale, quantizer.quantization().zero_point


def convolutions(graph: Graph) -> list[Conv2d | Linear]:
    return [operator for operator in graph.operators if isinstance(operator, Conv2d | Linear)]


# -- our nets


def test_no_operator_of_our_nets_is_left_in_float(graph):
    for operator in graph.operators:
        assert operator.output.quantization is not None, operator.path
        assert all(operand.quantization is not None for operand in operator.inputs), operator.path
    for operator in convolutions(graph):
        assert operator.weight.dtype == np.int8 and operator.bias.dtype == np.int32
        assert operator.weight_scales is not None and operator.weight_scales.dtype == np.float32


def test_no_operator_of_our_nets_needs_a_clamp_of_its_own(graph):
    """Every ReLU and ReLU6 is the saturation of its grid."""
    assert {operator.clamp for operator in graph.operators if isinstance(operator, Conv2d | Add | Mul)} == {Clamp.NONE}


def test_our_nets_cost_no_operator_beyond_what_the_paper_has(graph, request):
    """Batch norms, clamps, gates and dropout cost none; an h-swish is an Add and a Mul, an SE a Mean and a Mul more.

    V3-Large's first residual sum joins the stem's h-swish, which is six times itself, and a convolution: one Mul.
    """
    name = request.node.callspec.params["graph"]
    modules = list(build_net(name, SMALL).modules())
    layers, swishes, gates = (
        [module for module in modules if isinstance(module, kind)]
        for kind in (nn.Conv2d | nn.Linear, nn.Hardswish, SqueezeExcitation)
    )
    counts = Counter(type(operator) for operator in graph.operators)
    assert counts[Conv2d] + counts[Linear] == len(layers)
    assert counts[Add] == RESIDUAL_SUMS[name] + len(swishes)
    assert counts[Mul] == len(swishes) + len(gates) + (name == "mobilenet_v3_large")
    assert counts[Mean] == 1 + len(gates)
    assert counts.total() == sum(counts[kind] for kind in (Conv2d, Linear, Add, Mul, Mean))


def test_scales_are_positive_float32_and_zero_points_int8(graph):
    for operator in graph.operators:
        grid = arithmetic.quantization_of(operator.output)
        assert float(np.float32(grid.scale)) == grid.scale > 0 and -128 <= grid.zero_point <= 127


# -- fixed ranges


def test_relu6_ends_exactly_at_0_and_6_and_the_tensor_before_it_has_no_quantizer():
    found = prepared(lambda self, x: F.relu6(x))
    assert grid_after(found, Kind.RELU6) == (RELU6_SCALE, -128)
    assert quantizer_after(found, Kind.WEIGHTED, 0) is None


def test_a_tensor_that_others_read_beside_relu6_has_a_quantizer_of_its_own():
    found = prepared(lambda self, x: F.relu6(x) + x)
    assert grid_after(found, Kind.RELU6) == (RELU6_SCALE, -128)
    assert grid_after(found, Kind.WEIGHTED, 0) != (RELU6_SCALE, -128)


def test_relu_begins_at_zero_and_ends_where_the_values_do():
    scale, zero_point = grid_after(prepared(lambda self, x: F.relu(x)), Kind.RELU)
    assert zero_point == -128 and scale != RELU6_SCALE


@pytest.mark.parametrize("spelling", [F.hardsigmoid, lambda x: F.relu6(x + 3) / 6], ids=["function", "spelled out"])
def test_a_hard_sigmoid_ends_exactly_at_0_and_1(spelling):
    tiny = body(lambda self, x: x * spelling(self.gate(x.mean((2, 3), keepdim=True))), gate=nn.Conv2d(6, 6, 1))
    graph = quantize(tiny, CONTRACT, picture_set(), EXTREMES).graph
    (product,) = (operator for operator in graph.operators if isinstance(operator, Mul))
    grid = arithmetic.quantization_of(product.b)
    # Spelled out, the gate's codes stand for six times its values; the factor is in the product's scale.
    assert grid.zero_point == -128 and grid.scale in (UNIT_SCALE, RELU6_SCALE)
    ends = {operator.output.name: operator for operator in graph.operators}
    assert isinstance(ends[product.b.name], Conv2d | Add)


def test_the_gate_of_h_swish_is_an_add_that_saturates_at_0_and_6():
    graph = quantize(body(lambda self, x: F.hardswish(x)), CONTRACT, picture_set()).graph
    gate, product = graph.operators[1:3]
    assert isinstance(gate, Add) and isinstance(product, Mul) and product.b is gate.output
    grid = arithmetic.quantization_of(gate.output)
    assert (grid.scale, grid.zero_point) == (RELU6_SCALE, -128)


def test_h_swish_spends_no_codes_below_minus_3_on_its_input_nor_below_its_minimum_on_its_output():
    wide = body(lambda self, x: F.hardswish(self.low(x)), low=nn.Conv2d(6, 6, 1))
    with torch.no_grad():
        wide.low.weight.mul_(60)  # far beyond -3 on both sides
    found = prepare(wide, CONTRACT)
    calibrate(found, picture_set(), EXTREMES)
    quantizer = quantizer_after(found, Kind.WEIGHTED, 1)
    assert quantizer is not None and float(quantizer.low) < -10
    scale, zero_point = grid_after(found, Kind.WEIGHTED, 1)
    assert -3 - scale / 2 <= scale * (-128 - zero_point) <= -3 + scale / 2
    scale, zero_point = grid_after(found, Kind.HARD_SWISH)
    assert scale * (-128 - zero_point) == pytest.approx(-0.375, abs=scale / 2)


def test_an_h_swish_input_that_others_read_keeps_its_low_end():
    shared = body(lambda self, x: _swish_and_itself(self.low(x)), low=nn.Conv2d(6, 6, 1))
    with torch.no_grad():
        shared.low.weight.mul_(60)
    found = prepare(shared, CONTRACT)
    calibrate(found, picture_set(), EXTREMES)
    scale, zero_point = grid_after(found, Kind.WEIGHTED, 1)
    assert scale * (-128 - zero_point) < -10


def _swish_and_itself(x: Tensor) -> Tensor:
    return F.hardswish(x) + x


# -- shared grids


def test_all_parts_of_a_concatenation_share_one_grid_with_it():
    found = prepared(lambda self, x: torch.cat([x, F.relu6(x), F.hardswish(x)], 1))
    grids = {
        grid_after(found, Kind.WEIGHTED),
        grid_after(found, Kind.RELU6),
        grid_after(found, Kind.HARD_SWISH),
        grid_after(found, Kind.CONCAT),
    }
    assert len(grids) == 1
    quantizer = quantizer_after(found, Kind.CONCAT)
    assert quantizer is not None and quantizer is quantizer_after(found, Kind.RELU6) and not quantizer.is_fixed


def test_concatenations_that_share_a_part_share_one_grid():
    def operation(self: Any, x: Tensor) -> Tensor:
        a, b = F.relu(x), self.conv(x)
        return torch.cat([torch.cat([x, a], 1), torch.cat([a, b], 1)], 1)

    found = prepared(operation, conv=nn.Conv2d(6, 6, 1))
    assert len({grid_after(found, Kind.CONCAT, index) for index in range(3)}) == 1


def test_a_concatenation_reaches_through_pooling_and_dropout_to_the_grid_before_them():
    found = prepared(lambda self, x: torch.cat([F.max_pool2d(x, 2), F.avg_pool2d(x, 2)], 1))
    assert quantizer_after(found, Kind.WEIGHTED) is quantizer_after(found, Kind.CONCAT)
    assert quantizer_after(found, Kind.MAX_POOL) is None


def test_the_picture_keeps_its_own_grid_in_a_concatenation():
    tiny = net(
        lambda self, x: self.head(torch.cat([x, self.stem(x)], 1).mean((2, 3))),
        stem=nn.Conv2d(3, 6, 3, padding=1),
        head=nn.Linear(9, 5),
    )
    graph = quantize(tiny, CONTRACT, picture_set()).graph
    grid = arithmetic.quantization_of(graph.input)
    assert (grid.scale, grid.zero_point) == (1 / 128, 0)


# -- what is materialised


@pytest.mark.parametrize(
    "operation",
    [
        lambda self, x: x + F.relu(self.conv(x)),
        lambda self, x: x * F.hardsigmoid(self.conv(x.mean((2, 3), keepdim=True))),
        lambda self, x: F.avg_pool2d(x, 2),
        lambda self, x: F.max_pool2d(x, 2),
        lambda self, x: F.hardswish(self.conv(x)),
    ],
    ids=["residual sum", "squeeze and excite", "average pooling", "max pooling", "h-swish"],
)
def test_every_tensor_that_the_phone_computes_has_a_grid(operation: Callable[[Any, Tensor], Tensor]):
    graph = quantize(body(operation, conv=nn.Conv2d(6, 6, 1)), CONTRACT, picture_set()).graph
    assert all(_is_int8(operator) for operator in graph.operators)


def _is_int8(operator: Operator) -> bool:
    return all(operand.quantization is not None for operand in (operator.output, *operator.inputs))


def test_an_activation_is_carried_out_by_the_operator_before_it_if_nobody_else_reads_that():
    tiny = body(lambda self, x: F.relu(F.hardsigmoid(x) + self.conv(x)), conv=nn.Conv2d(6, 6, 1))
    found = prepare(tiny, CONTRACT).captured
    pairs = {
        (step.kind, follower.kind)
        for node in found.graph.nodes
        if (step := step_of(node)) and (user := absorbs(node)) and (follower := step_of(user))
    }
    assert pairs == {(Kind.ADD, Kind.RELU)}  # the stem is read twice: its hard-sigmoid is not the stem's own


def test_nets_of_one_kind_of_layer_are_quantized_too():
    tiny: Tiny = net(lambda self, x: self.head(x.mean((2, 3))), head=nn.Linear(3, 5))
    graph = quantize(tiny, CONTRACT, picture_set()).graph
    assert [type(operator).__name__ for operator in graph.operators] == ["Mean", "Linear"]
