"""Counts the content of a saved `.pte` in the file itself."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.runtimes.base import Structure, of_int4
from mobile_sdk.runtimes.damage import damage_named
from mobile_sdk.runtimes.executorch.delegate_blob import decode_blob
from mobile_sdk.runtimes.executorch.fields import delegate_schema
from mobile_sdk.runtimes.executorch.pte_file import PteFile, damaged, read_pte

WEIGHTED = ("XNNConv2d", "XNNDepthwiseConv2d", "XNNConvTranspose2d", "XNNFullyConnected")
FOUR_BITS = "xnn_datatype_qcint4"
INTEGERS = ("xnn_datatype_qcint8", FOUR_BITS)


@dataclass(frozen=True, kw_only=True)
class Value:
    """Holds one tensor of XNNPACK's graph; `data` is None if it is computed."""

    datatype: str
    dims: tuple[int, ...]
    grid: tuple[float, int] | None
    scales: NDArray[np.float32] | None
    channel: int | None
    data: bytes | None


@dataclass(frozen=True, kw_only=True)
class Node:
    """Holds one node of XNNPACK's graph, for the graph's operator number `operator`."""

    kind: str
    operator: int
    fields: Mapping[str, Any]
    bounds: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class DelegateContent:
    """Holds the content of one delegate of a file."""

    nodes: tuple[Node, ...]
    values: tuple[Value, ...]


def read_structure(path: Path) -> Structure:
    """Returns the content of the file `path`; raises BundleError if it is damaged."""
    file = read_pte(path)
    with damage_named(partial(damaged, path, "an XNNPACK delegate")):
        return _structure(file, path.stat().st_size)


def delegate_contents(file: PteFile) -> list[DelegateContent]:
    """Returns the delegates' graphs, decoded."""
    return [_content(blob, file.named) for blob in file.delegates]


def _structure(file: PteFile, size_bytes: int) -> Structure:
    contents = delegate_contents(file)
    plan = file.program["execution_plan"][0]
    calls = [step["instr_args"] for chain in plan["chains"] for step in chain["instructions"]]
    kernels = [plan["operators"][call["op_index"]] for kind, call in calls if kind == "KernelCall"]
    names = [f"{kernel['name']}.{kernel['overload']}" for kernel in kernels]
    filters = [
        (node.kind, content.values[node.fields["filter_id"]])
        for content in contents
        for node in content.nodes
        if node.kind in WEIGHTED
    ]
    weights = sum(map(_counted_bytes, values := [value for _, value in filters]))
    integers = sum(_counted_bytes(value) for value in values if value.datatype in INTEGERS)
    return Structure(
        operators=dict(Counter([_in_words(node, content) for content in contents for node in content.nodes] + names)),
        partitions=sum(kind == "DelegateCall" for kind, _ in calls),
        not_delegated=tuple((name, "runs as a portable kernel outside the delegate") for name in names),
        int8_weight_share=integers / weights if weights else 1.0,
        float_convolutions=sum(
            kind != "XNNFullyConnected" and value.datatype not in INTEGERS for kind, value in filters
        ),
        bytes_by_part=_bytes_by_part(file, contents, size_bytes),
    )


def _in_words(node: Node, content: DelegateContent) -> str:
    """Returns the node's kind, and the type of its weights where that is int4."""
    kind = node.kind.removeprefix("XNN")
    is_four = node.kind in WEIGHTED and content.values[node.fields["filter_id"]].datatype == FOUR_BITS
    return of_int4(kind) if is_four else kind


def _counted_bytes(value: Value) -> int:
    """Returns the bytes of weights, as `Structure.int8_weight_share` counts them: one for one of 4 bits."""
    return len(value.data or b"") * (2 if value.datatype == FOUR_BITS else 1)


def _bytes_by_part(file: PteFile, contents: list[DelegateContent], size_bytes: int) -> dict[str, int]:
    """Returns the file's bytes by their content; constants that layers share are in the file, and counted, once."""
    held: dict[int, tuple[str, int]] = {}  # by the identity of the constant
    for content in contents:
        roles = {node.fields["filter_id"]: "weights" for node in content.nodes if node.kind in WEIGHTED}
        roles |= {node.fields["bias_id"]: "biases" for node in content.nodes if node.kind in WEIGHTED}
        for index, value in enumerate(content.values):
            if value.data is not None:
                held.setdefault(id(value.data), (roles.get(index, "constants"), len(value.data)))
            if value.scales is not None:
                held.setdefault(id(value.scales.base), ("scales", value.scales.nbytes))
    parts = {"weights": 0, "biases": 0, "scales": 0, "constants": 0}
    for part, size in held.values():
        parts[part] += size
    parts["delegate graph"] = sum(len(blob) for blob in file.delegates)
    parts["structure"] = size_bytes - sum(parts.values())
    return parts


def _content(blob: bytes, named: Mapping[str, bytes]) -> DelegateContent:
    graph = decode_blob(blob)
    constants = [named.get(entry["named_key"] or "") for entry in graph["constant_data"]]
    return DelegateContent(
        nodes=tuple(_node(node) for node in graph["xnodes"]),
        values=tuple(_value(value["xvalue_union"], constants) for value in graph["xvalues"]),
    )


def _node(node: Mapping[str, Any]) -> Node:
    kind, fields = node["xnode_union"]
    bounds = node["output_min_max"]
    limits = None if bounds is None else (bounds["output_min"], bounds["output_max"])
    return Node(kind=kind, operator=node["debug_handle"], fields=fields, bounds=limits)


def _value(union: tuple[str, Mapping[str, Any]], constants: list[bytes | None]) -> Value:
    kind, content = union
    tensor = content if kind == "XNNTensorValue" else content["tensor_value"]
    parameters_kind, parameters = (None, {}) if kind == "XNNTensorValue" else content["quant_params"]
    is_per_tensor = parameters_kind == "PerTensorQuant"
    is_per_channel = parameters_kind == "PerChannelQuant"
    names = {number: name for name, number in delegate_schema().enums["XNNDatatype"].items()}
    buffer = tensor["constant_buffer_idx"]
    return Value(
        datatype=names[tensor["datatype"]],
        dims=tuple(tensor["dims"]),
        grid=(parameters["scale"], parameters["zero_point"]) if is_per_tensor else None,
        scales=np.frombuffer(constants[parameters["scale_buffer_idx"]] or b"", "<f4") if is_per_channel else None,
        channel=parameters["channel_dim"] if is_per_channel else None,
        data=constants[buffer] if buffer else None,
    )
