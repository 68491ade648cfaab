"""Keeps XNNPACK from fusing exactly ten nodes into a table, where its own memory ends and ExecuTorch's build aborts.

XNNPACK fuses a run of functions of one number, each with a single reader, into a table of 256 codes. It takes ten nodes
at most, less those after the last 8-bit value (`src/subgraph.c`, `xnn_subgraph_fuse_unary_quantized_into_lut`). The
table comes of a copy of the run, which holds ten nodes; a full copy cannot grow, as it has to. A product with one in
a function's float32 part makes such a run eleven nodes long, so that fewer are fused.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from mobile_sdk.graph.operators import Add, Constant, Graph, Mul, Operator, Sub, Tensor, UnaryFunction

MOST_NODES = 10  # XNN_MAX_UNARY_FUSION_NODES


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Holds the values that the nodes of a run may read, how many nodes it has, and its last function."""

    values: frozenset[str]
    nodes: int
    function: str | None


def idle_functions(graph: Graph, nodes_of: Callable[[UnaryFunction], int]) -> frozenset[str]:
    """Returns the functions, by their outputs, to which an idle node is added so that no run has ten nodes.

    `nodes_of` counts the nodes that a function is written as.
    """
    idle: frozenset[str] = frozenset()
    while (found := _full_run(graph, nodes_of, idle)) is not None:
        idle |= {found}
    return idle


def _full_run(graph: Graph, nodes_of: Callable[[UnaryFunction], int], idle: frozenset[str]) -> str | None:
    """Returns the last function of the first run of ten nodes that has a function without an idle node."""
    readers = Counter(x.name for operator in graph.operators for x in operator.inputs if isinstance(x, Tensor))
    runs: dict[str, _Run] = {}
    for operator in graph.operators:
        nodes = 1
        if isinstance(operator, UnaryFunction):
            nodes = nodes_of(operator) + (operator.output.name in idle)
        run = _continued(operator, runs, readers, nodes)
        if run is None:
            continue
        if run.nodes == MOST_NODES and run.function is not None and run.function not in idle:
            return run.function
        runs[operator.output.name] = run
    return None


def _continued(operator: Operator, runs: dict[str, _Run], readers: Counter[str], nodes: int) -> _Run | None:
    """Returns the run that ends with the operator; None if XNNPACK fuses no such operator."""
    if not isinstance(operator, UnaryFunction | Add | Sub | Mul) or operator.output.quantization is None:
        return None
    tensors = {x.name for x in operator.inputs if isinstance(x, Tensor)}
    own = operator.output.name if isinstance(operator, UnaryFunction) else None
    for name in sorted(tensors):
        run = runs.get(name)
        if run is None or readers[name] != 1 or not tensors <= run.values | {name}:
            continue
        if run.nodes + nodes <= MOST_NODES:
            values = run.values | {operator.output.name}
            return _Run(values=values, nodes=run.nodes + nodes, function=own or run.function)
    is_unary = len(tensors) == 1 and (own is not None or any(isinstance(x, Constant) for x in operator.inputs))
    is_square = len(tensors) == 1 and len(operator.inputs) == 2
    if not (is_unary or is_square):
        return None
    return _Run(values=frozenset(tensors | {operator.output.name}), nodes=nodes, function=own)
