"""Proves that a saved `.pte` is the requested one: every node, value, constant, grid, option and connection."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.damage import damage_named
from mobile_sdk.runtimes.differences import unequal
from mobile_sdk.runtimes.executorch.delegate_blob import decode_blob
from mobile_sdk.runtimes.executorch.fields import delegate_schema
from mobile_sdk.runtimes.executorch.pte_file import (
    SEGMENT_ALIGNMENT,
    PteFile,
    damaged,
    program_fields,
    program_schema,
    read_pte,
)
from mobile_sdk.runtimes.executorch.requested import GRAPH_KEY, Requested

_PROGRAM = "the whole program"
_INPUT = "the input"


def file_differences(path: Path, fresh: Path, graph: Graph) -> list[str]:
    """Names every difference between two files, of which `fresh` is the one that was just written for `graph`.

    Raises BundleError if the other one is damaged.
    """
    file, written = read_pte(path), read_pte(fresh)
    with damage_named(partial(damaged, path, "an XNNPACK delegate")):
        return list(_differences(graph, decode_blob(written.delegates[0]), written.program, written.named, file))


def differences(requested: Requested, file: PteFile) -> Iterator[str]:
    """Names every difference between the file and the request, with the module path if there is one.

    Raises ValueError, KeyError, IndexError or struct.error if the file is damaged.
    """
    asked = delegate_schema().completed(requested.delegate.graph)
    program = program_schema().completed(program_fields(requested.plan, requested.named, ()))
    yield from _differences(requested.graph, asked, program, requested.named, file)


def _differences(
    graph: Graph, asked: Mapping[str, Any], program: Mapping[str, Any], named: Mapping[str, bytes], file: PteFile
) -> Iterator[str]:
    (blob,) = file.delegates
    found = decode_blob(blob)
    places = [(operator.output.name, operator.path) for operator in graph.operators]
    yield from _nodes(asked["xnodes"], found["xnodes"], places)
    values = zip(_values(asked, named), _values(found, file.named), strict=False)
    for (one, other), (what, path) in zip(values, _roles(asked, places), strict=True):
        yield from unequal(path, what, one, other)
    yield from unequal(_PROGRAM, "the number of values", len(asked["xvalues"]), len(found["xvalues"]))
    for part in sorted(asked.keys() - {"xnodes", "xvalues"}):
        yield from unequal(_PROGRAM, part, asked[part], found[part])
    for part in sorted(program.keys() - {"segments"}):  # what is in them is compared below and above
        yield from unequal(_PROGRAM, part, program[part], file.program[part])
    for key in dict.fromkeys((*named, *file.named)):
        what = "the graph's digest" if key == GRAPH_KEY else f"the data named {key}"
        yield from unequal(_PROGRAM, what, named.get(key), file.named.get(key))
    segments = file.program["segments"]
    yield from unequal(_PROGRAM, "the number of segments", len(named) + 2, len(segments))
    yield from unequal(_PROGRAM, "the size of the first segment", 0, segments[0]["size"])  # nothing reads it
    for index, segment in enumerate(segments):
        what = f"the bytes of segment {index} behind a multiple of {SEGMENT_ALIGNMENT}"
        yield from unequal(_PROGRAM, what, 0, segment["offset"] % SEGMENT_ALIGNMENT)


def _nodes(asked: list[Any], found: list[Any], places: list[tuple[str, str]]) -> Iterator[str]:
    for index, node in enumerate(asked):
        name, path = places[node["debug_handle"]]
        other = _flat(found[index]) if index < len(found) else None
        yield from unequal(path, f"{_kind(node)} of {name}", _flat(node), other)
    for node in found[len(asked) :]:
        yield from unequal(_PROGRAM, "a node", None, _kind(node))


def _flat(node: Mapping[str, Any]) -> dict[str, Any]:
    kind, fields = node["xnode_union"]
    outside = {name: value for name, value in node.items() if name != "xnode_union"}
    return {"kind": kind, **fields, **outside}


def _values(graph: Mapping[str, Any], named: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    """Yields every value, with the bytes of the constants that it refers to."""
    constants = {index: named.get(entry["named_key"] or "") for index, entry in enumerate(graph["constant_data"])}
    for value in graph["xvalues"]:
        kind, content = value["xvalue_union"]
        tensor: Mapping[str, Any] = content.get("tensor_value", content)
        grid: tuple[str, Mapping[str, Any]] | None = content.get("quant_params")
        parameters = grid[1] if grid else {}
        yield {
            "kind": kind,
            **tensor,
            "data": constants.get(tensor["constant_buffer_idx"]),
            "grid": grid[0] if grid else None,
            **parameters,
            "scales": constants.get(parameters.get("scale_buffer_idx", 0)),
        }


def _roles(graph: Mapping[str, Any], places: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns each value's role in a node, and its module path: the node that writes it comes before its readers."""
    roles = dict.fromkeys(graph["input_ids"], (_INPUT, _INPUT))
    fields = [
        (identity, name.removesuffix("_id"), node)
        for node in graph["xnodes"]
        for name, identity in node["xnode_union"][1].items()
        if name.endswith("_id")
    ]
    for identity, field, node in sorted(fields, key=lambda each: each[1] != "output"):
        name, path = places[node["debug_handle"]]
        roles.setdefault(identity, (f"the {field} of {_kind(node)} of {name}", path))
    return [roles.get(identity, ("a value", _PROGRAM)) for identity in range(len(graph["xvalues"]))]


def _kind(node: Mapping[str, Any]) -> str:
    return str(node["xnode_union"][0])
