"""Proof that a saved program holds the graph's numbers: every scale, zero point, weight and bias is read back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import CompileError
from mobile_sdk.integer_graph import Constant, Conv2d, Graph, Linear, Operator, Quantization
from mobile_sdk.runtimes.coreml.mil_writer import INPUT_LABEL, SCORES, labels, real_value
from mobile_sdk.runtimes.coreml.program_file import MilOperation, MilProgram


def check_copied(graph: Graph, program: MilProgram) -> None:
    """Raises CompileError at the first number in the file that is not the graph's, naming operator and module path."""
    saved = _Saved(program)
    saved.expect_equal("user-defined metadata", "graph_digest", program.metadata.get("graph_digest"), graph.digest())
    assert graph.input.quantization is not None
    saved.expect_grid(f"{INPUT_LABEL}_code", Quantization(scale=1.0, zero_point=-128), "the input")
    input_label = f"{INPUT_LABEL}_real" if graph.is_int8 else labels(graph)[0]
    saved.expect_grid(input_label, graph.input.quantization, "the input")
    for label, operator in zip(labels(graph), graph.operators, strict=True):
        is_last = operator is graph.operators[-1]
        if operator.output.quantization is not None:
            saved.expect_grid(f"{label}_code", operator.output.quantization, operator.path)
            saved.expect_grid(SCORES if is_last else f"{label}_real", operator.output.quantization, operator.path)
        if isinstance(operator, Conv2d | Linear):
            _check_weighted(saved, label, operator)
        for constant in operator.inputs:
            if isinstance(constant, Constant):
                found = saved.value(label, "y", operator.path)
                saved.expect_equal(operator.path, f"constant {constant.name}", found, np.asarray(real_value(constant)))
    _check_no_strangers(graph, program)


class _Saved:
    """The saved operations by the name of their result."""

    def __init__(self, program: MilProgram) -> None:
        self._operations: Mapping[str, MilOperation] = {item.output: item for item in program.operations}

    def value(self, name: str, parameter: str, path: str) -> Any:
        operation = self._operations.get(name)
        if operation is None or parameter not in operation.values:
            raise _unequal(path, f"{parameter} of {name}", "nothing", "a constant")
        return operation.values[parameter]

    def constant(self, name: str, path: str) -> Any:
        return self.value(name, "val", path)

    def expect_grid(self, name: str, grid: Quantization, path: str) -> None:
        self.expect_equal(path, f"scale of {name}", self.value(name, "scale", path), np.float32(grid.scale))
        self.expect_equal(path, f"zero point of {name}", self.value(name, "zero_point", path), np.int8(grid.zero_point))

    def expect_equal(self, path: str, what: str, found: Any, expected: Any) -> None:
        found, expected = np.asarray(found), np.asarray(expected)
        if found.dtype != expected.dtype or not np.array_equal(found, expected):
            raise _unequal(path, what, _brief(found), _brief(expected))


def _check_weighted(saved: _Saved, label: str, operator: Conv2d | Linear) -> None:
    path, weight, bias = operator.path, f"{label}_weight", saved.value(label, "bias", operator.path)
    if operator.weight_scales is None:
        saved.expect_equal(path, weight, saved.constant(weight, path), np.asarray(operator.weight, np.float32))
        saved.expect_equal(path, f"bias of {label}", bias, np.asarray(operator.bias, np.float32))
        return
    assert operator.input.quantization is not None
    saved.expect_equal(path, weight, saved.value(weight, "quantized_data", path), operator.weight)
    saved.expect_equal(path, f"scale of {weight}", saved.value(weight, "scale", path), operator.weight_scales)
    saved.expect_equal(path, f"zero point of {weight}", saved.value(weight, "zero_point", path), np.int8(0))
    steps = np.float32(operator.input.quantization.scale) * operator.weight_scales
    saved.expect_equal(path, f"bias of {label} in int32", _codes(bias, steps), operator.bias.astype(np.int64))


def _codes(bias: NDArray[np.float32], steps: NDArray[np.float32]) -> NDArray[np.int64]:
    """Which int32 codes float32 biases stand for; recovered exactly as long as these lie below 2^23."""
    return np.rint(bias.astype(np.float64) / steps.astype(np.float64)).astype(np.int64)


def _check_no_strangers(graph: Graph, program: MilProgram) -> None:
    """Counts what a merging or inserting pass would change: one quantize an int8 tensor, one weight an operator."""
    kinds = [operation.kind for operation in program.operations]
    tensors = 1 + (len(graph.operators) if graph.is_int8 else 0)
    convolutions = _count(graph.operators, Conv2d)
    weighted = convolutions + _count(graph.operators, Linear)
    expected = {
        "quantize": tensors,
        "dequantize": tensors,
        "conv": convolutions,
        "linear": weighted - convolutions,
        "constexpr_affine_dequantize": weighted if graph.is_int8 else 0,
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
        hint="use coremltools 9.0; if a bias is named, its int32 code must lie below 2^23",
    )
