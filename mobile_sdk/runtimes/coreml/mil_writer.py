"""Writes one operator's MIL operations: it holds coremltools' builder, the results so far, and its own names."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import (
    INT8_MAX,
    INT8_MIN,
    Clamp,
    Constant,
    ConstantTensor,
    Graph,
    Quantization,
    Tensor,
)

IMAGE, ARRAY = "image", "array"
"""These are the names of inputs, of pictures that Core ML takes as such and of all others."""
COLOURS: Mapping[int, str] = {1: "GRAYSCALE", 3: "RGB"}
"""It maps the channels of pictures that Core ML takes as such to Core ML's name for them."""
SCORES = "scores"
CHANNELS_LAST = [0, 2, 3, 1]
INPUT_LABEL = "input"
MOST_AXES = 5  # of a tensor of an ML program
CLAMPS = {Clamp.RELU: "relu", Clamp.RELU6: "relu6"}


def mil_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape in the file: a batch of one in front, where MIL's tensors have an axis left for it."""
    return (1, *shape) if len(shape) < MOST_AXES else shape


def mil_axis(shape: tuple[int, ...], axis: int) -> int:
    """Returns which axis of `mil_shape(shape)` is the axis of `shape`."""
    return axis + len(mil_shape(shape)) - len(shape)


def labels(graph: Graph) -> tuple[str, ...]:
    """Returns the name of each operator's result in the file: its place in the graph and its tensor's name."""
    return tuple(
        f"op{index:03d}_{re.sub('[^A-Za-z0-9_]', '_', operator.output.name)}"
        for index, operator in enumerate(graph.operators)
    )


def output_names(graph: Graph) -> tuple[str, ...]:
    """Returns the outputs' names in the file: identifiers like those of the heads, or SCORES without heads."""
    names: list[str] = []
    for head in graph.heads:
        name = re.sub("[^A-Za-z0-9_]", "_", head.name)
        if name in (IMAGE, INPUT_LABEL, *names) or re.match("op[0-9]|[0-9]", name):
            name = f"output_{len(names)}_{name}"
        names.append(name)
    return tuple(names) or (SCORES,)


