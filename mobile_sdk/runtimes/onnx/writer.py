"""Builds an ONNX model: nodes and constants with names of their own; it declares the graph's tensors by their names.

Format: ONNX, IR version 8 and operator set 17 (`onnx/onnx.proto`). Integers are written as QDQ: an operator between a
DequantizeLinear for each operand and a QuantizeLinear, which ONNX Runtime fuses to one integer kernel. Its kernels on
x86 are fast for uint8 activations with int8 weights, and not for int8 ones, so that a code is stored as `code + 128`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from mobile_sdk.errors import CompileError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Clamp, Graph, Operator, Quantization, Tensor

IR_VERSION, OPERATOR_SET = 8, 17  # of ONNX 1.12: ONNX Runtime 1.12 and later read it
FLOAT32, FLOAT64, INT32 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT32
WHOLE = Quantization(scale=1.0, zero_point=0)
MARK = ":"
"""It stands between the name of a tensor of the graph and what is made for it: `conv:weight`."""


class OnnxWriter:
    """Collects nodes and constants. Tensors have a batch of one; maps are (1, C, H, W), as ONNX's convolutions are.

    `label` is the name of the operator's output in the file while an operator is written: all that is made for it is
    named after it. `is_mixed` tells of layers that are kept in float32 among int8 ones.
    """

    def __init__(self, graph: Graph, description: str) -> None:
        self.label = ""
        self.is_mixed = graph.precision == "mixed"
        self._description = description
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._taken: set[str] = set()
        self._names = file_names(graph)
        self._read: set[str] = set()

    def name(self, tensor: Tensor) -> str:
        """Returns the file's name for a tensor of the graph."""
        return self._names[tensor.name]

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Appends a node of one output and returns that; a name that begins with MARK is put behind the label."""
        target = self._named(output)
        self._nodes.append(helper.make_node(kind, inputs, [target], name=target, **attributes))
        return target

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Adds an initializer and returns its name, which MARK may begin as in `node`."""
        target = self._named(name)
        self._constants[target] = numpy_helper.from_array(np.array(values, order="C"), target)
        return target

    def real(self, tensor: Tensor) -> str:
        """Returns a tensor's float32 values: those of its codes on its own grid."""
        grid = tensor.quantization
        return self.name(tensor) if grid is None else self._read_as(tensor, "real", grid)

    def centred(self, tensor: Tensor) -> str:
        """Returns a tensor's codes less their zero point, in float32."""
        return self._read_as(tensor, "centred", replace(arithmetic.quantization_of(tensor), scale=1.0))

    def uncentred(self, tensor: Tensor) -> str:
        """Returns a tensor's codes in float32."""
        return self._read_as(tensor, "uncentred", WHOLE)

    def dequantized(self, codes: str, output: str, grid: Quantization) -> str:
        """Appends the float32 values of codes, `scale * (code - zero_point)`, and returns their name."""
        return self.node("DequantizeLinear", [codes, *self.grid(output, grid)], output)

    def quantize(self, values: str, output: Tensor, clamp: Clamp = Clamp.NONE) -> None:
        """Ends an operator whose real values become codes: `round(value / scale) + zero_point`, saturated."""
        self.quantized(values, self.name(output), arithmetic.quantization_of(output), clamp)

    def round(self, steps: str, output: Tensor, clamp: Clamp = Clamp.NONE, *, is_centred: bool = True) -> None:
        """Ends an operator whose float32 values are steps of the output: `round(step)`, and the zero point if centred.

        A division by 1 changes nothing.
        """
        grid = arithmetic.quantization_of(output)
        by_steps = replace(grid, scale=1.0) if is_centred else WHOLE
        self._codes(steps, self.name(output), by_steps, _bounds(grid, clamp))

    def quantized(self, values: str, output: str, grid: Quantization, clamp: Clamp) -> str:
        """Appends the codes of float32 values, clamped, and returns their name."""
        return self._codes(values, output, grid, _bounds(grid, clamp))

    def grid(self, target: str, grid: Quantization, *, is_int8: bool = False) -> list[str]:
        """Adds the scale and the zero point of a conversion whose output is `target`, and returns their names.

        `is_int8` says that codes are int8 there, not `stored`.
        """
        whole = self._whole(target)
        zero = np.array(grid.zero_point, np.int8) if is_int8 else stored(grid.zero_point)
        return [self.scalar(f"{whole}{MARK}scale", grid.scale), self.constant(f"{whole}{MARK}zero_point", zero)]

    def scalar(self, name: str, value: float, dtype: type[np.generic] = np.float32) -> str:
        """Adds a constant of one number."""
        return self.constant(name, np.array(value, dtype))

    def give(self, operator: Operator, write: Callable[[str], str]) -> None:
        """Ends a float32 operator: `write` appends the node of the given name, before the operator's clamp."""
        name, clamp = self.name(operator.output), getattr(operator, "clamp", Clamp.NONE)
        if clamp is Clamp.NONE:
            write(name)
            return
        value = write(f"{name}{MARK}unclamped")
        if clamp is Clamp.RELU:
            self.node("Relu", [value], name)
        else:
            ends = [self.scalar(f"{name}{MARK}{end}", bound) for end, bound in zip(_ENDS, clamp.bounds, strict=True)]
            self.node("Clip", [value, *ends], name)

    def reshape(self, source: str, output: str, shape: Iterable[int]) -> str:
        """Appends a Reshape."""
        target = self._whole(output)
        return self.node("Reshape", [source, self.integers(f"{target}{MARK}shape", shape)], target)

    def integers(self, name: str, values: Iterable[int]) -> str:
        """Adds a list of int64, as shapes and axes are."""
        return self.constant(name, np.array(list(values), np.int64))

    def finish(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> ModelProto:
        """Returns the model of everything written, between these value infos."""
        graph = helper.make_graph(self._nodes, "main", inputs, outputs, list(self._constants.values()))
        model: ModelProto = helper.make_model(
            graph,
            producer_name="mobile-sdk",
            doc_string=self._description,
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPERATOR_SET)],
        )
        return model

    def declare(self, name: str) -> None:
        """Takes a name of an input; raises CompileError if something else has it."""
        if name in self._taken:
            raise CompileError(f"expected names that differ, found two of {name}", hint="rename that module")
        self._taken.add(name)

    def _named(self, name: str) -> str:
        whole = self._whole(name)
        self.declare(whole)
        return whole

    def _whole(self, name: str) -> str:
        return f"{self.label}{name}" if name.startswith(MARK) else name

    def _read_as(self, tensor: Tensor, what: str, grid: Quantization) -> str:
        target = f"{self.name(tensor)}{MARK}{what}"
        if target not in self._read:
            self._read.add(self.dequantized(self.name(tensor), target, grid))
        return target

    def _codes(self, values: str, output: str, grid: Quantization, bounds: tuple[int, int]) -> str:
        """Appends a QuantizeLinear, which saturates, and a Clip if the bounds are within that."""
        name = self._whole(output)
        is_clamped = bounds != (INT8_MIN, INT8_MAX)
        target = f"{name}{MARK}unclamped" if is_clamped else name
        self.node("QuantizeLinear", [values, *self.grid(target, grid)], target)
        if is_clamped:
            ends = [self.constant(f"{name}{MARK}{end}", stored(at)) for end, at in zip(_ENDS, bounds, strict=True)]
            self.node("Clip", [target, *ends], name)
        return name


