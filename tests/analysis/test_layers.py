"""How far each layer of the int8 program is from its float32 twin's."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mobile_sdk.analysis.layer_distances import layer_distances
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Conv2d, Graph
from qat.calibration.calibration import quantize
from qat.freezing.freezing import float_twin
from tests.support.graphs import float_graph, int8_graph
from tests.support.tiny_nets import CONTRACT, Tiny, body, picture_set, rgb


def tiny_net() -> Tiny:
    return body(
        lambda self, x: self.last(F.hardswish(self.conv(F.relu6(x)))), conv=nn.Conv2d(6, 8, 1), last=nn.Conv2d(8, 6, 1)
    )


@pytest.fixture(scope="module")
def graphs() -> tuple[Graph, Graph]:
    torch.manual_seed(0)
    tiny = tiny_net()
    return quantize(tiny, CONTRACT, picture_set(16)).graph, float_twin(tiny, CONTRACT).graph


def test_every_tensor_that_both_have_is_measured_in_the_order_of_execution(graphs):
    int8, twin = graphs
    distances = layer_distances(int8, twin, rgb(4))
    in_both = {operator.output.name for operator in twin.operators}
    assert [name for name, _, _ in distances] == [
        operator.output.name for operator in int8.operators if operator.output.name in in_both
    ]
    assert [path for _, path, _ in distances] == ["stem", "conv", "<root>", "last", "<root>", "head"]


def test_every_layer_of_a_good_program_is_close_also_where_it_stands_for_a_multiple(graphs):
    """h-swish's product is six times the twin's: 6 dB would be all that is left if that were not taken out."""
    int8, twin = graphs
    assert [type(operator).__name__ for operator in int8.operators].count("Mul") == 1
    for name, _, decibels in layer_distances(int8, twin, rgb(8)):
        assert decibels is not None and decibels > 25, name


def test_a_damaged_layer_shows_where_it_is(graphs):
    int8, twin = graphs
    conv = next(operator for operator in int8.operators if operator.path == "conv")
    assert isinstance(conv, Conv2d)
    damaged = replace(conv, weight=conv.weight[::-1].copy())
    operators = tuple(damaged if operator is conv else operator for operator in int8.operators)
    before = {name: decibels for name, _, decibels in layer_distances(int8, twin, rgb(4))}
    for name, path, decibels in layer_distances(Graph(input=int8.input, operators=operators), twin, rgb(4)):
        assert decibels is not None and before[name] is not None
        if path == "stem":
            assert decibels == before[name]
        if path == "conv":
            assert decibels < 10 < before[name]


@pytest.mark.parametrize("kinds", [("int8", "int8"), ("float", "float"), ("float", "int8")])
def test_anything_but_a_program_and_its_twin_is_refused(kinds):
    build = {"int8": int8_graph, "float": float_graph}
    with pytest.raises(SettingError, match="expected an int8 program and its float32 twin"):
        layer_distances(*(build[kind]("linear head") for kind in kinds), rgb(1))
