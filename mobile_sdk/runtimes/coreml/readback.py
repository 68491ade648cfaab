"""Proof that a saved program holds the graph's numbers: every code, bias, factor and zero point is read back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.arithmetic import quantization_of
from mobile_sdk.graph.operators import Constant, Conv2d, Graph, Linear, Operator
from mobile_sdk.runtimes.coreml.expected_numbers import Expected, expected_operations
from mobile_sdk.runtimes.coreml.operators.mil_builder import INPUT_LABEL, labels
from mobile_sdk.runtimes.coreml.package.program_file import MilOperation, MilProgram


def check_copied(graph: Graph, program: MilProgram) -> None:
    """Raises CompileError at the first number in the file that is not the graph's, naming operator and module path.

    An int8 or mixed graph's file must hold the operations that its operators stand for and no other, so that nothing
    was merged, dropped or put in between; of a float32 graph's the kinds that matter are counted.
    """
    saved = _Saved(program)
    saved.expect_equal("user-defined metadata", "graph_digest", program.metadata.get("graph_digest"), graph.digest())
    if graph.precision != "float32":
        expected = tuple(expected_operations(graph))
        for operation in expected:
            saved.expect(operation)
        saved.expect_no_others({operation.name for operation in expected})
    else:
        _check_float(graph, program, saved)


class _Saved:
    """The saved operations by the name of their result."""

    def __init__(self, program: MilProgram) -> None:
        self._operations: Mapping[str, MilOperation] = {item.output: item for item in program.operations}

    def expect(self, expected: Expected) -> None:
        operation = self._operations.get(expected.name)
        if operation is None or operation.kind != expected.kind:
            found = "nothing" if operation is None else operation.kind
            raise _unequal(expected.path, f"the operation {expected.name}", found, expected.kind)
        for parameter, number in expected.numbers.items():
            found_number = self.value(expected.name, parameter, expected.path)
            self.expect_equal(expected.path, f"{parameter} of {expected.name}", found_number, number)

    def expect_no_others(self, names: set[str]) -> None:
        for name, operation in self._operations.items():
            if operation.kind != "const" and name not in names:
                raise _unequal("the whole program", f"the operation {name}", operation.kind, "absent")

    def value(self, name: str, parameter: str, path: str) -> Any:
        operation = self._operations.get(name)
        if operation is None or parameter not in operation.values:
            raise _unequal(path, f"{parameter} of {name}", "nothing", "a constant")
        return operation.values[parameter]

    def expect_equal(self, path: str, what: str, found: Any, expected: Any) -> None:
        """Of equal shape and value; and of equal type, but that float64 stands for a float32 that must hold it."""
        found, expected = np.asarray(found), np.asarray(expected)
        stored = np.dtype(np.float32) if expected.dtype == np.float64 else expected.dtype
        if found.dtype != stored or not np.array_equal(found, expected):
            raise _unequal(path, what, _brief(found), _brief(expected))


def _check_float(graph: Graph, program: MilProgram, saved: _Saved) -> None:
    grid, first = quantization_of(graph.input), labels(graph)[0]
    code, path = f"{INPUT_LABEL}_code", "the input"
    saved.expect(Expected(name=code, kind="quantize", path=path, numbers=_grid(1.0, -128)))
    saved.expect(Expected(name=first, kind="dequantize", path=path, numbers=_grid(grid.scale, grid.zero_point)))
    for label, operator in zip(labels(graph), graph.operators, strict=True):
        path = operator.path
        if isinstance(operator, Conv2d | Linear):
            weight, bias = (np.asarray(array, np.float32) for array in (operator.weight, operator.bias))
            saved.expect_equal(path, f"{label}_weight", saved.value(f"{label}_weight", "val", path), weight)
            saved.expect_equal(path, f"bias of {label}", saved.value(label, "bias", path), bias)
        for constant in operator.inputs:
            if isinstance(constant, Constant):
                found = saved.value(label, "y", path)
                saved.expect_equal(path, f"constant {constant.name}", found, np.float32(constant.value))
    _check_kinds(graph, program)


def _grid(scale: float, zero_point: int) -> dict[str, Any]:
    return {"scale": np.float32(scale), "zero_point": np.int8(zero_point)}


def _check_kinds(graph: Graph, program: MilProgram) -> None:
    kinds = [operation.kind for operation in program.operations]
    expected = {
        "quantize": 1,
        "dequantize": 1,
        "conv": _count(graph.operators, Conv2d),
        "linear": _count(graph.operators, Linear),
        "cast": 0,
    }
    for kind, count in expected.items():
        if kinds.count(kind) != count:
            raise _unequal("the whole program", f"operations {kind}", str(kinds.count(kind)), str(count))


def _count(operators: tuple[Operator, ...], kind: type[Operator]) -> int:
    return sum(isinstance(operator, kind) for operator in operators)


def _brief(array: NDArray[Any]) -> str:
    return str(array) if array.size == 1 else f"{array.dtype} {array.shape}"


def _unequal(path: str, what: str, found: str, expected: str) -> CompileError:
    return CompileError(
        f"expected {what} at {path} to be {expected} in the saved program, found {found}",
        hint="use coremltools 9.0; if a bias is named, its int32 code must be one that float32 holds",
    )