_ENDS = ("low", "high")


def _bounds(grid: Quantization, clamp: Clamp) -> tuple[int, int]:
    low, high = arithmetic.clamp_range(grid, clamp)
    return low + grid.zero_point, high + grid.zero_point


def stored(codes: NDArray[np.integer] | int) -> NDArray[np.uint8]:
    """Returns int8 codes as the file holds those of activations, `code + 128`."""
    return (np.asarray(codes, np.int64) - INT8_MIN).astype(np.uint8)


def pads(padding: tuple[int, int, int, int]) -> list[int]:
    """Returns (top, bottom, left, right) in ONNX's order."""
    top, bottom, left, right = padding
    return [top, left, bottom, right]


def file_names(graph: Graph) -> dict[str, str]:
    """Returns each tensor's name in the file: that of an output is its own only if the file gives it as it is."""
    given = dict(zip((output.name for output in graph.outputs), graph.output_names, strict=True))
    changed = {output.name for output in graph.outputs if output.quantization or len(output.shape) == 3}
    taken = set(given.values()) if graph.reads_picture else {*given.values(), graph.input.name}
    names = {}
    for tensor in (graph.input, *(operator.output for operator in graph.operators)):
        is_given = tensor.name in given and tensor.name not in changed
        own = f"{tensor.name}{MARK}own" if tensor.name in taken else tensor.name
        names[tensor.name] = given[tensor.name] if is_given else own
    return names
