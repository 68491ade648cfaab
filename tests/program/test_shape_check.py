"""A program's graph is checked behind its seal: sizes, settings, arrays and grids are possible, or refused by path."""

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk import runtimes
from mobile_sdk.errors import BundleError, SdkError
from mobile_sdk.graph.checks import shape_check
from mobile_sdk.graph.checks.shape_check import check_shapes
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import OPERATORS, Function, Graph, UnaryFunction
from mobile_sdk.graph.reference import Reference
from mobile_sdk.memory.limit import within
from mobile_sdk.memory.usage import peak_bytes
from mobile_sdk.program.graph_file import GRAPH_FILE
from mobile_sdk.program.program import Program
from tests.support.graphs import GRAPHS, float_graph, int8_graph
from tests.support.program_files import content, program_of, rewritten
from tests.support.written_here import WRITTEN_HERE

NAMES = ("conv chain", "uneven padding", "concat pool", "grouped and shuffled", "squeeze excite")
KINDS = ("int8", "float")
IMPOSSIBLE = (-1, 0, 10**30, -(10**30))
Leaf = tuple[Any, ...]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("programs")
    makes: tuple[Callable[..., Graph], ...] = (int8_graph, float_graph)
    paths = {f"{name}, {make.__name__}": (make, name) for name in NAMES for make in makes}
    for title, (make, name) in paths.items():
        program_of(make(name)).save(folder / f"{title}.pt2")
    return {title: folder / f"{title}.pt2" for title in paths}


def leaves(value: Any, place: Leaf = ()) -> Iterator[Leaf]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*place, key))
    else:
        yield place


def at(value: Any, place: Leaf) -> Any:
    for key in place:
        value = value[key]
    return value


def put(graph: Any, place: Leaf, value: Any) -> None:
    at(graph, place[:-1])[place[-1]] = value


def loaded(path: Path, folder: Path, graph: Any) -> Program:
    return Program.load(rewritten(path, folder, {GRAPH_FILE: json.dumps(graph).encode()}, resealed=True))


def test_every_operator_has_a_rule() -> None:
    assert set(OPERATORS) == set(shape_check._shapes.entries)


@pytest.mark.parametrize("make", [int8_graph, float_graph])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_of_the_tests_passes(name: str, make: Callable[..., Graph]) -> None:
    check_shapes(make(name))


