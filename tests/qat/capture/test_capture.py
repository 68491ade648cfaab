"""Capturing: every spelling of every supported operator, and refusals that name operator and module."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from benchmarks.core.user_nets import fire_net
from mobile_sdk.contract import Contract
from mobile_sdk.errors import CaptureError
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.capture.capture import capture
from qat.freezing.freezing import float_twin
from qat.layers.weighted import Conv2d, HardSwish, Linear, Weighted
from qat.nets import build_net, list_nets
from qat.preparation.preparation import prepare
from qat.steps import Kind, step_of
from tests.support.operators.runtimes import EXECUTORCH, LITERT, assert_exact
from tests.support.tiny_nets import CONTRACT, LABELS, SIZE_PX, body, net, picture_set, rgb, tensors

SMALL = Contract(name="small", labels=LABELS, image=CONTRACT.image.model_copy(update={"size_px": 32}))


def captured_of(tiny: nn.Module, size_px: int = SIZE_PX) -> fx.GraphModule:
    """The captured net in float."""
    captured = capture(tiny, size_px)
    for module in captured.modules():
        if isinstance(module, Weighted | HardSwish):
            module.quantizing = False
    return captured.eval()


def kinds_of(captured: fx.GraphModule) -> list[Kind]:
    return [step.kind for node in captured.graph.nodes if (step := step_of(node)) is not None]


def assert_equal_in_float(tiny: nn.Module, size_px: int = SIZE_PX) -> fx.GraphModule:
    captured = captured_of(tiny, size_px)
    x = tensors(3, size_px)
    with torch.no_grad():
        expected, found = tiny.eval()(x), captured(x)
    assert expected.std() > 0, "the scores say nothing"
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    return captured


SPELLINGS: dict[str, tuple[Callable[[Any, Tensor], Tensor], list[Kind]]] = {
    "relu": (lambda self, x: F.relu(x), [Kind.RELU]),
    "relu of a tensor": (lambda self, x: x.relu(), [Kind.RELU]),
    "relu in place": (lambda self, x: x.relu_(), [Kind.RELU]),
    "relu in place, its result dropped": (lambda self, x: (x.relu_(), x)[1], [Kind.RELU]),
    "relu by clamp": (lambda self, x: x.clamp(min=0), [Kind.RELU]),
    "relu by clamp_min": (lambda self, x: torch.clamp_min(x, 0), [Kind.RELU]),
    "relu6": (lambda self, x: F.relu6(x), [Kind.RELU6]),
    "relu6 in place": (lambda self, x: F.relu6(x, inplace=True), [Kind.RELU6]),
    "relu6 by hardtanh": (lambda self, x: F.hardtanh(x, 0.0, 6.0), [Kind.RELU6]),
    "relu6 by clamp": (lambda self, x: torch.clamp(x, 0, 6), [Kind.RELU6]),
    "relu6 by clamp in place": (lambda self, x: x.clamp_(0, 6), [Kind.RELU6]),
    "hard-swish": (lambda self, x: F.hardswish(x), [Kind.HARD_SWISH]),
    "hard-swish in place": (lambda self, x: F.hardswish(x, inplace=True), [Kind.HARD_SWISH]),
    "hard-swish spelled out": (
        lambda self, x: x * F.relu6(x + 3) / 6,
        [Kind.ADD_CONSTANT, Kind.RELU6, Kind.MUL, Kind.SCALE],
    ),
    "hard-sigmoid": (lambda self, x: F.hardsigmoid(x), [Kind.HARD_SIGMOID]),
    "sigmoid": (lambda self, x: torch.sigmoid(x), [Kind.FUNCTION]),
    "silu": (lambda self, x: F.silu(x), [Kind.FUNCTION, Kind.MUL]),
    "mish": (lambda self, x: F.mish(x), [Kind.FUNCTION, Kind.MUL]),
    "gelu": (lambda self, x: F.gelu(x), [Kind.FUNCTION]),
    "leaky relu": (lambda self, x: F.leaky_relu(x), [Kind.FUNCTION]),
    "leaky relu of no slope": (lambda self, x: F.leaky_relu(x, 0.0), [Kind.RELU]),
    "a clamp of another range": (lambda self, x: x.clamp(-1, 1), [Kind.FUNCTION]),
    "a clamp of one side": (lambda self, x: x.clamp(max=1), [Kind.FUNCTION]),
    "a clamp at 4": (lambda self, x: F.hardtanh(x, 0.0, 4.0), [Kind.FUNCTION]),
    "hard-sigmoid spelled out": (lambda self, x: F.relu6(x + 3) / 6, [Kind.ADD_CONSTANT, Kind.RELU6, Kind.SCALE]),
    "sum": (lambda self, x: x + F.relu(x), [Kind.RELU, Kind.ADD]),
    "sum by torch.add": (lambda self, x: torch.add(x, F.relu(x)), [Kind.RELU, Kind.ADD]),
    "sum in place": (lambda self, x: F.relu(x).add_(x), [Kind.RELU, Kind.ADD]),
    "sum by +=": (lambda self, x: _plus_equals(F.relu(x), x), [Kind.RELU, Kind.ADD]),
    "sum with itself": (lambda self, x: x + x, [Kind.ADD]),
    "sum with a constant": (lambda self, x: x + 1.5, [Kind.ADD_CONSTANT]),
    "sum with a negative constant": (lambda self, x: x + -1.5, [Kind.ADD_CONSTANT]),
    "constant first": (lambda self, x: 1.5 + x, [Kind.ADD_CONSTANT]),
    "product": (lambda self, x: x * F.relu(x), [Kind.RELU, Kind.MUL]),
    "product with itself": (lambda self, x: x * x, [Kind.MUL]),
    "product with a constant": (lambda self, x: x * 0.7, [Kind.SCALE]),
    "product with an integer": (lambda self, x: 2 * x, [Kind.SCALE]),
    "division by a constant": (lambda self, x: x / 3, [Kind.SCALE]),
    "division in place": (lambda self, x: x.div_(3.0), [Kind.SCALE]),
    "gate": (
        lambda self, x: x * F.hardsigmoid(x.mean((2, 3), keepdim=True)),
        [Kind.GLOBAL_MEAN, Kind.HARD_SIGMOID, Kind.MUL],
    ),
    "gate first": (
        lambda self, x: F.hardsigmoid(F.adaptive_avg_pool2d(x, 1)) * x,
        [Kind.GLOBAL_MEAN, Kind.HARD_SIGMOID, Kind.MUL],
    ),
    "concatenation": (lambda self, x: torch.cat([x, F.relu(x)], 1), [Kind.RELU, Kind.CONCAT]),
    "concatenation counted from the end": (lambda self, x: torch.cat((x, x), dim=-3), [Kind.CONCAT]),
    "concatenation of one": (lambda self, x: torch.cat([x], 1), []),
    "average pooling": (lambda self, x: F.avg_pool2d(x, 2), [Kind.AVERAGE_POOL]),
    "average pooling with padding": (lambda self, x: F.avg_pool2d(x, 3, 2, 1), [Kind.AVERAGE_POOL]),
    "average pooling to a size": (lambda self, x: F.adaptive_avg_pool2d(x, 4), [Kind.AVERAGE_POOL]),
    "average pooling to a size on one side": (lambda self, x: F.adaptive_avg_pool2d(x, (None, 4)), [Kind.AVERAGE_POOL]),
    "average pooling of all": (lambda self, x: F.avg_pool2d(x, 16), [Kind.GLOBAL_MEAN]),
    "mean over axes from the end": (lambda self, x: x.mean([-1, -2], keepdim=True), [Kind.GLOBAL_MEAN]),
    "max pooling": (lambda self, x: F.max_pool2d(x, 2), [Kind.MAX_POOL]),
    "max pooling with padding": (lambda self, x: F.max_pool2d(x, 3, 2, 1), [Kind.MAX_POOL]),
    "max pooling of one pixel": (lambda self, x: F.max_pool2d(x, 1, 2), [Kind.AVERAGE_POOL]),
    "contiguous": (lambda self, x: x.contiguous().clone(), []),
    "dropout of channels": (lambda self, x: F.dropout2d(x, 0.5, self.training), []),
}  # fmt: skip


def _plus_equals(x: Tensor, y: Tensor) -> Tensor:
    x += y
    return x


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_an_operator_is_one_step(spelling):
    operation, kinds = SPELLINGS[spelling]
    captured = assert_equal_in_float(body(operation))
    found = [kind for kind in kinds_of(captured) if kind is not Kind.DROPOUT]
    assert found == [Kind.WEIGHTED, *kinds, Kind.GLOBAL_MEAN, Kind.WEIGHTED]


FLATTENINGS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "mean without its axes": lambda self, x: x.mean([2, 3]),
    "torch.flatten": lambda self, x: torch.flatten(F.adaptive_avg_pool2d(x, 1), 1),
    "view": lambda self, x: F.adaptive_avg_pool2d(x, 1).view(x.shape[0], -1),
    "view of another size": lambda self, x: F.adaptive_avg_pool2d(x, 1).view(-1, 6),
    "reshape": lambda self, x: F.adaptive_avg_pool2d(x, 1).reshape(x.size(0), -1),
    "squeeze": lambda self, x: F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1),
    "squeeze of both": lambda self, x: F.adaptive_avg_pool2d(x, 1).squeeze((2, 3)),
    "dropout before": lambda self, x: torch.flatten(F.dropout(F.adaptive_avg_pool2d(x, 1), 0.5, self.training), 1),
    "a map": lambda self, x: torch.flatten(F.adaptive_avg_pool2d(x, 2), 1),
    "a map, dropout behind it": lambda self, x: F.dropout(F.avg_pool2d(x, 8).flatten(1), 0.5, self.training),
}


@pytest.mark.parametrize("spelling", FLATTENINGS)
def test_every_way_to_a_vector_is_captured(spelling):
    def forward(self: Any, x: Tensor) -> Tensor:
        scores: Tensor = self.head(FLATTENINGS[spelling](self, self.stem(x)))
        return scores

    assert_equal_in_float(net(forward, stem=nn.Conv2d(3, 6, 3), head=nn.LazyLinear(5)))


CONVOLUTIONS: dict[str, tuple[dict[str, nn.Module], Callable[[Any, Tensor], Tensor]]] = {
    "F.pad": ({}, lambda self, x: self.stem(F.pad(x, (0, 1, 2, 3)))),
    "F.pad of one side": ({}, lambda self, x: self.stem(F.pad(x, (2, 0)))),
    "ZeroPad2d": ({"pad": nn.ZeroPad2d((1, 2, 0, 1))}, lambda self, x: self.stem(self.pad(x))),
    "a pad that two convolutions read": ({"pad": nn.ZeroPad2d(1)}, lambda self, x: _both(self, self.pad(x))),
    "padding same": ({"stem": nn.Conv2d(3, 6, (4, 3), padding="same", dilation=2)}, lambda self, x: self.stem(x)),
    "padding valid": ({"stem": nn.Conv2d(3, 6, 3, padding="valid")}, lambda self, x: self.stem(x)),
    "groups, stride, dilation": (
        {"stem": nn.Conv2d(3, 6, (2, 3), (1, 2), (1, 0), (2, 1), groups=3)},
        lambda self, x: self.stem(x),
    ),
    "a convolution used twice": ({"stem": nn.Conv2d(3, 3, 3, padding=1)}, lambda self, x: self.stem(self.stem(x))),
    "batch norm": ({"norm": nn.BatchNorm2d(6)}, lambda self, x: self.norm(self.stem(x))),
    "batch norm without gain and bias": (
        {"norm": nn.BatchNorm2d(6, affine=False)},
        lambda self, x: self.norm(self.stem(x)),
    ),
    "batch norm used twice": (
        {"norm": nn.BatchNorm2d(6)},
        lambda self, x: self.norm(self.norm(self.stem(x)).relu()),
    ),
    "batch norm without a convolution": ({"norm": nn.BatchNorm2d(3)}, lambda self, x: self.stem(self.norm(x))),
    "batch norm behind ReLU": ({"norm": nn.BatchNorm2d(6)}, lambda self, x: self.norm(self.stem(x).relu())),
    "batch norm of what others read": ({"norm": nn.BatchNorm2d(6)}, lambda self, x: _beside(self, self.stem(x))),
    "the functional form": ({}, lambda self, x: F.conv2d(x, self.stem.weight, self.stem.bias, padding=1)),
}


def _both(self: Any, x: Tensor) -> Tensor:
    return self.stem(x) + F.conv2d(x, self.stem.weight)


def _beside(self: Any, x: Tensor) -> Tensor:
    return self.norm(x) + x


@pytest.mark.parametrize("spelling", CONVOLUTIONS)
def test_every_way_to_write_a_convolution_is_captured(spelling):
    modules, operation = CONVOLUTIONS[spelling]

    def forward(self: Any, x: Tensor) -> Tensor:
        scores: Tensor = self.head(operation(self, x).mean((2, 3)))
        return scores

    tiny = net(forward, **{"stem": nn.Conv2d(3, 6, 3), "head": nn.LazyLinear(5), **modules})
    assert_equal_in_float(tiny)


def test_convolution_bias_and_batch_norm_are_one_layer():
    tiny = net(
        lambda self, x: self.norm1(self.linear(self.norm(self.conv(x)).mean((2, 3)))),
        conv=nn.Conv2d(3, 6, 3, bias=True),
        norm=nn.BatchNorm2d(6),
        linear=nn.Linear(6, 5),
        norm1=nn.BatchNorm1d(5),
    )
    captured = assert_equal_in_float(tiny)
    assert kinds_of(captured) == [Kind.WEIGHTED, Kind.GLOBAL_MEAN, Kind.WEIGHTED]
    layers = [module for module in captured.modules() if isinstance(module, Weighted)]
    assert [type(layer) for layer in layers] == [Conv2d, Linear]
    assert all(layer.norm is not None and layer.bias is not None for layer in layers)


def test_functions_beside_layers_take_nobodys_place():
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.graph = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 1)
            self.kernel = nn.Parameter(torch.randn(6, 6, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            x = F.hardswish(self.norm(x))
            return F.hardswish(F.conv2d(F.hardswish(self.graph(x)), self.kernel))

    tiny = net(lambda self, x: F.dropout(self.stage(x).mean((2, 3)), 0.5, self.training), stage=Residual())
    captured = assert_equal_in_float(tiny)
    assert [step_of(node).path for node in captured.graph.nodes if step_of(node)] == [
        "stage.norm", "stage", "stage.graph", "stage", "stage", "stage", "<root>", "<root>"
    ]  # fmt: skip


NET_NAMES = sorted(entry.name for entry in list_nets())


@pytest.mark.parametrize("name", NET_NAMES)
def test_every_net_of_ours_is_captured_as_it_computes(name):
    torch.manual_seed(0)
    own = build_net(name, SMALL, width=0.25)
    head = [layer for layer in own.modules() if isinstance(layer, nn.Conv2d | nn.Linear)][-1]
    torch.nn.init.normal_(head.weight)  # its own is tiny: scores that are all bias say nothing
    captured = assert_equal_in_float(own, 32)
    paths = {step.path for node in captured.graph.nodes if (step := step_of(node)) is not None}
    assert {"features.0.conv" if name.startswith("mobileone") else "features.0.0", "avgpool"} <= paths


def test_a_users_net_is_captured_as_it_computes():
    captured = assert_equal_in_float(fire_net(), 64)
    assert {Kind.CONCAT, Kind.MAX_POOL, Kind.AVERAGE_POOL, Kind.HARD_SWISH} <= set(kinds_of(captured))


def test_any_batch_size_goes_through_a_captured_net():
    tiny = net(lambda self, x: self.head(self.stem(x).mean((2, 3))), stem=nn.Conv2d(3, 6, 3), head=nn.Linear(6, 5))
    captured = captured_of(tiny)
    assert [captured(tensors(count)).shape[0] for count in (1, 2, 5)] == [1, 2, 5]


def test_dropout_acts_in_training_and_not_in_evaluation():
    for dropout in (nn.Dropout(0.5), nn.Dropout2d(0.5)):
        tiny = net(lambda self, x: self.head(self.drop(self.stem(x)).mean((2, 3))), stem=nn.Conv2d(3, 64, 1),
                   drop=dropout, head=nn.Linear(64, 5))  # fmt: skip
        captured, x = captured_of(tiny), tensors(2)
        captured.train()
        assert not torch.equal(captured(x), captured(x))
        captured.eval()
        torch.testing.assert_close(captured(x), tiny(x), rtol=1e-4, atol=1e-5)


def test_a_captured_nets_parameters_are_copies_that_train():
    tiny = net(lambda self, x: self.head(self.stem(x).mean((2, 3))), stem=nn.Conv2d(3, 6, 3), head=nn.Linear(6, 5))
    before = {name: value.clone() for name, value in tiny.state_dict().items()}
    captured = captured_of(tiny)
    parameters = list(captured.parameters())
    assert len(parameters) == 4 and all(parameter.requires_grad for parameter in parameters)
    with torch.no_grad():
        for parameter in parameters:
            parameter.fill_(7.0)
    assert all(torch.equal(value, before[name]) for name, value in tiny.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_capturing_leaves_the_nets_mode_as_it_was(training):
    tiny = body(lambda self, x: self.norm(x), norm=nn.BatchNorm2d(6)).train(training)
    capture(tiny, SIZE_PX)
    assert tiny.training is training and tiny.norm.training is training


# -- refusals: (the operator that is named, the operation on a map)

REFUSED: dict[str, tuple[str, Callable[[Any, Tensor], Tensor]]] = {
    "a clamp of turned bounds": ("clamp", lambda self, x: x.clamp(1, -1)),
    "a clamp to no number": ("clamp", lambda self, x: x.clamp(float("nan"), 1.0)),
    "batch norm without statistics": ("batch_norm", lambda self, x: F.batch_norm(x, None, None, training=True)),
    "a dilated max pooling in larger steps": ("max_pool2d", lambda self, x: F.max_pool2d(x, 2, dilation=2)),
    "a dilation that does not divide the sides": ("max_pool2d", lambda self, x: F.max_pool2d(x, 2, 1, dilation=3)),
    "a dilation along one side": ("max_pool2d", lambda self, x: F.max_pool2d(x, 2, 1, dilation=(1, 2))),
    "a max pooling with gaps": ("max_pool2d", lambda self, x: F.max_pool2d(x, 2, 3)),
    "a rounding division": ("div", lambda self, x: torch.div(x, 2.0, rounding_mode="floor")),
    "a maximum over pictures": ("amax", lambda self, x: x - x.amax(0, keepdim=True)),
    "a write into rows": ("slice", lambda self, x: _write(x, slice(None), slice(0, 3))),
    "a write into every other channel": ("slice", lambda self, x: _write(x, slice(0, None, 2), slice(None))),
    "a kernel that pictures decide": ("mul", lambda self, x: F.conv2d(x, self.conv.weight * x.mean())),
    "the indices of maxima": ("max", lambda self, x: x + x.max(3, keepdim=True)[1]),
    "the indices of a pooling": (
        "adaptive_max_pool2d", lambda self, x: F.adaptive_max_pool2d(x, 1, return_indices=True)[1] * x,
    ),
}  # fmt: skip


def _write(x: Tensor, channels: slice, rows: slice) -> Tensor:
    x = x.clone()
    x[:, channels, rows] = x[:, channels, rows].relu() * 2
    return x


TAKEN: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "gelu by tanh": lambda self, x: F.gelu(x, approximate="tanh"),
    "an elu of another slope": lambda self, x: F.elu(x, 0.5),
    "a softplus of another slope": lambda self, x: F.softplus(x, 2.0),
    "a maximum over channels": lambda self, x: x * x.amax(1, keepdim=True),
    "a maximum over channels, with its place": lambda self, x: x - x.max(dim=1, keepdim=True)[0],
    "a maximum of a mean": lambda self, x: x.mean(3).amax(2)[:, :, None, None] * x,
    "a maximum over rows": lambda self, x: x - x.amax(2, keepdim=True),
    "a maximum over channels and columns": lambda self, x: x - x.amax((1, 3), keepdim=True),
    "a maximum over tokens": lambda self, x: x - x.flatten(2).transpose(1, 2).amax(1)[:, :, None, None],
    "a minimum over channels": lambda self, x: x * x.amin(1, keepdim=True),
    "a minimum over the map": lambda self, x: x - x.amin((2, 3), keepdim=True),
    "a minimum over columns": lambda self, x: x - x.min(3, keepdim=True)[0],
    "the larger and the smaller of two": lambda self, x: (
        torch.max(x, self.conv.bias[:, None, None] * x) + torch.min(x, -x)
    ),
    "a constant divided": lambda self, x: 1.0 / (x.abs() + 1),
    "a product with a learnt number a pixel": lambda self, x: x * self.square,
    "a concatenation with numbers": lambda self, x: torch.cat([x, torch.ones(len(x), 1, 16, 16)], 1),
    "a concatenation of rows": lambda self, x: torch.cat([x, x], 2),
    "padding before a pooling": lambda self, x: F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 2),
    "padding with ones": lambda self, x: self.conv(F.pad(x, (1, 1, 1, 1), value=1.0)),
    "reflected padding": lambda self, x: self.conv(F.pad(x, (1, 1, 1, 1), mode="reflect")),
    "negative padding": lambda self, x: self.conv(F.pad(x, (-1, -1, 0, 0))),
    "a view that no shuffle ends": lambda self, x: x.view(-1, 2, 3, 16, 16).flatten(1, 2),
    "a shuffle of rows": lambda self, x: x.view(-1, 6, 2, 8, 16).transpose(2, 3).flatten(2, 3),
    "channels with gaps": lambda self, x: x[:, ::2],
    "a part of the rows": lambda self, x: x[:, :, 1:],
    "halves by rows": lambda self, x: torch.cat(x.chunk(2, 2), 1),
    "a permutation": lambda self, x: x.permute(0, 1, 3, 2),
    "interpolation": lambda self, x: F.interpolate(x, scale_factor=2),
    "a linear layer over channels last": lambda self, x: F.linear(x, self.square, None),
}
"""Earlier SDKs refused these."""


class Odd(nn.Module):
    """One operation on a map, with layers and parameters that it may use."""

    def __init__(self, operation: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.operation, self.conv = operation, nn.Conv2d(6, 6, 3)
        self.scale, self.square = nn.Parameter(torch.ones(6, 1, 1)), nn.Parameter(torch.eye(16))

    def forward(self, x: Tensor) -> Tensor:
        return self.operation(self, x)


def with_odd(operation: Callable[[Any, Tensor], Tensor]) -> nn.Module:
    return body(lambda self, x: self.stage[1](x), stage=nn.Sequential(nn.Identity(), Odd(operation)))


@pytest.mark.parametrize("what", TAKEN)
def test_what_was_refused_once_is_taken_and_exact(what, tmp_path):
    program = quantize(with_odd(TAKEN[what]), CONTRACT, picture_set(), CalibrationPlan.extremes())
    for runtime in (LITERT, EXECUTORCH):
        assert_exact(runtime, program.graph, tmp_path, rgb(4, seed=5))


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_integer_operator_stands_for_is_refused_with_operator_and_path(what):
    operator, operation = REFUSED[what]
    with pytest.raises(CaptureError) as caught:
        capture(with_odd(operation), SIZE_PX)
    assert f"aten.{operator}" in caught.value.message and "at stage.1" in caught.value.message
    assert caught.value.exit_code == 4 and "build the net of convolutions" in caught.value.hint


def test_a_one_dimensional_convolution_and_a_recurrence_are_refused_by_name():
    flat = net(lambda self, x: self.conv(x.flatten(2)).mean(2), conv=nn.Conv1d(3, 5, 3))
    with pytest.raises(CaptureError, match=r"aten\.flatten.*<root>|aten\.conv1d"):
        capture(flat, SIZE_PX)
    recurrent = net(lambda self, x: self.lstm(x.mean(1))[0][:, -1], lstm=nn.LSTM(16, 5, batch_first=True))
    with pytest.raises(CaptureError, match="lstm"):
        capture(recurrent, SIZE_PX)


def test_a_branch_on_data_is_refused():
    def forward(self: Any, x: Tensor) -> Tensor:
        return self.head(x.mean((2, 3))) if x.sum() > 0 else self.head(x.mean((2, 3)) * 2)

    with pytest.raises(CaptureError, match=r"torch\.export cannot capture Tiny") as caught:
        capture(net(forward, head=nn.Linear(3, 5)), SIZE_PX)
    assert "without branches on data" in caught.value.hint


@pytest.mark.parametrize(
    ("found", "forward"),
    [
        (
            r"a tuple of 2, of the shapes \(\(2, 5\), \(2, 3\)\)",
            lambda self, x: (self.head(x.mean((2, 3))), x.mean((2, 3))),
        ),
        (
            r"a dict of 2, of the shapes {'scores': \(2, 5\), 'means': \(2, 3\)}",
            lambda self, x: {"scores": self.head(x.mean((2, 3))), "means": x.mean((2, 3))},
        ),
        (r"one of shape \(2, 5, 14, 14\)", lambda self, x: self.stem(x)),
        (r"a tuple of 0", lambda self, x: ()),
        (r"None", lambda self, x: None),
        (r"int 3", lambda self, x: 3),
        (r"one of shape \(2, 5\), which no picture changes", lambda self, x: torch.ones(2, 5)),
    ],
)
def test_a_net_that_returns_more_or_other_than_scores_is_refused(found, forward):
    tiny = net(forward, head=nn.Linear(3, 5), stem=nn.Conv2d(3, 5, 3))
    with pytest.raises(CaptureError, match=f"expected a net that returns one tensor.*found {found}") as caught:
        capture(tiny, SIZE_PX)
    assert "no picture changes" in found or "--task features" in caught.value.hint


def test_a_net_for_other_pictures_is_refused_with_the_size_in_the_hint():
    with pytest.raises(CaptureError) as caught:
        capture(net(lambda self, x: self.head(x.flatten(1)), head=nn.Linear(3 * 24 * 24, 5)), SIZE_PX)
    assert "(N, 3, 16, 16)" in caught.value.hint


def test_where_torch_cannot_export_a_module_its_path_is_named():
    stage = nn.Sequential(nn.Identity(), nn.Conv2d(4, 5, 3))
    with pytest.raises(CaptureError, match=r"cannot capture Conv2d at stage\.1: .*to have 4 channels, but got 3"):
        capture(net(lambda self, x: self.stage(x).mean((2, 3)), stage=stage), SIZE_PX)


@pytest.mark.parametrize("name", ["in", "class", "None", 'a"b', "a\nb"])
def test_a_module_whose_name_python_cannot_read_is_refused_by_it(name):
    tiny = net(lambda self, x: self.parts[name](x).mean((2, 3)), parts=nn.ModuleDict({name: nn.Conv2d(3, 5, 3)}))
    with pytest.raises(CaptureError) as caught:
        capture(tiny, SIZE_PX)
    assert f"found {f'parts.{name}.weight'!r}" in str(caught.value)


def test_modules_of_odd_names_are_captured():
    parts = nn.ModuleDict({name: nn.Conv2d(5, 5, 1) for name in ("a b", "a_b", "a-b", "a\\b", "é", "'", "__")})
    in_turn = net(lambda self, x: reduce(lambda y, part: part(y), self.parts.values(), x).mean((2, 3)), parts=parts)
    in_turn.parts["a b"] = nn.Conv2d(3, 5, 1)
    capture(in_turn, SIZE_PX)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_a_scripted_module_is_refused_by_its_path():
    part = torch.jit.script(nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU()).eval())
    with pytest.raises(CaptureError, match=r"compiled one of torch\.jit at stage\.0"):
        capture(net(lambda self, x: self.stage(x).mean((2, 3)), stage=nn.Sequential(part)), SIZE_PX)


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.LazyLinear(5)), r"2\.weight, found one of a lazy"),
        (
            lambda: nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten()).to("meta"),
            r"0\.weight, found a tensor on the device",
        ),
    ],
)
def test_a_net_without_numbers_is_refused_by_the_tensors_name(make, found):
    for call in (lambda: prepare(make(), CONTRACT), lambda: float_twin(make(), CONTRACT)):
        with pytest.raises(CaptureError, match=f"numbers in {found}"):
            call()


def test_a_name_that_torch_cannot_export_is_refused_and_no_crash():
    with pytest.raises(CaptureError, match="cannot capture Tiny"):
        capture(net(lambda self, x: self.code(x).mean((2, 3)), code=nn.Sequential(nn.Conv2d(3, 5, 3))), SIZE_PX)
