"""Computes the memory of a graph's activations: MobileNetV2, arXiv 1801.04381, section 5.1.

It leaves out weights and a runtime's own memory; an operator's own working memory, the paper's `|op|`, is 0.
"""

import math
from dataclasses import dataclass

from mobile_sdk.graph.operators import Graph, Operator, Tensor


@dataclass(frozen=True, kw_only=True)
class OperatorMemory:
    """Holds the bytes of tensors while one operator runs: those it reads and writes, and all that are alive."""

    output: str
    path: str
    kind: str
    own_bytes: int
    live_bytes: int


def tensor_bytes(tensor: Tensor) -> int:
    """Returns the bytes of a tensor: one an int8 value, four a float32."""
    return math.prod(tensor.shape) * (1 if tensor.quantization is not None else 4)


def operand_tensors(operator: Operator) -> dict[str, Tensor]:
    """Returns the tensors that the operator reads, each once, by name."""
    return {operand.name: operand for operand in operator.inputs if isinstance(operand, Tensor)}


def own_bytes(operator: Operator) -> int:
    """Returns the bytes that the operator reads and writes."""
    return sum(map(tensor_bytes, operand_tensors(operator).values())) + tensor_bytes(operator.output)


def least_bytes(graph: Graph, kinds: tuple[type[Operator], ...] = (Operator,)) -> int:
    """Returns equation (2): the most bytes that any operator (of `kinds`) reads and writes; no order needs less."""
    return max(own_bytes(operator) for operator in graph.operators if isinstance(operator, kinds))


def block_of(path: str) -> str:
    """Returns the block that a module path belongs to: its first two names, such as `features.3`."""
    return ".".join(path.split(".")[:2])


def block_bytes(graph: Graph) -> dict[str, int]:
    """Returns equation (2) with blocks as operators whose inner tensors are disposable: bytes in and out by block."""
    produced = {graph.input.name: ""}
    blocks: dict[str, dict[str, Tensor]] = {}
    for operator in graph.operators:
        block = block_of(operator.path)
        crossing = blocks.setdefault(block, {})
        for name, tensor in operand_tensors(operator).items():
            if produced[name] != block:
                crossing[name] = tensor
                blocks.get(produced[name], {})[name] = tensor
        produced[operator.output.name] = block
    for output in graph.outputs:
        blocks[produced[output.name]][output.name] = output
    return {block: sum(map(tensor_bytes, crossing.values())) for block, crossing in blocks.items()}


def operator_memory(graph: Graph) -> tuple[OperatorMemory, ...]:
    """Returns a row for each operator, in the graph's order; the picture is alive until its last reader is done.

    Outputs are alive to the end.
    """
    alive = {graph.input.name: tensor_bytes(graph.input)}
    last = last_uses(graph)
    rows = []
    for index, operator in enumerate(graph.operators):
        alive[operator.output.name] = tensor_bytes(operator.output)
        rows.append(
            OperatorMemory(
                output=operator.output.name,
                path=operator.path,
                kind=type(operator).__name__,
                own_bytes=own_bytes(operator),
                live_bytes=sum(alive.values()),
            )
        )
        for name in operand_tensors(operator):
            if last.get(name) == index:
                del alive[name]
    return tuple(rows)


def peak_bytes(graph: Graph) -> int:
    """Returns the most bytes alive at once when the operators run in the graph's order."""
    return max(row.live_bytes for row in operator_memory(graph))


def last_uses(graph: Graph) -> dict[str, int]:
    """Returns tensor name → the position of its last reader; outputs have none, as they are alive to the end."""
    last = {name: index for index, operator in enumerate(graph.operators) for name in operand_tensors(operator)}
    kept = {output.name for output in graph.outputs}
    return {name: index for name, index in last.items() if name not in kept}
