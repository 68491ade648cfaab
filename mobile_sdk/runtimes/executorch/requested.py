"""Describes a graph's `.pte` by the dictionaries that its schemas encode, without a file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mobile_sdk.graph.limits import check_graph
from mobile_sdk.graph.operators import Graph, Tensor
from mobile_sdk.runtimes.executorch.delegate import build_delegate
from mobile_sdk.runtimes.executorch.delegate_blob import ALIGNMENT
from mobile_sdk.runtimes.executorch.node_writer import Delegate
from mobile_sdk.runtimes.shapes import runtime_shape

BACKEND = "XnnpackBackend"
GRAPH_KEY = "mobile_sdk.graph"  # the digest of the graph that was written, among the named data

# The calling convention that torch's pytree writes for `forward(picture) -> scores`.
_INPUTS = (
    '[1, {"type": "builtins.tuple", "context": "null", "children_spec": ['
    '{"type": "builtins.tuple", "context": "null", "children_spec": ['
    '{"type": null, "context": null, "children_spec": []}]}, '
    '{"type": "builtins.dict", "context": "[]", "children_spec": []}]}]'
)
_OUTPUT = '[1, {"type": null, "context": null, "children_spec": []}]'


@dataclass(frozen=True, kw_only=True, eq=False)
class Requested:
    """Holds the requested content of a graph's file, in the terms of ExecuTorch's schemas."""

    graph: Graph
    plan: Mapping[str, Any]
    delegate: Delegate

    @property
    def named(self) -> Mapping[str, bytes]:
        """Returns the data that the file names: constants, and the digest of the graph."""
        return {**self.delegate.constants, GRAPH_KEY: self.graph.digest().encode()}


def request(graph: Graph) -> Requested:
    """Returns the request for `graph`; raises CompileError if XNNPACK has no such operator or refuses it."""
    check_graph(graph)
    return Requested(graph=graph, plan=_plan(graph), delegate=build_delegate(graph))


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
