"""Activation: standing alone, in float32 only, it is the float reference's in every runtime; int8 graphs have none."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import Activation, ActivationKind, Graph
from mobile_sdk.graph.reference import Reference
from tests.support.graphs import float_graph, int8_graph
from tests.support.operators.runtimes import RUNTIMES, assert_near_float


def ending_in(kind: ActivationKind, graph: Graph) -> Graph:
    output = replace(graph.output, name="alone")
    alone = Activation(output=output, path="net.alone", input=graph.output, kind=kind)
    return Graph(input=graph.input, operators=(*graph.operators, alone))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("kind", ActivationKind)
def test_every_activation_that_stands_alone_runs_in_float(kind: ActivationKind, runtime: Any, tmp_path: Path) -> None:
    assert_near_float(runtime, ending_in(kind, float_graph("inverted residual")), tmp_path)


def test_an_int8_graph_has_none() -> None:
    with pytest.raises(CompileError, match=r"Activation at net\.alone"):
        Reference(ending_in(ActivationKind.HARD_SWISH, int8_graph("conv chain")))
