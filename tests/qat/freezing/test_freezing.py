"""Freezing, end to end: nets of a user's own → program → LiteRT and ExecuTorch, 0 steps from the reference."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.comparison import compare, sqnr_db
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import CaptureError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import Add, Concat, Conv2d, Graph, Linear, Mean, Mul, Operator
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.freezing.freezing import float_twin, freeze
from qat.layers.quantizers.fake_quant import TensorQuantizer
from qat.preparation.preparation import prepare
from tests.support.tiny_nets import CONTRACT, LABELS, SIZE_PX, Tiny, body, net, picture_set, rgb, tensors

RUNTIMES = (TfliteRuntime(), ExecuTorchRuntime())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("frozen")


def program_of(tiny: nn.Module, contract: Contract = CONTRACT, plan: CalibrationPlan | None = None) -> Program:
    return quantize(tiny, contract, picture_set(16, contract.image.size_px, seed=1), plan)


def assert_exact(program: Program, folder: Path) -> None:
    """Every score of both runtimes is the reference's, in one partition."""
    images = rgb(6, program.contract.image.size_px, seed=2)
    expected = Reference(program.graph).run(images)
    for runtime in RUNTIMES:
        path = folder / runtime.model_file
        session = runtime.load(path, runtime.export(program.graph, program.contract, path), threads=1)
        found = np.stack([session.run(image) for image in images])
        np.testing.assert_array_equal(found.reshape(expected.shape), expected, err_msg=runtime.name)
        structure = runtime.structure(path)
        assert structure.partitions == 1 and structure.int8_weight_share == 1.0
        assert structure.not_delegated == ()


