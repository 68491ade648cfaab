"""Writes a graph as a `.pte`: one execution plan that is one call of the XNNPACK delegate, bytes in, codes out."""

import math
import struct
from collections.abc import Mapping
from typing import Any

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.limits import check_graph
from mobile_sdk.graph.operators import Graph, Tensor
from mobile_sdk.runtimes.executorch.delegate import build_delegate
from mobile_sdk.runtimes.executorch.fields import delegate_schema
from mobile_sdk.runtimes.executorch.pte_file import write_pte
from mobile_sdk.runtimes.executorch.readback import differences
from mobile_sdk.runtimes.shapes import runtime_shape

BACKEND = "XnnpackBackend"
GRAPH_KEY = "mobile_sdk.graph"  # the digest of the graph that was written, among the named data
ALIGNMENT = 16  # bytes; of tensors in the planned memory, and of the parts of XNNPACK's blob
BLOB_HEADER = struct.Struct("<4s4sHIIIQ")  # backends/xnnpack/serialization/xnnpack_graph_serialize.py, XNNHeader

# The calling convention that torch's pytree writes for `forward(picture) -> scores`.
_INPUTS = (
    '[1, {"type": "builtins.tuple", "context": "null", "children_spec": ['
    '{"type": "builtins.tuple", "context": "null", "children_spec": ['
    '{"type": null, "context": null, "children_spec": []}]}, '
    '{"type": "builtins.dict", "context": "[]", "children_spec": []}]}]'
)
_OUTPUT = '[1, {"type": null, "context": null, "children_spec": []}]'


def write_model(graph: Graph) -> bytes:
    """The `.pte` of `graph`, read back and found equal to it in every number.

    Raises CompileError where XNNPACK has no operator for one of the graph's or would refuse it, or where a number came
    out different.
    """
    check_graph(graph)
    delegate = build_delegate(graph)
    blob = _blob(delegate_schema().encode(delegate.graph))
    named = {**delegate.constants, GRAPH_KEY: graph.digest().encode()}
    data = write_pte(_plan(graph), blob, named)
    problems = differences(graph, data)
    if problems:
        raise CompileError(f"the written .pte differs from its graph: {problems[0]}", hint="report this as a bug")
    return data


def _plan(graph: Graph) -> Mapping[str, Any]:
    size_in, size_out = (
        math.prod(graph.input.shape),
        math.prod(graph.output.shape) * (1 if graph.output.quantization else 4),
    )
    start_out = size_in + -size_in % ALIGNMENT
    return {
        "name": "forward",
        "container_meta_type": {"encoded_inp_str": _INPUTS, "encoded_out_str": _OUTPUT},
        "values": [_value(graph.input, 0), _value(graph.output, start_out)],
        "inputs": [0],
        "outputs": [1],
        "chains": [
            {
                "inputs": [],
                "outputs": [],
                "instructions": [{"instr_args": ("DelegateCall", {"delegate_index": 0, "args": [0, 1]})}],
            }
        ],
        "operators": [],
        "delegates": [{"id": BACKEND, "processed": {"location": "SEGMENT", "index": 1}, "compile_specs": []}],
        "non_const_buffer_sizes": [0, start_out + size_out + -size_out % ALIGNMENT],
    }


def _value(tensor: Tensor, offset: int) -> Mapping[str, Any]:
    sizes = list(runtime_shape(tensor.shape))
    content = {
        "scalar_type": "FLOAT" if tensor.quantization is None else "CHAR",
        "sizes": sizes,
        "dim_order": list(range(len(sizes))),
        "data_buffer_idx": 0,
        "allocation_info": {"memory_id": 1, "memory_offset_low": offset, "memory_offset_high": 0},
        "shape_dynamism": "STATIC",
    }
    return {"val": ("Tensor", content)}


def _blob(flatbuffer: bytes) -> bytes:
    """XNNPACK's header, then its graph; the constants are named data of the file."""
    start = BLOB_HEADER.size + -BLOB_HEADER.size % ALIGNMENT
    padding = bytes(-len(flatbuffer) % ALIGNMENT)
    end = start + len(flatbuffer) + len(padding)
    header = BLOB_HEADER.pack(bytes(4), b"XH00", BLOB_HEADER.size, start, len(flatbuffer), end, 0)
    return header.ljust(start, b"\0") + flatbuffer + padding
