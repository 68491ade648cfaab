"""The float reference computes what the float net computes, tensor by tensor."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.errors import CompileError
from mobile_sdk.graph import reference
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import AvgPool2d, Graph
from mobile_sdk.program.aten.writer import to_exported
from qat.freezing.freezing import float_twin
from tests.support.graphs import GRAPHS, float_graph, pictures
from tests.support.operators.made_up_operator import softmax
from tests.support.tiny_nets import CONTRACT, body, net, rgb

OPERATIONS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "relu": lambda self, x: F.relu(x),
    "relu6 alone and fused": lambda self, x: F.relu6(x) + F.relu6(self.conv(x)),
    "h-swish": lambda self, x: F.hardswish(x),
    "hard-sigmoid, alone and after a convolution": lambda self, x: F.hardsigmoid(x) * F.hardsigmoid(self.conv(x)),
    "squeeze and excite": lambda self, x: x * F.hardsigmoid(self.conv(x.mean((2, 3), keepdim=True))),
    "constants": lambda self, x: (x + 0.5) * 0.3 + F.relu6(x + 3) / 6,
    "concatenation and pooling": lambda self, x: torch.cat([F.max_pool2d(x, 2), F.avg_pool2d(x, 2)], 1),
    "padded max pooling": lambda self, x: F.max_pool2d(x, 3, 2, 1),
    "padded average pooling": lambda self, x: F.avg_pool2d(x, 3, 2, 1),
    "one pixel of two": lambda self, x: F.max_pool2d(x, 1, 2),
    "average pooling with gaps": lambda self, x: F.avg_pool2d(x, 2, 3),
    "batch norm and depthwise": lambda self, x: self.norm(self.depthwise(F.pad(x, (0, 1, 0, 1)))),
    "dropout": lambda self, x: F.dropout(x, 0.5, self.training),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_twin_in_the_float_reference_is_the_float_net(operation):
    tiny = body(
        OPERATIONS[operation],
        conv=nn.Conv2d(6, 6, 1),
        depthwise=nn.Conv2d(6, 6, 3, 2, groups=6, bias=False),
        norm=nn.BatchNorm2d(6),
    )
    assert_the_twin_is_the_net(tiny)


def test_a_linear_layer_on_a_map_is_the_float_nets():
    assert_the_twin_is_the_net(
        net(lambda self, x: self.head(F.relu(self.stem(x)).flatten(1)), stem=nn.Conv2d(3, 4, 3), head=nn.LazyLinear(5))
    )


def assert_the_twin_is_the_net(tiny: nn.Module) -> None:
    twin, images = float_twin(tiny, CONTRACT), rgb(6)
    assert twin.record.quantized == "float32" and not twin.graph.is_int8
    with torch.no_grad():
        expected = tiny.eval()(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).float() / 128 - 1).numpy()
    found = FloatReference(twin.graph).run(images)
    assert found.dtype == np.float32 and expected.std() > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", GRAPHS)
def test_every_float_graph_computes_what_its_exported_program_computes(name):
    graph = float_graph(name)
    images = pictures(graph, 3)
    codes = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.int16) - 128).to(torch.int8)
    module = to_exported(graph).module()
    expected = np.concatenate([module(code[None]).numpy() for code in codes])
    np.testing.assert_allclose(FloatReference(graph).run(images), expected, rtol=1e-4, atol=1e-5)


def test_the_twins_average_pooling_needs_no_padding():
    twin = float_twin(body(OPERATIONS["padded average pooling"]), CONTRACT)
    assert not any(isinstance(operator, AvgPool2d) for operator in twin.graph.operators)


def test_batches_and_traces_give_what_run_gives(monkeypatch):
    graph = float_graph("mobile block")
    images = pictures(graph, 5)
    together = FloatReference(graph).run(images)
    trace = FloatReference(graph).trace(images)
    assert list(trace) == [operator.output.name for operator in graph.operators]
    np.testing.assert_array_equal(trace[graph.output.name], together)
    monkeypatch.setattr(reference, "BATCH_PIXELS", 2 * 16 * 16)
    np.testing.assert_allclose(FloatReference(graph).run(images), together, rtol=1e-5, atol=1e-6)


def test_an_operator_without_a_rule_stops_and_is_never_passed_over():
    graph = float_graph("linear head")
    strange = softmax(graph.output)
    with pytest.raises(CompileError, match=r"that the float32 reference has, found Softmax at net\.softmax"):
        FloatReference(Graph(input=graph.input, operators=(*graph.operators, strange))).run(pictures(graph, 1))