class MilWriter:
    """Emits the MIL operations of one operator; every number is written as float32 or int8.

    `output` is the file's name for the operator's result if the file gives it; `given` is then what it gives. Other
    operators read the result unless `is_read` is false. `codes_are_centred` is false in a float32 graph, whose
    picture's codes are int8 as they are. `holds_four_bits` says whether the target knows constants of 4 bits.
    """

    smallest = float(np.finfo(np.float32).tiny)  # number that is not flushed to zero

    def __init__(
        self,
        mil: Any,
        results: Mapping[str, Any],
        label: str,
        *,
        output: str | None = None,
        is_read: bool = True,
        codes_are_centred: bool = True,
        holds_four_bits: bool = False,
    ) -> None:
        self.mil = mil
        self.label = label
        self.holds_four_bits = holds_four_bits
        self.codes_are_centred = codes_are_centred
        self.given: Any = None
        self._output, self._is_read = output, is_read
        self._results = results

    def read(self, tensor: Tensor) -> Any:
        """Returns a tensor's result in the file: float32, the centred codes in an int8 graph."""
        return self._results[tensor.name]

    def real(self, tensor: Tensor, suffix: str = "") -> Any:
        """Returns a tensor's real values, of codes by a product with their scale, or a dequantization."""
        grid = tensor.quantization
        if grid is None:
            return self.read(tensor)
        if self.codes_are_centred:
            return self.mul(self.read(tensor), np.float32(grid.scale), suffix)
        return self.dequantize(self.read(tensor), grid, self.label + suffix)

    def number(self, value: Any) -> Any:
        """Returns a number or an array of the type in which real values are computed."""
        return np.float32(value)

    def operand(self, b: Tensor | Constant) -> Any:
        """Returns the real values of an operand: a result, or a number."""
        if isinstance(b, Tensor):
            return self.read(b)
        return self.number(_real(b.value, b.quantization))

    def dequantized(self, constant: ConstantTensor) -> Any:
        """Returns the real values of a constant tensor."""
        return self.number(_real(constant.values, constant.output.quantization))

    def widened(self, value: Any, suffix: str) -> Any:
        """Returns real values in float32, as which they are computed here."""
        return value

    def mul(self, x: Any, y: Any, suffix: str = "") -> Any:
        """Writes `x * y`, each a result or a number."""
        return self.mil.mul(x=x, y=y, name=self.label + suffix)

    def add(self, x: Any, y: Any, suffix: str = "") -> Any:
        """Writes `x + y`, each a result or a number."""
        return self.mil.add(x=x, y=y, name=self.label + suffix)

    def codes(
        self, value: Any, output: Tensor, clamp: Clamp = Clamp.NONE, *, step: float = 1.0, is_centred: bool = True
    ) -> Any:
        """Ends an int8 operator: writes `value`, of which `step` is one step of the output, as int8 codes and back.

        The zero point is in `value` already if it is not centred.
        """
        grid = arithmetic.quantization_of(output)
        low, high = arithmetic.clamp_range(grid, clamp)
        zero_point = grid.zero_point if is_centred else 0
        shift = grid.zero_point - zero_point
        if (low, high) != (INT8_MIN - grid.zero_point, INT8_MAX - grid.zero_point):
            bounds = {"alpha": np.float32((low + shift) * step), "beta": np.float32((high + shift) * step)}
            value = self.mil.clip(x=value, **bounds, name=f"{self.label}_clamp")
        return self.centre(self.quantize(value, step, zero_point), output)

    def values(self, value: Any, clamp: Clamp = Clamp.NONE) -> Any:
        """Ends a float32 operator: writes its clamp, and what the file gives of it, if it is an output."""
        if clamp is not Clamp.NONE:
            value = getattr(self.mil, CLAMPS[clamp])(x=value, name=f"{self.label}_clamp")
        if self._output is not None:
            is_map = len(value.shape) == 4
            self.given = self._channels_last(value) if is_map else self.mil.identity(x=value, name=self._output)
        return value

    def quantize(self, value: Any, scale: float | NDArray[np.float32], zero_point: int, *, axis: int = 0) -> Any:
        """Writes `round(value / scale) + zero_point`, saturated to int8; a vector of scales lies along an axis."""
        grid: dict[str, Any] = {"scale": self.number(scale), "zero_point": np.int8(zero_point)}
        if isinstance(scale, np.ndarray):
            grid = {"scale": scale, "zero_point": np.full(len(scale), zero_point, np.int8), "axis": np.int32(axis)}
        return self.mil.quantize(input=value, **grid, output_dtype="int8", name=f"{self.label}_code")

    def centre(self, code: Any, output: Tensor) -> Any:
        """Writes codes less their zero point, in float32, and the real values that the file gives of an output."""
        grid = arithmetic.quantization_of(output)
        if self._output is not None and len(output.shape) == 3:
            self.given = self._channels_last(self.dequantize(code, grid, f"{self.label}_values"))
        elif self._output is not None:
            self.given = self.dequantize(code, grid, self._output)
        if not self._is_read:
            return self.given
        return self.dequantize(code, Quantization(scale=1.0, zero_point=grid.zero_point), f"{self.label}_centred")

    def _channels_last(self, values: Any) -> Any:
        """Writes an output map (1, C, H, W) as (1, H, W, C), as the other runtimes have it."""
        return self.mil.transpose(x=values, perm=CHANNELS_LAST, name=self._output)

    def dequantize(self, code: Any, grid: Quantization, name: str) -> Any:
        """Writes `scale * (code - zero_point)`, as real values are computed."""
        scale, zero_point = self.number(grid.scale), np.int8(grid.zero_point)
        return self.mil.dequantize(input=code, scale=scale, zero_point=zero_point, name=name)


def input_name(graph: Graph) -> str:
    """Returns the name of the input."""
    return ARRAY if colours_of(graph) is None else IMAGE


def colours_of(graph: Graph) -> str | None:
    """Returns Core ML's name for the colours of the picture that it takes as such; None if it takes an array."""
    return COLOURS.get(graph.input.shape[0]) if graph.reads_picture else None


def _real(codes: Any, grid: Quantization | None) -> Any:
    return codes if grid is None else (np.float64(codes) - grid.zero_point) * grid.scale


def write_input(mil: Any, values: Any, graph: Graph) -> Any:
    """Writes a picture's bytes as codes, `byte - 128`, an array's codes as they are.

    They are int8 for a float32 graph, which begins with Dequantize, else centred.
    """
    file = MilWriter(mil, {}, INPUT_LABEL)
    code = file.quantize(values, 1.0, INT8_MIN if graph.reads_picture else 0)
    return code if graph.precision == "float32" else file.centre(code, graph.input)
