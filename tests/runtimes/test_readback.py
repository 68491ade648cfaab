"""A model file on disk is compared with a graph, in every runtime: all that differs is named, damage is refused."""

import copy
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk import runtimes
from mobile_sdk.errors import BundleError, CompileError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.graph.operators.traits import Values
from mobile_sdk.runtimes.flatbuffer.schema import read_schema
from mobile_sdk.runtimes.tflite import export
from mobile_sdk.runtimes.tflite.export import write_model
from mobile_sdk.runtimes.tflite.file_format import from_bytes, to_bytes
from mobile_sdk.runtimes.tflite.readback import WRITTEN, differences
from mobile_sdk.runtimes.tflite.requested import request
from tests.support.graphs import GRAPHS, contract_for, float_graph, int8_graph
from tests.support.repository import ROOT
from tests.support.written_here import WRITTEN_HERE


def exported(runtime: str, graph: Graph, folder: Path) -> Path:
    chosen = runtimes.get(runtime)
    folder.mkdir(exist_ok=True)
    chosen.export(graph, contract_for(graph), folder / chosen.model_file)
    return folder / chosen.model_file


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("runtime", WRITTEN_HERE)
def test_a_file_that_was_just_written_differs_in_nothing(runtime: str, name: str, tmp_path: Path) -> None:
    for graph in (int8_graph(name), float_graph(name)):
        path = exported(runtime, graph, tmp_path)
        assert runtimes.get(runtime).differences(path, path, graph) == []


@pytest.mark.parametrize("runtime", WRITTEN_HERE)
def test_a_file_of_another_graph_differs_in_every_layer_and_names_them(runtime: str, tmp_path: Path) -> None:
    graph, other = int8_graph("conv chain"), int8_graph("conv chain", seed=1)
    path, fresh = exported(runtime, graph, tmp_path / "first"), exported(runtime, other, tmp_path / "other")
    found = runtimes.get(runtime).differences(path, fresh, other)
    for operator in other.operators:
        if runtime == "coreai" and operator.traits.values is Values.CHOSEN:
            continue  # it moves codes, and its file holds no number of it
        assert any(f"at {operator.path} " in each for each in found), operator.path
    shorter = Graph(input=other.input, operators=other.operators[:-1])
    assert runtimes.get(runtime).differences(path, exported(runtime, shorter, tmp_path / "shorter"), shorter)


@pytest.mark.parametrize("runtime", WRITTEN_HERE)
def test_a_damaged_file_is_refused_and_not_compared(runtime: str, tmp_path: Path) -> None:
    graph = int8_graph("linear head")
    path, fresh = exported(runtime, graph, tmp_path / "first"), exported(runtime, graph, tmp_path / "fresh")
    file = max((each for each in (path, *path.rglob("*")) if each.is_file()), key=lambda each: each.stat().st_size)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(BundleError):
        runtimes.get(runtime).differences(path, fresh, graph)


@pytest.mark.parametrize(("name", "every"), [("conv chain", 1), ("concat pool", 3), ("grouped and shuffled", 7)])
def test_any_number_in_a_tflite_that_differs_is_named(name: str, every: int) -> None:
    graph = int8_graph(name)
    asked = request(graph, contract_for(graph))
    read = from_bytes(to_bytes(asked))
    assert list(differences(graph, asked, read)) == []
    tried = 0
    for place in islice(places(read), 0, None, every):
        wrong = copy.deepcopy(read)
        alter(wrong, place)
        assert list(differences(graph, asked, wrong)), place
        tried += 1
    assert tried > 4 * len(graph.operators)


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every number, and the end of every array, stands in a ModelT: attributes and indices."""
    if hasattr(value, "__dict__"):
        for name, item in vars(value).items():
            yield from places(item, (*before, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*before, index))
    elif isinstance(value, np.ndarray) and value.size:
        yield (*before, value.size - 1)
    elif isinstance(value, int | float) or type(value) is bool:
        yield before


def alter(tree: Any, place: tuple[Any, ...]) -> None:
    """The number there becomes another one."""
    *way, last = place
    for step in way:
        tree = getattr(tree, step) if isinstance(step, str) else tree[step]
    if isinstance(last, str):
        setattr(tree, last, other_than(getattr(tree, last)))
    else:
        tree[last] = other_than(tree[last])


def other_than(number: Any) -> Any:
    return number / 2 + 1 if isinstance(number, float | np.floating) else number ^ 1


def test_a_tflite_that_was_written_wrongly_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_wrongly(data: bytes) -> Any:
        model = copy.deepcopy(from_bytes(data))  # its arrays were views of the file
        alter(model, ("subgraphs", 0, "tensors", 1, "shape", 1))
        return model

    monkeypatch.setattr(export, "from_bytes", read_wrongly)
    with pytest.raises(CompileError, match="expected shape of the tensor"):
        write_model(int8_graph("linear head"), contract_for(int8_graph("linear head")))


def test_every_kind_of_options_that_a_tflite_is_written_with_is_read_back() -> None:
    written = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "mobile_sdk/runtimes/tflite").rglob("*.py"))
    kinds = set(re.findall(r"schema\.(\w+Options)T\b", written))
    assert len(kinds) >= 13
    assert kinds == set(read_schema(WRITTEN).unions["BuiltinOptions"])
