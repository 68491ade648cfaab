"""Reads a `.pte` back: what it is made of, and whether its numbers are its graph's."""

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import BundleError
from mobile_sdk.graph.operators import (
    Add,
    ChannelShuffle,
    ChannelSlice,
    Clamp,
    Concat,
    Constant,
    Conv2d,
    DecodeBoxes,
    Graph,
    JoinRows,
    Linear,
    Mul,
    Operator,
    Quantization,
    ResizeBilinear,
    Rows,
)
from mobile_sdk.runtimes.base import Structure
from mobile_sdk.runtimes.executorch.fields import delegate_schema
from mobile_sdk.runtimes.executorch.pte_file import HINT, PteFile, parse_pte, read_pte

WEIGHTED = ("XNNConv2d", "XNNDepthwiseConv2d", "XNNFullyConnected")
INT8 = "xnn_datatype_qcint8"


@dataclass(frozen=True, kw_only=True)
class Value:
    """One tensor of XNNPACK's graph; `data` is None where it is computed."""

    datatype: str
    dims: tuple[int, ...]
    grid: tuple[float, int] | None
    scales: NDArray[np.float32] | None
    channel: int | None
    data: bytes | None


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node of XNNPACK's graph, for the graph's operator number `operator`."""

    kind: str
    operator: int
    fields: Mapping[str, Any]
    bounds: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class DelegateContent:
    """What one delegate of a file says."""

    nodes: tuple[Node, ...]
    values: tuple[Value, ...]

    def inputs(self, node: Node) -> list[Value]:
        """The operands of `node` in order, without filter and bias."""
        names = ("input_id", "input1_id", "input2_id", "input3_id", "input4_id", "input5_id")
        ids = [node.fields[name] for name in names if name in node.fields]
        return [self.values[value] for value in ids if value < len(self.values)]


def read_structure(path: Path) -> Structure:
    """What the file `path` is made of; raises BundleError where it is damaged."""
    file = read_pte(path)
    try:
        return _structure(file, path.stat().st_size)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error) as error:
        raise BundleError(f"expected an XNNPACK delegate in {path.name}, found {error}", hint=HINT) from error


def differences(graph: Graph, data: bytes) -> list[str]:
    """Every number in the `.pte` that is not the graph's, named; empty where all are equal."""
    content = delegate_contents(parse_pte(data))[0]
    last = {node.operator: node for node in content.nodes}
    first = {node.operator: node for node in reversed(content.nodes)}
    found = []
    for index, operator in enumerate(graph.operators):
        pairs = [
            *_comparisons(operator, content, first[index], last[index]),
            *_box_comparisons(index, operator, content),
        ]
        for name, expected, written in pairs:
            if not _equal(expected, written):
                found.append(f"{name} of {operator.output.name} at {operator.path}: {expected} became {written}")
    return found


def delegate_contents(file: PteFile) -> list[DelegateContent]:
    """The delegates' graphs, decoded."""
    return [_content(blob, file.named) for blob in file.delegates]


def _structure(file: PteFile, size_bytes: int) -> Structure:
    contents = delegate_contents(file)
    plan = file.program["execution_plan"][0]
    calls = [step["instr_args"] for chain in plan["chains"] for step in chain["instructions"]]
    kernels = [plan["operators"][call["op_index"]] for kind, call in calls if kind == "KernelCall"]
    names = [f"{kernel['name']}.{kernel['overload']}" for kernel in kernels]
    nodes = [node for content in contents for node in content.nodes]
    filters = [
        (node.kind, content.values[node.fields["filter_id"]])
        for content in contents
        for node in content.nodes
        if node.kind in WEIGHTED
    ]
    weights = sum(len(value.data or b"") for _, value in filters)
    int8 = sum(len(value.data or b"") for _, value in filters if value.datatype == INT8)
    return Structure(
        operators=dict(Counter([node.kind.removeprefix("XNN") for node in nodes] + names)),
        partitions=sum(kind == "DelegateCall" for kind, _ in calls),
        not_delegated=tuple((name, "runs as a portable kernel outside the delegate") for name in names),
        int8_weight_share=int8 / weights if weights else 1.0,
        float_convolutions=sum(kind != "XNNFullyConnected" and value.datatype != INT8 for kind, value in filters),
        bytes_by_part=_bytes_by_part(file, contents, size_bytes),
    )


def _bytes_by_part(file: PteFile, contents: list[DelegateContent], size_bytes: int) -> dict[str, int]:
    """The file's bytes by what they hold; constants that layers share are in the file, and counted, once."""
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
    _, magic, _, start, size, _, _ = struct.unpack_from("<4s4sHIIIQ", blob)
    if magic != b"XH00" or start + size > len(blob):
        raise ValueError(f"a delegate blob that begins {magic!r}")
    graph = delegate_schema().decode(blob[start : start + size])
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