def test_a_graph_in_strips_passes() -> None:
    graph = int8_graph("inverted residual")
    strips = within(graph, peak_bytes(graph) * 3 // 4)
    assert len(strips.operators) > len(graph.operators)
    check_shapes(strips)


def test_every_impossible_size_and_setting_is_refused_in_one_line(saved: dict[str, Path], tmp_path: Path) -> None:
    numbers = ("shape", "stride", "padding", "dilation", "groups", "start", "stop", "kernel")
    tried: dict[str, int] = {}
    for title in ("concat pool, int8_graph", "grouped and shuffled, float_graph"):
        original = content(saved[title], GRAPH_FILE)
        for place in leaves(original):
            for field in set(numbers) & set(place):
                for value in IMPOSSIBLE:
                    if value == at(original, place) or (field, value) == ("padding", 0):
                        continue
                    graph = json.loads(json.dumps(original))
                    put(graph, place, value)
                    with pytest.raises(BundleError) as error:
                        loaded(saved[title], tmp_path, graph)
                    assert "\n" not in str(error.value) and error.value.hint
                    tried[field] = tried.get(field, 0) + 1
    assert set(tried) == set(numbers)


def operator(graph: Any, kind: str) -> Any:
    return next(each for each in graph["operators"] if each["operator"] == kind)


FORGERIES: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "groups that do not divide": (
        "conv chain",
        lambda graph: operator(graph, "Conv2d").update(groups=2),
        r"groups that divide 3 channels .* found 2 in Conv2d at ",
    ),
    "a stride that gives another map": (
        "conv chain",
        lambda graph: operator(graph, "Conv2d").update(stride=[1, 1]),
        "an output of shape .* in Conv2d at ",
    ),
    "a padding of gigabytes": (
        "conv chain",
        lambda graph: operator(graph, "Conv2d").update(padding=[60000, 60000, 60000, 60000]),
        "values in a tensor at most, .* in Conv2d at ",
    ),
    "a window of padding alone": (
        "concat pool",
        lambda graph: operator(graph, "MaxPool2d").update(padding=[3, 0, 3, 0]),
        "paddings smaller than the kernel, .* in MaxPool2d at ",
    ),
    "weights as biases": (
        "conv chain",
        lambda graph: operator(graph, "Conv2d").update(bias=operator(graph, "Conv2d")["weight"]),
        "biases, found .* in Conv2d at ",
    ),
    "scales of another layer": (
        "conv chain",
        lambda graph: operator(graph, "Conv2d").update(weight_scales=operator(graph, "Linear")["weight_scales"]),
        "a float32 scale a filter, .* in Conv2d at ",
    ),
    "an int8 layer without scales": (
        "conv chain",
        lambda graph: operator(graph, "Conv2d").update(weight_scales=None),
        "a float32 scale a filter, .* in Conv2d at ",
    ),
    "a slice beyond the channels": (
        "grouped and shuffled",
        lambda graph: operator(graph, "ChannelSlice").update(stop=1000),
        "a slice of .* positions, .* in ChannelSlice at ",
    ),
    "a constant beyond int8": (
        "squeeze excite",
        lambda graph: operator(graph, "Add")["b"].update(value=128.0),
        "a constant in -128..127, found 128.0 in Add at ",
    ),
    "another grid behind a maximum": (
        "concat pool",
        lambda graph: next(
            tensor for tensor in graph["tensors"] if tensor["name"] == operator(graph, "MaxPool2d")["output"]
        )["quantization"].update(zero_point=3),
        "one quantization, found several in MaxPool2d at ",
    ),
    "a float32 tensor between codes": (
        "conv chain",
        lambda graph: graph["tensors"][1].update(quantization=None),
        "operands and output of one type, .* in Conv2d at ",
    ),
    "a name that breaks the line": (
        "conv chain",
        lambda graph: operator(graph, "Conv2d").update(path="conv\n\x1b[2J"),
        r"a module path of one line, .* in Conv2d at 'conv\\n",
    ),
    "a path that no file can hold": (
        "conv chain",
        lambda graph: operator(graph, "Linear").update(path="\ud800"),
        "half a pair of surrogates",
    ),
    "a scale that has no inverse": (
        "conv chain",
        lambda graph: graph["tensors"][0]["quantization"].update(scale=2.0**-140),
        "a scale in .* in the graph's input",
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_sealed_forgery_is_refused_by_operator_and_module_path(
    forgery: str, saved: dict[str, Path], tmp_path: Path
) -> None:
    name, change, message = FORGERIES[forgery]
    path = saved[f"{name}, int8_graph"]
    graph = content(path, GRAPH_FILE)
    change(graph)
    with pytest.raises(BundleError, match=message) as error:
        loaded(path, tmp_path, graph)
    assert "\n" not in str(error.value)


def test_a_graph_of_another_image_than_the_contracts_is_refused(saved: dict[str, Path], tmp_path: Path) -> None:
    path = saved["conv chain, int8_graph"]
    image = content(path, "extra/contract.json")
    image["inputs"][0]["size_px"] += 1
    with pytest.raises(BundleError, match="expected a graph of the contract's image"):
        Program.load(rewritten(path, tmp_path, {"extra/contract.json": json.dumps(image).encode()}, resealed=True))


VALUES = (*IMPOSSIBLE, 1, 2, 3, 7, 255, 2**31, 2**63, 1e-45, 1e300, 1e-38, 8e37, 0.5, None, True, "", "relu", [], [1])


def mutated(original: Any, draw: random.Random) -> Any:
    """The graph with one or two leaves of its tensors and operators changed."""
    graph = json.loads(json.dumps(original))
    places = [place for place in leaves(original) if place[0] != "pairs"]
    for place in draw.choices(places, k=draw.choice((1, 1, 2))):
        value = at(original, place)
        by_type = [at(original, each) for each in places if type(at(original, each)) is type(value)]
        near = [value + 1, value - 1, value * 2, -value] if type(value) in (int, float) else by_type
        put(graph, place, draw.choice(draw.choice((near, by_type, VALUES))))
    return graph


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), title=st.sampled_from([f"{name}, {kind}_graph" for name in NAMES for kind in KINDS]))
def test_a_sealed_mutation_is_refused_or_a_graph_that_runs(
    saved: dict[str, Path], tmp_path: Path, seed: int, title: str
) -> None:
    graph = mutated(content(saved[title], GRAPH_FILE), random.Random(seed))
    with contextlib.suppress(SdkError):
        program = loaded(saved[title], tmp_path, graph)
        pictures = np.zeros((1, *program.graph.input.shape[1:], 3), np.uint8)
        with np.errstate(all="ignore"):
            reference = FloatReference if program.graph.precision == "float32" else Reference
            assert reference(program.graph).run(pictures).shape[0] == 1
            if seed % 8 == 0:
                program.save(tmp_path / "again.pt2")
                for name in WRITTEN_HERE:
                    runtime = runtimes.get(name)
                    runtime.export(program.graph, program.contract, tmp_path / runtime.model_file)


@pytest.mark.parametrize(
    ("function", "parameters"),
    [(Function.SIGMOID, (1.0,)), (Function.LEAKY_RELU, ()), (Function.CLAMP, (1.0, 0.0)), (Function.CLAMP, (0.0, inf))],
)
def test_a_function_without_its_parameters_is_refused(function: Function, parameters: tuple[float, ...]) -> None:
    graph = int8_graph("conv chain")
    last = graph.output
    output = replace(last, name="function")
    added = UnaryFunction(input=last, output=output, path="net.act", function=function, parameters=parameters)
    with pytest.raises(BundleError, match=r"parameters, finite and in order, found .* in UnaryFunction at net\.act"):
        check_shapes(replace(graph, operators=(*graph.operators, added)))
