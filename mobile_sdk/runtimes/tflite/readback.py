"""Proves that a saved `.tflite` is the requested one: every operator, tensor, constant, grid and option."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.damage import damage_named
from mobile_sdk.runtimes.differences import unequal
from mobile_sdk.runtimes.flatbuffer.decoding import decode
from mobile_sdk.runtimes.flatbuffer.schema import read_schema
from mobile_sdk.runtimes.tflite.description.earlier import is_earlier, without_description, without_versions
from mobile_sdk.runtimes.tflite.description.labels_archive import separated
from mobile_sdk.runtimes.tflite.file_format import damaged

_PROGRAM = "the whole program"
WRITTEN = Path(__file__).parent / "written.fbs"


def file_differences(path: Path, fresh: Path, graph: Graph) -> list[str]:
    """Names every difference between two files, of which `fresh` is the one that was just written for `graph`.

    A file of an earlier SDK, which holds nothing beside its graph, is compared by its graph.

    Raises BundleError if the other one is damaged.
    """
    schema = read_schema(WRITTEN)
    with damage_named(partial(damaged, path)):
        found, written = (separated(each.read_bytes()) for each in (path, fresh))
        asked, saved = (decode(schema, model) for model, _ in (written, found))
        if is_earlier(saved, found[1]):
            asked, saved = without_versions(without_description(asked, graph)), without_versions(saved)
            return list(_differences(graph, asked, saved))
        labels = unequal(_PROGRAM, "the labels", written[1], found[1])
        return [*_differences(graph, asked, saved), *labels]


def differences(graph: Graph, requested: Any, found: Any) -> Iterator[str]:
    """Names every difference between two ModelT, one requested and one read, with module paths."""
    yield from _differences(graph, _plain(requested), _plain(found))


def _differences(graph: Graph, asked: dict[str, Any], saved: dict[str, Any]) -> Iterator[str]:
    (one,), (other,) = asked.pop("subgraphs"), saved.pop("subgraphs")
    places = {operator.output.name: operator.path for operator in graph.operators}
    places |= {name: places[each.name] for name, each in zip(graph.output_names, graph.outputs, strict=True)}
    names = [tensor["name"] for tensor in one["tensors"]]
    others = other["tensors"] or []
    for tensor, read in zip(_with_data(one["tensors"], asked), _with_data(others, saved), strict=False):
        yield from unequal(_path(tensor["name"], places), f"the tensor {tensor['name']}", tensor, read)
    for operator, read in zip(one["operators"], other["operators"], strict=False):
        output = names[int(operator["outputs"][0])]
        yield from unequal(_path(output, places), f"the operator of {output}", operator, read)
    for part, count in (("tensors", len(others)), ("operators", len(other["operators"]))):
        yield from unequal(_PROGRAM, f"the number of {part}", len(one[part]), count)
    for whole, read, apart in ((one, other, ("tensors", "operators")), (asked, saved, ("buffers",))):
        for part in sorted(whole.keys() - set(apart)):
            yield from unequal(_PROGRAM, part, whole[part], read[part])
    for entry, read in zip(_with_data(asked["metadata"], asked), _with_data(saved["metadata"], saved), strict=False):
        yield from unequal(_PROGRAM, f"the metadata {entry['name']}", entry, read)
    if asked["buffers"] != saved["buffers"]:  # most are in tensors and metadata above
        yield from unequal(_PROGRAM, "the buffers", asked["buffers"], saved["buffers"])


def _with_data(parts: Iterable[Mapping[str, Any]] | None, model: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields every tensor, or every entry of metadata, with the bytes that its buffer holds."""
    data = {index: buffer["data"] for index, buffer in enumerate(model["buffers"])}
    for part in parts or ():
        yield {**part, "data": data.get(part["buffer"])}


def _path(name: str, places: Mapping[str, str]) -> str:
    """Returns the module of a tensor of the graph, or of one whose name is its operator's name, a dot and more."""
    while name not in places and "." in name:
        name = name.rpartition(".")[0]
    return places.get(name, "the input")


def _plain(value: Any) -> Any:
    """Returns the generated classes' objects as dictionaries, with None for anything empty.

    An object that was built has lists and texts where one that was read has arrays and bytes.
    """
    if hasattr(value, "__dict__"):
        return {name: _data(item) if name == "data" else _plain(item) for name, item in vars(value).items()}
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, np.ndarray):
        return value.tolist() or None
    if isinstance(value, list):
        return [_plain(item) for item in value] or None
    return value


def _data(value: Any) -> bytes:
    return b"" if value is None else bytes(value)