def _comparisons(
    operator: Operator, content: DelegateContent, first: Node, last: Node
) -> Iterator[tuple[str, Any, Any]]:
    """(name, the graph's number, the file's number). Most operators are one node; `first` reads and `last` writes."""
    yield "output grid", _grid(operator.output.quantization), content.values[last.fields["output_id"]].grid
    for operand, value in zip(operator.inputs, content.inputs(first), strict=False):
        yield "input grid", _grid(operand.quantization), value.grid
        if isinstance(operand, Constant):
            dtype = np.float32 if operand.quantization is None else np.int8
            yield "constant", np.array([operand.value], dtype), np.frombuffer(value.data or b"", dtype)
    if isinstance(operator, Conv2d | Linear | Add | Mul):
        bounds = {Clamp.NONE: None, Clamp.RELU: (0.0, float("inf")), Clamp.RELU6: (0.0, 6.0)}
        yield "clamp", bounds[operator.clamp], last.bounds
    if isinstance(operator, Conv2d | Linear):
        yield from _parameters(
            operator, content.values[first.fields["filter_id"]], content.values[first.fields["bias_id"]]
        )
    if isinstance(operator, Conv2d):
        sides = ("padding_top", "padding_bottom", "padding_left", "padding_right")
        yield "padding", operator.padding, tuple(first.fields[side] for side in sides)
        steps = ("subsampling_height", "subsampling_width", "dilation_height", "dilation_width", "groups")
        yield (
            "stride",
            (*operator.stride, *operator.dilation, operator.groups),
            tuple(first.fields[step] for step in steps),
        )
    yield from _moves(operator, first, last)


def _moves(operator: Operator, first: Node, last: Node) -> Iterator[tuple[str, Any, Any]]:
    """What says where values go."""
    match operator:
        case Rows(start=start):
            size = [1, *operator.output.shape[1:], operator.output.shape[0]]
            yield "rows", ([0, start, 0, 0], size), (list(last.fields["offsets"]), list(last.fields["sizes"]))
        case Concat() | JoinRows():
            axis = len(operator.output.shape) if isinstance(operator, Concat) else 1
            yield "axis", axis, last.fields.get("axis", axis)  # one part is copied
        case ResizeBilinear(output=output):
            yield "size", output.shape[1:], (last.fields["new_height"], last.fields["new_width"])
        case ChannelSlice(start=start, stop=stop):
            yield "channels", (start, stop - start), _last_axis(last, "offsets", "sizes")
        case ChannelShuffle(groups=groups):
            columns = groups, operator.input.shape[0] // groups
            yield "groups", columns, tuple(first.fields["new_shape"][-2:])


def _last_axis(node: Node, *names: str) -> tuple[int, ...]:
    return tuple(node.fields[name][-1] for name in names)


def _box_comparisons(index: int, operator: Operator, content: DelegateContent) -> Iterator[tuple[str, Any, Any]]:
    """Where a detector's anchors lie, and how far an offset of one moves their sides."""
    if isinstance(operator, DecodeBoxes):
        nodes = {node.kind: node for node in content.nodes if node.operator == index}
        for name, kind, expected in (("steps", "XNNMultiply", operator.steps), ("origins", "XNNAdd", operator.origins)):
            data = content.inputs(nodes[kind])[1].data or b""
            yield name, expected, np.frombuffer(data, np.float32).reshape(expected.shape)


def _parameters(operator: Conv2d | Linear, filter_: Value, bias: Value) -> Iterator[tuple[str, Any, Any]]:
    """Weights brought back from the phone's layout to the graph's; the channel is where the scales lie."""
    weight = np.frombuffer(filter_.data or b"", operator.weight.dtype).reshape(filter_.dims)
    if isinstance(operator, Conv2d):
        weight = weight.transpose(3, 0, 1, 2) if operator.is_depthwise else weight.transpose(0, 3, 1, 2)
    yield "weight", operator.weight, weight
    yield "bias", operator.bias, np.frombuffer(bias.data or b"", operator.bias.dtype)
    grid = operator.input.quantization
    if operator.weight_scales is not None and grid is not None:
        yield "weight scales", operator.weight_scales, filter_.scales
        yield "bias scales", np.float32(grid.scale) * operator.weight_scales, bias.scales
        channel = filter_.dims[filter_.channel] if filter_.channel is not None else None
        yield "channels", len(operator.weight_scales), channel


def _grid(quantization: Quantization | None) -> tuple[float, int] | None:
    return None if quantization is None else (quantization.scale, quantization.zero_point)


def _equal(expected: Any, written: Any) -> bool:
    if isinstance(expected, np.ndarray):
        return isinstance(written, np.ndarray) and expected.dtype == written.dtype and np.array_equal(expected, written)
    return bool(expected == written)
