"""Collects a graph's operations for Core AI, before any of Apple's code sees them.

Between two operators an int8 tensor is its codes. Operators that compute read them in float32: centred, as whole
numbers that float32 holds, or as the real values of sums that are settled. Everything is rounded in `quantize`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import INT8_MAX, INT8_MIN, Clamp, Graph, Operator, Quantization, Tensor
from mobile_sdk.runtimes.coreai.program import INPUT, CoreAIProgram, End, Operand, Operation, Ref, Shape

FLOAT32, INT32, INT8 = "float32", "int32", "int8"
_WHOLE = {"add": np.add, "sub": np.subtract, "mul": np.multiply}
_EITHER_ORDER = frozenset({"add", "mul", "maximum", "minimum"})
_LOWEST = float(np.finfo(np.float32).min)
CHANNELS_FIRST, CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


class CoreAIWriter:
    """Appends operations. Tensors have a batch of one in front; maps are (1, C, H, W), as convolutions are.

    `path` is the module of the operator that is being written. What is written twice is there once, as Apple's compiler
    would have it. `is_mixed` tells of layers that are kept in float32 among int8 ones.
    """

    def __init__(self, graph: Graph) -> None:
        self.path = "the input"
        self.is_mixed = graph.precision == "mixed"
        self._operations: list[Operation] = []
        self._known: dict[Any, Ref] = {}
        self._results: dict[str, Operand] = {}
        self._forms: dict[Ref, tuple[Shape, str]] = {}

    def operation(
        self, kind: str, operands: Sequence[Operand | int | float], shape: Iterable[int], dtype: str, **modes: str
    ) -> Ref:
        """Appends an operation, whose result has that shape and type, and returns the result.

        A plain number among the operands is a float32 scalar.
        """
        taken = tuple(each if isinstance(each, Ref | np.ndarray) else np.array(each, np.float32) for each in operands)
        form = tuple(shape)
        key = (kind, tuple(map(_identity, taken)), dtype, form, tuple(modes.items()))
        if key not in self._known:
            self._operations.append(
                Operation(kind=kind, operands=taken, dtype=dtype, shape=form, path=self.path, modes=modes)
            )
            self._known[key] = Ref(len(self._operations) - 1)
            self._forms[self._known[key]] = form, dtype
        return self._known[key]

    def take(self, name: str, dtype: str, shape: Shape) -> End:
        """Declares the input and returns its description; its values are INPUT."""
        self._forms[INPUT] = shape, dtype
        return End(name=name, dtype=dtype, shape=shape)

    def give(self, tensor: Tensor, result: Operand) -> None:
        """Says which result is the tensor's: codes, or float32 values."""
        self._results[tensor.name] = result

    def code(self, tensor: Tensor) -> Operand:
        """Returns a tensor as the file holds it: int8 codes, or float32 values of a tensor without a grid."""
        return self._results[tensor.name]

    def real(self, tensor: Tensor) -> Operand:
        """Returns a tensor's float32 values."""
        grid = tensor.quantization
        return self.code(tensor) if grid is None else self.scaled(tensor, grid.scale)

    def centred(self, tensor: Tensor) -> Ref:
        """Returns a tensor's codes less their zero point, in float32."""
        return self.scaled(tensor, 1.0)

    def scaled(self, tensor: Tensor, scale: float, offset: float = 0.0) -> Ref:
        """Returns `scale * (code - zero_point) + offset`, in float32."""
        zero_point = arithmetic.quantization_of(tensor).zero_point
        source = self.code(tensor)
        shape = self.shape(source)
        operands = [source, scale, np.array(zero_point, np.int8), offset, _all_axes(shape)]
        return self.operation("dequantize", operands, shape, FLOAT32)

    def integers(self, tensor: Tensor) -> Operand:
        """Returns a tensor's codes as int32."""
        return self.cast(self.code(tensor), INT32)

    def cast(self, value: Operand, dtype: str) -> Operand:
        """Appends a conversion of numbers, and makes that of a constant; none rounds."""
        if not isinstance(value, Ref):
            return value.astype(dtype)
        return self.operation("cast", [value], self.shape(value), dtype)

    def binary(self, kind: str, a: Operand | float, b: Operand | float, dtype: str = FLOAT32) -> Operand:
        """Appends `broadcasting_<kind>` of two operands, as the compiler would have them.

        Whole constants are computed at once, and a constant stands behind what it is added to or multiplied with.
        """
        if kind in _WHOLE and isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            return np.asarray(_WHOLE[kind](a, b))
        if kind in _EITHER_ORDER and not isinstance(a, Ref):
            a, b = b, a
        shapes = [self._forms[each][0] if isinstance(each, Ref) else np.shape(each) for each in (a, b)]
        return self.operation(f"broadcasting_{kind}", [a, b], np.broadcast_shapes(*shapes), dtype)

    def unary(self, kind: str, value: Operand, **modes: str) -> Operand:
        """Appends an operation of one float32 operand whose result has its shape."""
        return self.operation(kind, [value], self.shape(value), FLOAT32, **modes)

    def quantize(
        self, value: Operand, scale: float | NDArray[np.float32], zero_point: int, *, axis: int | None = None
    ) -> Ref:
        """Appends `round_half_even(value / scale) + zero_point`, saturated; a vector of scales needs its axis."""
        shape = self.shape(value)
        scales = np.asarray(scale, np.float32)
        offsets = np.full(scales.shape, zero_point, np.int8), np.zeros(scales.shape, np.float32)
        axes = _all_axes(shape) if axis is None else np.array(axis, np.int32)
        return self.operation("quantize", [value, scales, *offsets, axes], shape, INT8)

    def clamped(self, code: Operand, grid: Quantization, clamp: Clamp) -> Operand:
        """Returns codes within a clamp's bounds; appends nothing for bounds that int8 has itself."""
        low, high = (bound + grid.zero_point for bound in arithmetic.clamp_range(grid, clamp))
        if low > INT8_MIN:
            code = self.binary("maximum", code, np.array(low, np.int8), INT8)
        if high < INT8_MAX:
            code = self.binary("minimum", code, np.array(high, np.int8), INT8)
        return code

    def give_values(self, operator: Operator, value: Operand, *, held_apart: bool = False) -> None:
        """Ends a float32 operator: appends its clamp.

        Beside int8 layers a value that is `held_apart` has a maximum behind it that changes nothing: Apple's compiler
        makes one factor of two, one addend of two, and other weights of a factor, all of which round otherwise.
        """
        clamp = getattr(operator, "clamp", Clamp.NONE)
        if held_apart and self.is_mixed and clamp is Clamp.NONE:
            value = self.binary("maximum", value, _LOWEST)
        if clamp is not Clamp.NONE:
            value = self.unary("relu", value)
        if clamp is Clamp.RELU6:
            value = self.binary("minimum", value, 6.0)
        self.give(operator.output, value)

    def reshape(self, value: Operand, shape: Iterable[int]) -> Operand:
        """Appends a reshape, unless the shape is that already; one of a reshape takes what that takes."""
        form = tuple(shape)
        if isinstance(value, Ref) and value != INPUT and self._operations[value.index].kind == "reshape":
            return self.reshape(self._operations[value.index].operands[0], form)
        if form == self.shape(value):
            return value
        return self.operation("reshape", [value, np.array(form, np.uint32)], form, self.dtype(value))

    def transpose(self, value: Operand, order: Sequence[int]) -> Operand:
        """Appends a transposition, or a reshape, which is the same, if only axes of length 1 move."""
        shape = self.shape(value)
        form = tuple(shape[axis] for axis in order)
        if [axis for axis in order if shape[axis] > 1] == [axis for axis in range(len(shape)) if shape[axis] > 1]:
            return self.reshape(value, form)
        return self.operation("transpose", [value, np.array(order, np.uint32)], form, self.dtype(value))

    def pad(self, value: Operand, amounts: Sequence[tuple[int, int]], filler: NDArray[Any]) -> Operand:
        """Appends so many `filler`s before and after the values of every axis."""
        if not any(map(any, amounts)):
            return value
        shape = [before + side + after for (before, after), side in zip(amounts, self.shape(value), strict=True)]
        flat = np.array(amounts, np.uint32).reshape(-1)
        return self.operation("pad", [value, flat, filler], shape, self.dtype(value), padding_mode="constant")

    def slice(self, value: Operand, starts: Sequence[int], stops: Sequence[int]) -> Operand:
        """Appends a window of a tensor, unless it is the whole."""
        shape = tuple(stop - start for start, stop in zip(starts, stops, strict=True))
        if shape == self.shape(value):
            return value
        ends = (np.array(each, np.int32) for each in (starts, stops, [1] * len(shape)))
        return self.operation("slice", [value, *ends], shape, self.dtype(value))

    def shape(self, value: Operand) -> Shape:
        """Returns the shape of a result, or of a constant."""
        return self._forms[value][0] if isinstance(value, Ref) else value.shape

    def dtype(self, value: Operand) -> str:
        """Returns the type of a result, or of a constant."""
        return self._forms[value][1] if isinstance(value, Ref) else value.dtype.name

    def finish(self, given: End, outputs: Sequence[tuple[End, Operand]]) -> CoreAIProgram:
        """Returns the program of everything written that an output needs."""
        needed: set[int] = set()
        left: list[Operand] = [source for _, source in outputs]
        while left:
            operand = left.pop()
            if isinstance(operand, Ref) and operand != INPUT and operand.index not in needed:
                needed.add(operand.index)
                left += self._operations[operand.index].operands
        moved = {Ref(old): Ref(new) for new, old in enumerate(sorted(needed))} | {INPUT: INPUT}
        return CoreAIProgram(
            inputs=(given,),
            outputs=tuple((end, _placed(source, moved)) for end, source in outputs),
            operations=tuple(_moved(self._operations[index], moved) for index in sorted(needed)),
        )


def _moved(operation: Operation, places: Mapping[Ref, Ref]) -> Operation:
    operands = tuple(_placed(each, places) for each in operation.operands)
    kept = {name: getattr(operation, name) for name in ("kind", "dtype", "shape", "path", "modes")}
    return Operation(operands=operands, **kept)


def _placed(operand: Operand, places: Mapping[Ref, Ref]) -> Operand:
    return places[operand] if isinstance(operand, Ref) else operand


def _identity(operand: Operand) -> Any:
    return operand if isinstance(operand, Ref) else (operand.dtype.str, operand.shape, operand.tobytes())


def _all_axes(shape: Shape) -> NDArray[np.int32]:
    return np.arange(len(shape), dtype=np.int32)
