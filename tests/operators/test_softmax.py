"""Softmax: float32 between conversions, within a step of the reference in every runtime, in one partition."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import Graph, Softmax
from mobile_sdk.graph.reference import Reference
from tests.support.graph_builder import pictures
from tests.support.operators.islands import MAP, RESULT, VALUES, assert_within_a_step, island
from tests.support.operators.one_operator import convolution, picture, tensor
from tests.support.operators.runtimes import RUNTIMES

SHARES = Softmax(input=VALUES, output=RESULT, path="net.softmax")


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_every_runtime_is_within_a_step_of_the_reference(runtime: Any, tmp_path: Path) -> None:
    assert_within_a_step(runtime, island(SHARES, 1 / 255, -128), tmp_path)


def test_the_shares_of_all_channels_add_up_to_one() -> None:
    graph = island(SHARES, 1 / 255, -128)
    traced = Reference(graph).trace(pictures(graph, 4))
    np.testing.assert_allclose(traced["result"].sum(axis=1), 1, atol=1e-6)
    values = torch.from_numpy(traced["values"])
    np.testing.assert_allclose(traced["result"], torch.softmax(values, 1).numpy(), atol=1e-7)


def test_codes_have_no_softmax() -> None:
    source = picture()
    codes, shares = tensor("codes", MAP, 1 / 64), tensor("shares", MAP, 1 / 255)
    layers = (convolution(source, codes, 1 / 100), Softmax(input=codes, output=shares, path="net.softmax"))
    with pytest.raises(CompileError, match=r"net\.softmax"):
        Reference(Graph(input=source, operators=layers))
