"""Proves that a saved model is the requested one: every node, connection, constant, shape and attribute."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import ModelProto

from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.differences import unequal
from mobile_sdk.runtimes.onnx.model_file import read_model
from mobile_sdk.runtimes.onnx.writer import MARK, file_names

_PROGRAM = "the whole program"


def file_differences(path: Path, fresh: Path, graph: Graph) -> list[str]:
    """Names every difference between two files, of which `fresh` is the one that was just written for `graph`.

    Raises BundleError if the other one is damaged.
    """
    found, written = read_model(path), read_model(fresh)
    return list(differences(graph, written, found))


def differences(graph: Graph, requested: ModelProto, found: ModelProto) -> Iterator[str]:
    """Names every difference between two models, one requested and one read, with module paths."""
    asked, saved = _plain(requested), _plain(found)
    one, other = asked.pop("graph", {}), saved.pop("graph", {})
    places = {name: operator.path for operator, name in _outputs(graph)}
    for part in ("node", "initializer"):
        nodes, others = one.pop(part, []), other.pop(part, [])
        for expected, read in zip(nodes, others, strict=False):
            name = expected["name"]
            yield from unequal(_path(name, places), f"the {part} {name}", expected, read)
        yield from unequal(_PROGRAM, f"the number of {part}s", len(nodes), len(others))
    yield from unequal(_PROGRAM, "the graph", one, other)
    yield from unequal(_PROGRAM, "the model", asked, saved)


def _outputs(graph: Graph) -> Iterator[Any]:
    names = file_names(graph)
    for operator in graph.operators:
        yield operator, names[operator.output.name]
    paths = {operator.output.name: operator for operator in graph.operators}
    for name, output in zip(graph.output_names, graph.outputs, strict=True):
        yield paths[output.name], name


def _path(name: str, places: Mapping[str, str]) -> str:
    """Returns the module of a tensor of the graph, or of one that is made for it."""
    while name not in places and MARK in name:
        name = name.rpartition(MARK)[0]
    return places.get(name, "the input")


def _plain(message: Message) -> dict[str, Any]:
    """Returns a message's fields that are set, by name, messages below it too."""
    return {field.name: _value(value) for field, value in message.ListFields()}


def _value(value: Any) -> Any:
    if isinstance(value, Message):
        return _plain(value)
    if isinstance(value, bool | int | float | str | bytes):
        return value
    return [_value(each) for each in value]
