"""Runs of functions that XNNPACK fuses: a run of ten nodes would abort ExecuTorch, so there is none."""

import itertools

import numpy as np
import pytest

from mobile_sdk.graph.code_tables import settle_table_scale
from mobile_sdk.graph.operators import Function, Graph, Tensor, UnaryFunction
from mobile_sdk.runtimes.executorch.operators.elementwise import nodes_of
from mobile_sdk.runtimes.executorch.table_fusion import idle_functions
from tests.support.operators.random_cases import grid
from tests.support.operators.reference_cases import square
from tests.support.operators.runtimes import RUNTIMES, assert_exact

ALL_CODES = np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)
LETTERS = {"a": (Function.ABS, ()), "f": (Function.AFFINE, (0.75, 0.1)), "p": (Function.POWER, (0.5,))}  # 3, 4, 6 nodes


def run_of(letters: str) -> Graph:
    """Functions one after the other on a picture."""
    source = x = square(16, grid(0.02, -128))
    functions = []
    for index, letter in enumerate(letters):
        function, parameters = LETTERS[letter]
        assert x.quantization is not None
        on = settle_table_scale(function, parameters, x.quantization, grid(0.011, -128))
        output = Tensor(name=f"tensor{index}", shape=source.shape, quantization=on)
        common = {"function": function, "parameters": parameters, "path": f"net.{index}"}
        functions.append(UnaryFunction(input=x, output=output, **common))
        x = output
    return Graph(input=source, operators=tuple(functions))


@pytest.mark.parametrize("letters", ["aaf", "fp", "pf", "afa", "faap", "aaaf", "aafp", "ppf", "pfp"])
@pytest.mark.parametrize("runtime", RUNTIMES[:2], ids=lambda runtime: runtime.name)
def test_runs_that_would_have_ten_nodes_are_exact(runtime, letters, tmp_path):
    assert_exact(runtime, run_of(letters), tmp_path, ALL_CODES)


def test_no_run_of_three_functions_has_ten_nodes():
    for letters in itertools.product(LETTERS, repeat=3):
        graph = run_of("".join(letters))
        idle = idle_functions(graph, nodes_of)
        sizes = [nodes_of(each) for each in graph.operators]
        with_idle = [size + (each.output.name in idle) for size, each in zip(sizes, graph.operators, strict=True)]
        assert 10 not in itertools.accumulate(with_idle, longer)
        assert bool(idle) is (10 in itertools.accumulate(sizes, longer))


def longer(run: int, nodes: int) -> int:
    """The nodes of a run with a function more, or of one that begins with it because the run would be too long."""
    return run + nodes if run + nodes <= 10 else nodes
