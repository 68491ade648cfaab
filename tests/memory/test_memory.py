"""Equation (2) of MobileNetV2 equals what the papers' layer tables give; plans reuse memory and never overlap."""

import json
from functools import cache
from itertools import combinations, permutations
from pathlib import Path

import pytest
import torch

from mobile_sdk.cli.app import call
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph.operators import Conv2d, Graph, Operator
from mobile_sdk.memory.plan import MemoryPlan, plan_memory
from mobile_sdk.memory.usage import (
    block_bytes,
    last_uses,
    least_bytes,
    operand_tensors,
    operator_memory,
    peak_bytes,
    tensor_bytes,
)
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from qat.freezing.freezing import freeze
from qat.nets import build_net
from qat.preparation.preparation import prepare
from tests.support.graphs import GRAPHS, Builder, int8_graph
from tests.support.tiny_nets import tensors

# Net, width, pixels: elements of the widest convolution and of the widest block, inputs and outputs together. Computed
# by a script of its own from the papers' tables: 1704.04861 Table 1, 1801.04381 Table 2, 1905.02244 Table 1.
PUBLISHED = {
    ("mobilenet_v1", 0.25, 128): (98_304, 98_304),
    ("mobilenet_v2", 1.0, 224): (1_505_280, 602_112),
    ("mobilenet_v2", 0.35, 96): (138_240, 64_512),
    ("mobilenet_v3_large", 1.0, 224): (1_003_520, 401_408),
}


@cache
def frozen(name: str, width: float, size_px: int) -> Graph:
    contract = Contract(name=name, labels=("a", "b"), image=ImageSpec(size_px=size_px))
    prepared = prepare(build_net(name, contract, width=width).eval(), contract)
    prepared.calibrate(True)
    with torch.no_grad():
        prepared(tensors(1, size_px))
    prepared.calibrate(False)
    return freeze(prepared, contract).graph


@pytest.mark.parametrize("net", PUBLISHED, ids=str)
def test_equation_2_equals_what_the_papers_tables_give(net: tuple[str, float, int]):
    graph = frozen(*net)
    assert (least_bytes(graph, (Conv2d,)), max(block_bytes(graph).values())) == PUBLISHED[net]


def test_a_shortcut_is_alive_beside_what_the_operators_of_its_block_need():
    rows = {row.path: row for row in operator_memory(frozen("mobilenet_v2", 1.0, 224))}
    depthwise = rows["features.3.conv.1.0"]
    assert depthwise.own_bytes == 2 * 56 * 56 * 144
    assert depthwise.live_bytes == depthwise.own_bytes + 56 * 56 * 24
    assert peak_bytes(frozen("mobilenet_v2", 1.0, 224)) == rows["features.2.conv.1.0"].live_bytes == 1_505_280


def test_a_square_reads_its_operand_once():
    build = Builder(int8=True, seed=0)
    x = build.conv(build.input, 8)
    build.mul(x, x)
    assert build.graph().operators[-1].inputs[0] == build.graph().operators[-1].inputs[1]
    assert operator_memory(build.graph())[-1].own_bytes == 2 * 8 * 16 * 16


def branches() -> Graph:
    """Two ways from one tensor that meet again; wide first, then narrow, is the better order, and it is not this."""
    build = Builder(int8=True, seed=0)
    x = build.conv(build.input, 4)
    wide = build.conv(build.conv(x, 32), 2)
    narrow = build.conv(build.conv(x, 8), 2)
    build.head(build.add(wide, narrow))
    first, a1, a2, b1, b2, *rest = build.operators
    return Graph(input=build.picture, operators=(first, b1, a1, a2, b2, *rest))


def alive_together(plan: MemoryPlan) -> list[tuple[str, str]]:
    """Every pair of placed tensors of which neither is gone before the other is there."""
    operators = plan.graph.operators
    born = {operator.output.name: index for index, operator in enumerate(operators)}
    last = {name: index for name, index in last_uses(plan.graph).items() if name in plan.places}
    pairs = combinations(last, 2)
    return [(a, b) for a, b in pairs if born[a] <= last[b] and born[b] <= last[a]]


@pytest.mark.parametrize("name", [*GRAPHS, "branches"])
def test_tensors_that_are_alive_together_never_overlap(name: str):
    plan = plan_memory(branches() if name == "branches" else int8_graph(name))
    ends = {
        operator.output.name: plan.places[operator.output.name] + tensor_bytes(operator.output)
        for operator in plan.graph.operators
        if operator.output.name in plan.places
    }
    pairs = alive_together(plan)
    assert pairs
    for a, b in pairs:
        assert ends[a] <= plan.places[b] or ends[b] <= plan.places[a], f"{a} and {b}"


def orders(graph: Graph) -> list[tuple[Operator, ...]]:
    """Every order in which the operators can run."""
    found = []
    for order in permutations(graph.operators):
        there = {graph.input.name}
        for operator in order:
            if not operand_tensors(operator).keys() <= there:
                break
            there.add(operator.output.name)
        else:
            found.append(order)
    return found


def test_the_least_peak_is_that_of_the_best_of_all_orders():
    graph = branches()
    peaks = [peak_bytes(Graph(input=graph.input, operators=order)) for order in orders(graph)]
    plan = plan_memory(graph)
    assert plan.is_exhaustive
    assert plan.least_peak_bytes == min(peaks) < peak_bytes(graph)
    assert plan.bound_bytes <= plan.least_peak_bytes


def test_a_chain_needs_what_equation_2_says_and_its_plan_no_more():
    plan = plan_memory(int8_graph("conv chain"))
    assert plan.bound_bytes == plan.least_peak_bytes == plan.peak_bytes


def test_inspect_shows_memory_and_what_limits_cost(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    graph = frozen("mobilenet_v2", 0.35, 96)
    contract = Contract(name="v2", labels=("a", "b"), image=ImageSpec(size_px=96))
    path = tmp_path / "program.pt2"
    Program(graph=graph, contract=contract, record=Record(net="v2", quantized="calibrated")).save(path)
    assert call(["inspect", str(path), "--memory", "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert (said["least_bytes"], said["least_block_bytes"]) == PUBLISHED["mobilenet_v2", 0.35, 96]
    assert len(said["operators"]) == len(graph.operators)
    half = next(row for row in said["limits"] if row["max_activation_kib"] == round(138_240 / 2 / 1024))
    assert half["peak_bytes"] <= 138_240 / 2 and 0 < half["more_multiply_adds_share"] < 0.1
    assert call(["inspect", str(path), "--memory"]) == 0
    assert "--max-activation-kib" in capfd.readouterr().out
    assert call(["inspect", str(tmp_path), "--memory"]) == 2
    assert "expected a program.pt2 with --memory, found a folder" in capfd.readouterr().err