def real(graph: Graph, codes: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    grid = arithmetic.quantization_of(graph.output)
    return (codes.astype(np.float64) - grid.zero_point) * grid.scale


def fidelity_db(program: Program, tiny: nn.Module, folder: Path | None = None) -> float:
    """How far the program's scores stand above their distance from the float net's."""
    twin = float_twin(tiny, program.contract)
    images = rgb(24, program.contract.image.size_px, seed=1)
    floats = FloatReference(twin.graph).run(images).astype(np.float64)
    integers = real(program.graph, Reference(program.graph).run(images))
    centre = floats.mean(axis=0)  # what all pictures have in common says nothing
    found = sqnr_db(integers - floats, floats - centre)
    assert found is not None
    return found


def all_int8(graph: Graph) -> bool:
    operands = [operand for operator in graph.operators for operand in (*operator.inputs, operator.output)]
    weights = [operator for operator in graph.operators if isinstance(operator, Conv2d | Linear)]
    return all(operand.quantization is not None for operand in operands) and all(
        operator.weight.dtype == np.int8 and operator.bias.dtype == np.int32 for operator in weights
    )


def kinds(graph: Graph) -> list[str]:
    return [type(operator).__name__ for operator in graph.operators]


# -- exactness, operator by operator

OPERATIONS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "relu": lambda self, x: F.relu(x),
    "relu6": lambda self, x: F.relu6(x * 2),
    "relu6 of what others read": lambda self, x: x + F.relu6(x),
    "hard-swish": lambda self, x: F.hardswish(x),
    "hard-swish spelled out": lambda self, x: x * F.relu6(x + 3) / 6,
    "hard-swish of a multiple": lambda self, x: F.hardswish(F.hardswish(x) / 2),
    "hard-sigmoid": lambda self, x: F.hardsigmoid(x),
    "hard-sigmoid of a multiple": lambda self, x: F.hardsigmoid(F.hardswish(x)),
    "relu of a concatenation": lambda self, x: F.relu(torch.cat([x, F.relu6(x)], 1)),
    "clamped sum": lambda self, x: F.relu6(x + F.hardswish(x)),
    "clamped product": lambda self, x: F.relu(x * F.hardswish(x)),
    "sum": lambda self, x: x + F.relu(self.conv(x)),
    "sum with itself": lambda self, x: x + x,
    "sum with a constant": lambda self, x: F.relu(x + 0.3) + -0.7,
    "sum of multiples": lambda self, x: F.hardswish(x) + F.hardswish(self.conv(x)),
    "sum of a multiple and none": lambda self, x: F.hardswish(x) + x,
    "product": lambda self, x: x * self.conv(x),
    "square": lambda self, x: x * x,
    "square of a multiple": lambda self, x: F.hardswish(x) * F.hardswish(x),
    "product of multiples": lambda self, x: F.hardswish(x) * F.hardsigmoid(self.conv(x)),
    "constant factor": lambda self, x: x * 0.7,
    "constant factor into a concatenation": lambda self, x: torch.cat([x * 0.7, x], 1),
    "concatenation": lambda self, x: torch.cat([x, F.relu(self.conv(x))], 1),
    "concatenation of multiples": lambda self, x: torch.cat([F.hardswish(x), F.hardswish(self.conv(x))], 1),
    "concatenation of a multiple and none": lambda self, x: torch.cat([x, F.hardswish(x)], 1),
    "concatenation of fixed ranges": lambda self, x: torch.cat([F.relu6(x), F.hardsigmoid(x), x], 1),
    "concatenation of six": lambda self, x: torch.cat([x, F.relu(x), x, F.relu6(x), x, self.conv(x)], 1),
    "concatenation of concatenations": lambda self, x: torch.cat([torch.cat([x, F.relu(x)], 1), self.conv(x)], 1),
    "mean of a multiple": lambda self, x: F.hardswish(x).mean((2, 3), keepdim=True) * x,
    "squeeze and excite": lambda self, x: x * F.hardsigmoid(self.expand(F.relu(self.squeeze(x.mean((2, 3), True))))),
    "squeeze and excite of a multiple": lambda self, x: _excite(self, F.hardswish(x)),
    "average pooling": lambda self, x: F.avg_pool2d(x, 3, 2),
    "average pooling with padding": lambda self, x: F.avg_pool2d(F.hardswish(x), 3, 2, 1),
    "max pooling": lambda self, x: F.max_pool2d(F.hardswish(x), 2),
    "max pooling with padding of an even map below zero": lambda self, x: F.max_pool2d(x, 3, 2, 1),
    "max pooling with padding": lambda self, x: F.max_pool2d(F.relu(x), 3, 2, 1),
    "max pooling into a concatenation": lambda self, x: torch.cat([F.max_pool2d(x, 2), F.avg_pool2d(x, 2)], 1),
    "one pixel of two": lambda self, x: F.max_pool2d(x, 1, 2),
    "uneven padding": lambda self, x: self.conv(F.pad(x, (0, 1, 2, 0))),
    "depthwise": lambda self, x: self.depthwise(F.relu6(x)),
    "groups": lambda self, x: self.groups(F.relu6(x)),
    "shuffle": lambda self, x: F.channel_shuffle(x, 3),
    "shuffle of a multiple": lambda self, x: F.channel_shuffle(F.hardswish(x), 2),
    "shuffle spelled out": lambda self, x: self.groups(_shuffled(F.relu(x))),
    "slice": lambda self, x: x[:, 1:5],
    "slices of a multiple": lambda self, x: sum(F.hardswish(x).chunk(2, 1)),
    "split and joined": lambda self, x: F.channel_shuffle(torch.cat(x.split([2, 4], 1)[::-1], 1), 2),
    "half passes by": lambda self, x: F.channel_shuffle(
        _half_computed(self, F.channel_shuffle(_half_computed(self, x), 2)), 2
    ),
    "batch norm alone": lambda self, x: self.norm(F.relu(x)),
    "one convolution twice": lambda self, x: self.conv(F.relu(self.conv(x))),
    "dropout": lambda self, x: F.dropout(F.hardswish(x), 0.5, self.training),
}


def _excite(self: Any, x: Tensor) -> Tensor:
    return x * F.hardsigmoid(self.expand(F.relu(self.squeeze(x.mean((2, 3), True)))))


