"""Describes a Core AI program as plain data: what is requested for a graph, and what a file holds.

Format: an `.aimodel` folder holds `main.mlirb`, MLIR bytecode of Apple's dialect `coreai`, its SHA-256 and a
`metadata.json`. Operations are named as the dialect names them, without `coreai.` and `decomposable.` before it. A
constant belongs to every operation that takes it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
MOST_STATED = 8  # values of a constant, beyond which a digest stands for them


@dataclass(frozen=True)
class Ref:
    """Refers to the result of the operation of that number, or to the input, -1."""

    index: int


INPUT = Ref(-1)
Operand = Ref | NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """Takes `operands` in the dialect's order. `dtype` and `shape` are its result's; `path` is the user's module.

    `modes` are attributes, without their type: {"padding_mode": "constant"}.
    """

    kind: str
    operands: tuple[Operand, ...]
    dtype: str
    shape: Shape
    path: str
    modes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class End:
    """Describes a tensor that the program takes or gives."""

    name: str
    dtype: str
    shape: Shape


@dataclass(frozen=True, kw_only=True, eq=False)
class CoreAIProgram:
    """Holds the one function of a model; `outputs` says which results it gives."""

    inputs: tuple[End, ...]
    outputs: tuple[tuple[End, Operand], ...]
    operations: tuple[Operation, ...]

    def plain(self) -> dict[str, Any]:
        """Returns everything as JSON has it; constants by type, shape, and values or digest."""
        return {
            "inputs": [_end(each) for each in self.inputs],
            "outputs": [{**_end(end), "source": _operand(source)} for end, source in self.outputs],
            "operations": [_operation(each) for each in self.operations],
        }


def _end(end: End) -> dict[str, Any]:
    return {"name": end.name, "dtype": end.dtype, "shape": list(end.shape)}


def _operation(operation: Operation) -> dict[str, Any]:
    return {
        "kind": operation.kind,
        "operands": [_operand(each) for each in operation.operands],
        "dtype": operation.dtype,
        "shape": list(operation.shape),
        "modes": dict(operation.modes),
        "path": operation.path,
    }


def _operand(operand: Operand) -> dict[str, Any]:
    if isinstance(operand, Ref):
        return {"from": operand.index}
    few = {"values": _stated(operand)} if operand.size <= MOST_STATED else {}
    digest = hashlib.sha256(np.ascontiguousarray(operand).tobytes()).hexdigest()
    return {"dtype": operand.dtype.name, "shape": list(operand.shape), **few, "sha256": digest}


def _stated(values: NDArray[Any]) -> Sequence[str]:
    return [str(each) for each in values.reshape(-1).tolist()]
