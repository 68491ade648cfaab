"""`graph.json`: any graph goes through it unchanged, whatever fields it has, and no other text passes for one."""

import contextlib
import json
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from mobile_sdk.errors import BundleError
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, INT32_MAX, OPERATORS, Graph, Quantization, Tensor
from mobile_sdk.graph.operators.base import Unary
from mobile_sdk.graph.operators.traits import Traits
from mobile_sdk.graph.pairing import Held, Pair
from mobile_sdk.program import graph_file
from mobile_sdk.program.graph_file import GRAPH_FILE, read_graph, write_graph
from mobile_sdk.program.program import Program
from tests.support.graphs import GRAPHS, float_graph, int8_graph
from tests.support.operators.made_up_operator import TRAITS
from tests.support.program_files import content, program_of, rewritten

GRIDS = st.builds(
    Quantization,
    scale=st.floats(2**-100, 2**100, width=32),
    zero_point=st.integers(INT8_MIN, INT8_MAX),
)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(1, INT32_MAX),
    bool: st.booleans(),
    float: st.floats(-(2.0**100), 2.0**100),  # an epsilon is rounded to float32
    str: st.text(),
    types.NoneType: st.none(),
    Quantization: GRIDS,
    Held: st.builds(Held, tensor=st.text(), multiple=st.floats(2**-100, 2**100)),
}
SHAPES = st.lists(st.integers(1, 5), max_size=4).map(tuple)
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def values_of(hint: Any, tensors: list[Tensor]) -> st.SearchStrategy[Any]:
    """Any value that a field of the type may have."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Tensor:
        return st.sampled_from(tensors)
    if origin is types.UnionType:
        return st.one_of(*(values_of(each, tensors) for each in inner))
    if origin is tuple and inner[-1] is Ellipsis:
        return st.lists(values_of(inner[0], tensors), max_size=4).map(tuple)
    if origin is tuple:
        return st.tuples(*(values_of(each, tensors) for each in inner))
    if origin is np.ndarray:
        (declared,) = typing.get_args(inner[1])
        dtypes = st.sampled_from(["int8", "int32", "float32"] if declared is Any else [np.dtype(declared).name])
        return dtypes.flatmap(
            lambda dtype: arrays.arrays(dtype, SHAPES, elements=FINITE if dtype == "float32" else None)
        )
    if hint in SIMPLE:
        return SIMPLE[hint]
    return fields_of(hint, tensors) if is_dataclass(hint) else st.sampled_from(list(hint))


def fields_of(kind: Any, tensors: list[Tensor], **given: Any) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    if "weight_bits" in hints:
        given["weight_bits"] = st.just(8)  # a layer that can have 4 is in the graphs that compute
    names = [field.name for field in fields(kind) if field.name not in given]
    return st.builds(kind, **given, **{name: values_of(hints[name], tensors) for name in names})


@st.composite
def any_graphs(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Graph:
    """Operators of any class with fields of any value; most compute nothing."""
    names = draw(st.lists(st.text(), min_size=2, max_size=6, unique=True))
    tensors = [Tensor(name=name, shape=draw(SHAPES), quantization=draw(st.none() | GRIDS)) for name in names]
    made = tuple(
        draw(fields_of(draw(st.sampled_from(OPERATORS)), tensors[:index], output=st.just(tensors[index])))
        for index in range(1, len(tensors))
    )
    pairs = draw(st.lists(fields_of(Pair, tensors), max_size=3))
    return Graph(input=tensors[0], operators=made, pairs=tuple(pairs))


@settings(max_examples=200)
@given(graph=any_graphs())
def test_any_graph_goes_through_the_file_unchanged(graph: Graph) -> None:
    found = read_graph(write_graph(graph, {}))
    assert found.digest() == graph.digest() and found.pairs == graph.pairs and found.input == graph.input


@pytest.mark.parametrize("make", [int8_graph, float_graph])
@given(name=st.sampled_from(sorted(GRAPHS)), seed=st.integers(0, 2**16))
@settings(max_examples=15)
def test_a_graph_that_computes_goes_through_the_file_unchanged(
    make: Callable[..., Graph], name: str, seed: int
) -> None:
    graph = make(name, seed=seed)
    assert read_graph(write_graph(graph, {})).digest() == graph.digest()


@dataclass(frozen=True, kw_only=True, eq=False)
class LookUp(Unary):
    """An operator of tomorrow."""

    traits: ClassVar = Traits(**TRAITS)
    table: NDArray[np.int8]
    marks: tuple[float, ...]


def test_a_new_operator_needs_no_line_in_the_file_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_file, "OPERATORS", (*OPERATORS, LookUp))
    graph = int8_graph("linear head")
    table = np.arange(-128, 128).astype(np.int8)
    last = replace(graph.output, name="looked up")
    added = LookUp(output=last, path="act", input=graph.output, table=table, marks=(0.5, -1.0))
    found = read_graph(write_graph(replace(graph, operators=(*graph.operators, added)), {})).operators[-1]
    assert isinstance(found, LookUp) and found.marks == (0.5, -1.0)
    np.testing.assert_array_equal(found.table, table)


def test_an_operator_that_this_sdk_does_not_know_is_named() -> None:
    files = changed(lambda graph: graph["operators"][0].update(operator="FourierTransform"))
    with pytest.raises(BundleError, match=r"operators that this SDK knows .* found 'FourierTransform'") as error:
        read_graph(files)
    assert "update this SDK" in error.value.hint


SABOTAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a class that only shares fields": lambda graph: graph["operators"][0].update(operator="Weighted"),
    "a missing field": lambda graph: graph["operators"][0].pop("stride"),
    "an unknown field": lambda graph: graph["operators"][0].update(surprise=1),
    "a number as text": lambda graph: graph["operators"][0].update(groups="1"),
    "a truth value as a number": lambda graph: graph["operators"][0].update(groups=True),
    "a fraction as a whole number": lambda graph: graph["operators"][0].update(groups=1.5),
    "a stride too many": lambda graph: graph["operators"][0]["stride"].append(1),
    "a clamp of no name": lambda graph: graph["operators"][0].update(clamp="relu7"),
    "an operand computed later": lambda graph: graph["operators"][0].update(input=graph["outputs"][0]),
    "an operand that nothing computes": lambda graph: graph["operators"][0].update(input="nothing"),
    "a tensor computed twice": lambda graph: graph["operators"][1].update(output=graph["operators"][0]["output"]),
    "a tensor declared twice": lambda graph: graph["tensors"].append(graph["tensors"][-1]),
    "a scale of zero": lambda graph: graph["tensors"][0]["quantization"].update(scale=0.0),
    "a scale that is no number": lambda graph: graph["tensors"][0]["quantization"].update(scale=float("nan")),
    "an array too short": lambda graph: graph["operators"][0]["weight"]["shape"].append(2),
    "an array of negative sides": lambda graph: graph["operators"][0]["bias"].update(shape=[-2, -4]),
    "an array of unknown numbers": lambda graph: graph["operators"][0]["weight"].update(dtype="object"),
    "an array that is not there": lambda graph: graph["operators"][0]["weight"].update(member="arrays/999"),
    "two inputs": lambda graph: graph["inputs"].append("more"),
    "another output": lambda graph: graph.update(outputs=[graph["tensors"][1]["name"]]),
    "no operators": lambda graph: graph.update(operators=[]),
    "a size that is text": lambda graph: graph["tensors"][1]["shape"].__setitem__(1, "cpu"),
    "a size that is an object": lambda graph: graph["tensors"][1]["shape"].__setitem__(1, {}),
    "a size below any": lambda graph: graph["tensors"][1]["shape"].__setitem__(1, -(10**30)),
    "a size of nothing": lambda graph: graph["tensors"][1]["shape"].__setitem__(1, 0),
    "a size above any": lambda graph: graph["tensors"][1]["shape"].__setitem__(1, 2**31),
    "a stride of one number": lambda graph: graph["operators"][0].update(stride=[1]),
    "a stride of nothing": lambda graph: graph["operators"][0].update(stride=[0, 1]),
    "a padding below 0": lambda graph: graph["operators"][0].update(padding=[-1, 0, 0, 0]),
    "a part too many": lambda graph: graph.update(surprise=[]),
}


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_sealed_file_whose_graph_is_none_is_refused_in_one_line(name: str, saved: Path, tmp_path: Path) -> None:
    graph = content(saved, GRAPH_FILE)
    SABOTAGES[name](graph)
    path = rewritten(saved, tmp_path, {GRAPH_FILE: json.dumps(graph).encode()}, resealed=True)
    with pytest.raises(BundleError) as error:
        Program.load(path)
    assert "\n" not in str(error.value) and error.value.hint


@settings(max_examples=100)
@given(place=st.floats(0, 1, exclude_max=True), text=st.text('0123456789[]{}":,nulltrue', min_size=1, max_size=4))
def test_a_sealed_change_of_the_graphs_text_is_refused_or_another_graph_and_never_a_crash(
    saved: Path, tmp_path: Path, place: float, text: str
) -> None:
    original = json.dumps(content(saved, GRAPH_FILE))
    start = int(place * len(original))
    changed = original[:start] + text + original[start + len(text) :]
    with contextlib.suppress(BundleError):
        Program.load(rewritten(saved, tmp_path, {GRAPH_FILE: changed.encode()}, resealed=True))


def test_a_graph_that_uses_a_tensor_as_another_than_it_computes_is_not_written() -> None:
    graph = int8_graph("conv chain")
    second = graph.operators[1]
    other = replace(second, input=replace(graph.operators[0].output, shape=(1, 1, 1)))  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="is used as another"):
        write_graph(replace(graph, operators=(graph.operators[0], other, *graph.operators[2:])), {})


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "program.pt2"
    program_of(int8_graph("conv chain")).save(path)
    return path


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, bytes]:
    """The files of a graph whose JSON was changed."""
    files = write_graph(int8_graph("conv chain"), {})
    graph = json.loads(files[GRAPH_FILE])
    change(graph)
    return files | {GRAPH_FILE: json.dumps(graph).encode()}
