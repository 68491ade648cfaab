"""Describes a graph's `.pte` by the dictionaries that its schemas encode, without a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mobile_sdk.graph.checks.limits import check_graph
from mobile_sdk.graph.operators import Graph, Tensor
from mobile_sdk.memory.usage import tensor_bytes
from mobile_sdk.runtimes.executorch.delegate import build_delegate
from mobile_sdk.runtimes.executorch.delegate_blob import ALIGNMENT
from mobile_sdk.runtimes.executorch.node_writer import Delegate
from mobile_sdk.runtimes.shapes import runtime_shape

BACKEND = "XnnpackBackend"
GRAPH_KEY = "mobile_sdk.graph"  # the digest of the graph that was written, among the named data

# The calling convention that torch's pytree writes for `forward(picture)`, which returns a tensor, or a tuple of them.
_INPUTS = (
    '[1, {"type": "builtins.tuple", "context": "null", "children_spec": ['
    '{"type": "builtins.tuple", "context": "null", "children_spec": ['
    '{"type": null, "context": null, "children_spec": []}]}, '
    '{"type": "builtins.dict", "context": "[]", "children_spec": []}]}]'
)
_TENSOR = '{"type": null, "context": null, "children_spec": []}'
_TUPLE = '{"type": "builtins.tuple", "context": "null", "children_spec": [%s]}'


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
    values, end = [], 0
    for tensor in (graph.input, *graph.outputs):
        values.append(_value(tensor, end))
        end += tensor_bytes(tensor)
        end += -end % ALIGNMENT
    arguments = list(range(len(values)))
    given = _TUPLE % ", ".join([_TENSOR] * len(graph.outputs)) if len(graph.outputs) > 1 else _TENSOR
    return {
        "name": "forward",
        "container_meta_type": {"encoded_inp_str": _INPUTS, "encoded_out_str": f"[1, {given}]"},
        "values": values,
        "inputs": [0],
        "outputs": arguments[1:],
        "chains": [
            {
                "inputs": [],
                "outputs": [],
                "instructions": [{"instr_args": ("DelegateCall", {"delegate_index": 0, "args": arguments})}],
            }
        ],
        "operators": [],
        "delegates": [{"id": BACKEND, "processed": {"location": "SEGMENT", "index": 1}, "compile_specs": []}],
        "non_const_buffer_sizes": [0, end],
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