def _shuffled(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    return x.view(batch, 2, channels // 2, height, width).transpose(1, 2).contiguous().view(batch, -1, height, width)


def _half_computed(self: Any, x: Tensor) -> Tensor:
    """ShuffleNetV2's unit, without its shuffle."""
    passed, computed = x.chunk(2, 1)
    return torch.cat([passed, F.relu(self.branch(computed))], 1)


def with_layers(operation: Callable[[Any, Tensor], Tensor]) -> Tiny:
    return body(
        operation,
        conv=nn.Conv2d(6, 6, 3, padding=1),
        squeeze=nn.Conv2d(6, 4, 1),
        expand=nn.Conv2d(4, 6, 1),
        depthwise=nn.Conv2d(6, 12, 3, 2, 1, groups=6),
        groups=nn.Conv2d(6, 8, 3, groups=2),
        branch=nn.Conv2d(3, 3, 3, padding=1),
        norm=nn.BatchNorm2d(6),
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_int8_exact_in_both_runtimes_and_close_to_the_float_net(operation, folder):
    tiny = with_layers(OPERATIONS[operation])
    program = program_of(tiny)
    assert all_int8(program.graph)
    assert_exact(program, folder)
    # 8 bits a tensor give 35 to 45 dB on the tensors; the scores' own differences are a fraction of the scores.
    assert fidelity_db(program, tiny) > 12


ENDS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "a linear layer on a map": lambda self, x: self.map(F.max_pool2d(F.relu(x), 2).flatten(1)),
    "a linear layer on a map of a multiple": lambda self, x: self.map(F.avg_pool2d(F.hardswish(x), 2).flatten(1)),
    "two linear layers": lambda self, x: self.last(F.hardswish(self.hidden(x.mean((2, 3))))),
    "batch norm of a vector": lambda self, x: self.norm(self.last(x.mean((2, 3)))),
    "a convolution": lambda self, x: torch.flatten(self.conv(F.adaptive_avg_pool2d(x, 1)), 1),
    "a mean that others read": lambda self, x: _twice(self, x.mean((2, 3), keepdim=True)),
    "dropout before the flattening": lambda self, x: self.last(F.dropout(x.mean((2, 3), True), 0.5).flatten(1)),
    "a mean alone": lambda self, x: self.conv(x).mean((2, 3)),
    "a multiple of the scores": lambda self, x: F.hardswish(self.conv(x).mean((2, 3))),
    "a temperature": lambda self, x: self.last(x.mean((2, 3))) / 0.7,
    "relu6": lambda self, x: F.relu6(self.last(x.mean((2, 3)) * 3)),
    "a maximum over all": lambda self, x: F.max_pool2d(self.conv(F.relu(x)), 16).flatten(1),
}  # fmt: skip


def _twice(self: Any, x: Tensor) -> Tensor:
    return torch.flatten(self.conv(x), 1) + self.last(F.dropout(x, 0.5, self.training).flatten(1))


@pytest.mark.parametrize("end", ENDS)
def test_every_end_of_a_net_is_int8_exact_in_both_runtimes_and_close_to_the_float_net(end, folder):
    tiny = net(
        lambda self, x: ENDS[end](self, self.stem(x)),
        stem=nn.Conv2d(3, 6, 3, padding=1),
        conv=nn.Conv2d(6, 5, 1),
        map=nn.Linear(6 * 8 * 8, 5),
        hidden=nn.Linear(6, 12),
        last=nn.Linear(12 if end == "two linear layers" else 6, 5),
        norm=nn.BatchNorm1d(5),
    )
    program = program_of(tiny)
    assert all_int8(program.graph) and program.graph.output.shape == (5,)
    assert_exact(program, folder)
    assert fidelity_db(program, tiny) > 12


def test_a_picture_may_be_read_by_more_than_the_first_convolution(folder):
    tiny = net(
        lambda self, x: self.head(torch.cat([x, self.stem(x), F.avg_pool2d(x, 3, 1, 1)], 1).mean((2, 3))),
        stem=nn.Conv2d(3, 6, 3, padding=1),
        head=nn.Linear(12, 5),
    )
    program = program_of(tiny)
    assert_exact(program, folder)
    assert fidelity_db(program, tiny) > 12


# -- the pictures' mean and standard deviation


@pytest.mark.parametrize("padding", [0, 1])
def test_means_that_differ_between_channels_go_into_the_first_convolution(padding, folder):
    image = ImageSpec(size_px=SIZE_PX, mean_byte=(123.675, 116.28, 103.53), std_byte=(58.395, 57.12, 57.375))
    contract = Contract(name="imagenet", labels=LABELS, image=image)
    tiny = net(
        lambda self, x: self.head(self.norm(self.stem(x)).relu().mean((2, 3))),
        stem=nn.Conv2d(3, 6, 3, padding=padding, bias=False),
        norm=nn.BatchNorm2d(6),
        head=nn.Linear(6, 5),
    )
    program = program_of(tiny, contract)
    assert_exact(program, folder)
    images = rgb(24, seed=1)
    means, stds = (np.array(values)[:, None, None] for values in (image.mean_byte, image.std_byte))
    floats = torch.from_numpy((images.transpose(0, 3, 1, 2) - means) / stds).float()
    with torch.no_grad():
        expected = tiny(floats).double().numpy()
    found = real(program.graph, Reference(program.graph).run(images))
    twin = FloatReference(float_twin(tiny, contract).graph).run(images)
    # Without padding nothing but rounding differs; zero padding is mean grey then, not each channel's own mean.
    np.testing.assert_allclose(twin, expected, atol=1e-4 if padding == 0 else 0.15)
    noise = sqnr_db(found - expected, expected - expected.mean(axis=0))
    assert noise is not None and noise > 12


FIRST_READERS = {
    "ReLU": lambda self, x: self.stem(F.relu(x)),
    "a depthwise convolution": lambda self, x: self.depthwise(x),
    "a grouped convolution": lambda self, x: self.grouped(torch.cat([x, x], 1)),
    "a convolution and others": lambda self, x: self.stem(x) + self.stem(F.hardswish(x)),
}


@pytest.mark.parametrize("reader", FIRST_READERS)
def test_means_that_differ_between_channels_are_taken_in_by_whatever_reads_the_picture(reader, tmp_path):
    contract = Contract(name="imagenet", labels=LABELS, image=ImageSpec.torchvision(SIZE_PX))
    own = net(
        lambda self, x: self.last(FIRST_READERS[reader](self, x).mean((2, 3))),
        stem=nn.Conv2d(3, 6, 3),
        depthwise=nn.Conv2d(3, 6, 3, groups=3),
        grouped=nn.Conv2d(6, 6, 3, groups=2),
        last=nn.Linear(6, 5),
    )
    student = prepare(own, contract)
    student.quantize(False)
    x = tensors(3)
    torch.testing.assert_close(student.eval()(x), own(x), rtol=1e-4, atol=1e-4)
    program = float_twin(own, contract)
    program.save(tmp_path / "program.pt2")
    assert Program.load(tmp_path / "program.pt2").digest() == program.digest()


# -- weights and biases of no ordinary kind


def with_norm(change: Callable[[nn.BatchNorm2d], None]) -> Tiny:
    tiny = body(lambda self, x: F.relu(self.norm(self.conv(x))), conv=nn.Conv2d(6, 6, 3), norm=nn.BatchNorm2d(6))
    with torch.no_grad():
        change(tiny.norm)
    return tiny


def _gains(values: list[float]) -> Callable[[nn.BatchNorm2d], None]:
    return lambda norm: norm.weight[: len(values)].copy_(torch.tensor(values))  # type: ignore[return-value]


@pytest.mark.parametrize("gains", [[0.0], [0.0] * 6, [-1.0, -0.5], [1e-6, 1e-12], [1e-30, -1e-20], [0.0, -1.0, 1e-9]])
def test_channels_of_any_gain_are_exact_and_faithful(gains, folder):
    tiny = with_norm(_gains(gains))
    program = program_of(tiny)
    assert_exact(program, folder)
    if gains != [0.0] * 6:
        assert fidelity_db(program, tiny) > 12


def test_biases_far_larger_than_the_weights_stay_below_two_to_the_22(folder):
    def enlarge(norm: nn.BatchNorm2d) -> None:
        norm.weight[:2] = 1e-7
        norm.bias[:3] = torch.tensor([5.0, -4.0, 3.0])

    tiny = with_norm(enlarge)
    program = program_of(tiny)
    biases = [operator.bias for operator in program.graph.operators if isinstance(operator, Conv2d | Linear)]
    assert max(int(np.abs(bias).max()) for bias in biases) <= 2**22
    assert_exact(program, folder)
    assert fidelity_db(program, tiny) > 12


def test_a_tiny_standard_deviation_of_the_batch_norm_is_exact(folder):
    tiny = with_norm(lambda norm: norm.running_var[:2].fill_(1e-8))  # type: ignore[union-attr]
    assert_exact(program_of(tiny), folder)


def test_weights_that_are_all_zero_leave_the_bias(folder):
    tiny = with_layers(lambda self, x: self.conv(F.relu(x)))
    with torch.no_grad():
        tiny.conv.weight.zero_()
        tiny.conv.bias.copy_(torch.tensor([0.5, -0.5, 0.1, 0.0, 2.0, -2.0]))
    program = program_of(tiny, plan=CalibrationPlan(equalise=False))  # channels keep their units
    assert_exact(program, folder)
    conv = program.graph.operators[-3]
    assert isinstance(conv, Conv2d) and not conv.weight.any()
    grid = arithmetic.quantization_of(conv.output)
    codes = Reference(program.graph).trace(rgb(2))[conv.output.name].astype(np.float64)
    values = (codes[0, :, 3, 3] - grid.zero_point) * grid.scale
    np.testing.assert_allclose(values, [0.5, -0.5, 0.1, 0.0, 2.0, -2.0], atol=grid.scale / 2 * 1.01)


def test_no_weight_is_minus_128():
    program = program_of(with_layers(OPERATIONS["depthwise"]))
    weights = [operator.weight for operator in program.graph.operators if isinstance(operator, Conv2d | Linear)]
    assert len(weights) == 3 and all(weight.min() >= -127 for weight in weights)
    assert all((np.abs(weight).reshape(len(weight), -1).max(axis=1) == 127).all() for weight in weights)


# -- tensors that are dead, or tiny beside others


DEAD: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "a branch of a sum": lambda self, x: x + self.dead(x),
    "a branch of a clamped sum": lambda self, x: F.relu(x + self.dead(x)),
    "before h-swish": lambda self, x: x + F.hardswish(self.dead(x)),
    "before a hard-sigmoid that others share": lambda self, x: _gate_and_sum(x, self.dead(x)),
    "a ReLU that nothing wakes": lambda self, x: x + F.relu(self.conv(x) + -1000.0),
    "a convolution that nothing wakes": lambda self, x: torch.cat([x, F.relu(self.asleep(x))], 1),
    "a product": lambda self, x: x + x * self.dead(x),
    "before a constant": lambda self, x: x + (self.dead(x) + 1.5),
    "a part of a concatenation": lambda self, x: torch.cat([x, self.dead(x)], 1),
    "all of a concatenation": lambda self, x: torch.cat([self.dead(x), F.relu(self.dead(x))], 1) + torch.cat([x, x], 1),
    "before a pooling": lambda self, x: F.avg_pool2d(x, 2) + F.avg_pool2d(self.dead(x), 2),
    "a sum that cancels": lambda self, x: torch.cat([x, x + self.opposite(x)], 1),
    "a product of two": lambda self, x: x + self.dead(x) * self.dead(F.relu(x)),
}


def _gate_and_sum(x: Tensor, dead: Tensor) -> Tensor:
    return x * F.hardsigmoid(dead) + dead


@pytest.mark.parametrize("where", DEAD)
@pytest.mark.parametrize("size", [0.0, 1e-5])
def test_a_tensor_that_is_dead_or_tiny_costs_neither_the_program_nor_its_exactness(where, size, folder):
    tiny = body(
        DEAD[where],
        conv=nn.Conv2d(6, 6, 3, padding=1),
        dead=nn.Conv2d(6, 6, 1),
        asleep=nn.Conv2d(6, 6, 1),
        opposite=nn.Conv2d(6, 6, 1, bias=False),
    )
    with torch.no_grad():
        tiny.dead.weight.mul_(size)
        tiny.dead.bias.mul_(size)
        tiny.asleep.bias.fill_(-1000.0)
        tiny.opposite.weight.copy_(-torch.eye(6)[:, :, None, None])
    program = program_of(tiny)
    assert_exact(program, folder)
    assert fidelity_db(program, tiny) > 12


def test_a_sum_with_what_is_a_million_times_larger_is_exact(folder):
    tiny = net(
        lambda self, x: self.stem(x + F.relu(self.branch(x))).mean((2, 3)),
        branch=nn.Conv2d(3, 3, 1),
        stem=nn.Conv2d(3, 5, 1),
    )
    with torch.no_grad():
        tiny.branch.weight.mul_(1e6)  # beside the picture, whose grid is given
    program = program_of(tiny)
    assert_exact(program, folder)
    assert fidelity_db(program, tiny) > 30


# -- what freezing gives


def test_multiples_cost_no_operator_where_weights_can_take_them_in():
    tiny = with_layers(lambda self, x: self.conv(F.hardswish(x)))
    assert kinds(program_of(tiny).graph) == ["Conv2d", "Add", "Mul", "Conv2d", "Mean", "Linear"]


def test_a_gate_is_the_saturation_of_its_convolution():
    graph = program_of(with_layers(OPERATIONS["squeeze and excite"])).graph
    assert kinds(graph) == ["Conv2d", "Mean", "Conv2d", "Conv2d", "Mul", "Mean", "Linear"]
    grid = arithmetic.quantization_of(graph.operators[3].output)
    assert grid.zero_point == -128 and grid.scale == pytest.approx(1 / 255)


def test_products_have_scales_that_every_processor_rounds_alike():
    graph = program_of(with_layers(OPERATIONS["product of multiples"])).graph
    products = [operator for operator in graph.operators if isinstance(operator, Mul)]
    assert len(products) == 2
    for product in products:
        a, b, y = (arithmetic.quantization_of(x) for x in (product.a, product.b, product.output))
        codes = np.arange(-128, 128) - b.zero_point
        assert arithmetic.settle_product_scale(a, codes, b.scale, y) == y.scale


def test_the_same_net_and_pictures_give_the_same_program():
    tiny = with_layers(OPERATIONS["squeeze and excite of a multiple"])
    first, second = program_of(tiny), program_of(tiny)
    assert first.graph.digest() == second.graph.digest()


def test_freezing_leaves_the_net_as_it_was():
    prepared = prepare(with_layers(OPERATIONS["sum"]), CONTRACT).train()
    images = torch.from_numpy(rgb(4).transpose(0, 3, 1, 2).copy()).float() / 128 - 1
    prepared(images)
    before = {name: value.clone() for name, value in prepared.state_dict().items()}
    freeze(prepared, CONTRACT)
    assert all(torch.equal(value, before[name]) for name, value in prepared.state_dict().items())
    assert prepared.training


def test_the_twin_has_the_programs_tensors_under_the_same_names():
    tiny = with_layers(OPERATIONS["squeeze and excite"])
    program, twin = program_of(tiny), float_twin(tiny, CONTRACT)
    assert not twin.graph.is_int8 and program.graph.is_int8
    shared = {operator.output.name for operator in program.graph.operators} & {
        operator.output.name for operator in twin.graph.operators
    }
    assert len(shared) == len(program.graph.operators)
    assert [type(operator) for operator in twin.graph.operators[1:3]] == [Conv2d, Mean]


def test_every_operator_knows_the_module_that_it_came_from():
    graph = program_of(with_layers(OPERATIONS["squeeze and excite"])).graph
    paths = [operator.path for operator in graph.operators]
    assert paths == ["stem", "<root>", "squeeze", "expand", "<root>", "<root>", "head"]


def test_a_net_that_saw_no_picture_is_refused_with_what_to_do():
    prepared = prepare(with_layers(OPERATIONS["sum"]), CONTRACT)
    assert any(isinstance(module, TensorQuantizer) for module in prepared.modules())
    with pytest.raises(CaptureError, match="ranges of the net have seen no picture") as caught:
        freeze(prepared, CONTRACT)
    assert "fit()" in caught.value.hint and "quantize()" in caught.value.hint


def test_the_program_agrees_with_the_float_net_on_nearly_every_picture():
    tiny = with_layers(OPERATIONS["squeeze and excite of a multiple"])
    program = program_of(tiny)
    images = rgb(64, seed=5)
    found = compare(
        real(program.graph, Reference(program.graph).run(images)),
        FloatReference(float_twin(tiny, CONTRACT).graph).run(images),
    )
    assert found.top1_agreement >= 0.9 and found.reaches_db(20)


def operators_of(graph: Graph, kind: type[Operator]) -> list[Operator]:
    return [operator for operator in graph.operators if isinstance(operator, kind)]


def test_concatenated_tensors_need_no_operator_to_meet_on_one_grid():
    graph = program_of(with_layers(OPERATIONS["concatenation"])).graph
    (joined,) = operators_of(graph, Concat)
    assert not operators_of(graph, Add)
    assert {operand.quantization for operand in joined.inputs} == {joined.output.quantization}
