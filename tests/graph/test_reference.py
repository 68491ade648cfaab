"""The reference against models in numpy's 64-bit integers, written from the rules, on extremes and at random."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mobile_sdk.errors import CompileError, SettingError
from mobile_sdk.graph import reference
from mobile_sdk.graph.operators import (
    Activation,
    ActivationKind,
    Graph,
)
from mobile_sdk.graph.reference import Reference
from tests.support.graphs import GRAPHS, float_graph, int8_graph, pictures
from tests.support.operators.integer_models import assert_modelled


@pytest.mark.parametrize("name", GRAPHS)
def test_every_tensor_of_every_graph_equals_the_integer_model(name):
    graph = int8_graph(name)
    assert_modelled(graph, pictures(graph, 3), values=4)


def test_pictures_in_one_batch_or_one_by_one_get_the_same_codes(monkeypatch):
    graph = int8_graph("mobile block")
    images = pictures(graph, 7)
    together = Reference(graph).run(images)
    assert len(np.unique(together, axis=0)) == 7
    monkeypatch.setattr(reference, "BATCH_PIXELS", 3 * 16 * 16)
    np.testing.assert_array_equal(Reference(graph).run(images), together)
    np.testing.assert_array_equal(np.concatenate([Reference(graph).run(image[None]) for image in images]), together)


@pytest.mark.parametrize("name", GRAPHS)
def test_run_gives_what_trace_gives_for_the_last_tensor(name):
    graph = int8_graph(name)
    images = pictures(graph, 3)
    traced = Reference(graph).trace(images)
    assert list(traced) == [graph.input.name, *(operator.output.name for operator in graph.operators)]
    np.testing.assert_array_equal(Reference(graph).run(images), traced[graph.output.name])
    np.testing.assert_array_equal(traced[graph.input.name], images.transpose(0, 3, 1, 2).astype(int) - 128)


def test_the_pictures_are_left_as_they_are():
    graph = int8_graph("conv chain")
    images = pictures(graph, 2)
    before = images.copy()
    Reference(graph).run(images)
    np.testing.assert_array_equal(images, before)


def test_the_number_of_threads_changes_nothing():
    graph = int8_graph("mobile block")
    images, threads = pictures(graph, 4), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = Reference(graph).run(images)
        torch.set_num_threads(2)
        np.testing.assert_array_equal(Reference(graph).run(images), alone)
    finally:
        torch.set_num_threads(threads)


def test_a_float_graph_is_refused_and_its_own_reference_named():
    with pytest.raises(SettingError, match="FloatReference"):
        Reference(float_graph("conv chain"))


def test_an_operator_without_an_integer_rule_is_refused_with_its_path():
    graph = int8_graph("conv chain")
    output = replace(graph.output, name="swish")
    swish = Activation(output=output, path="net.swish", input=graph.output, kind=ActivationKind.HARD_SWISH)
    with pytest.raises(CompileError, match=r"Activation at net\.swish"):
        Reference(Graph(input=graph.input, operators=(*graph.operators, swish)))
