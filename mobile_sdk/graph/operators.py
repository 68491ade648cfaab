"""The operators that the phone executes, as frozen data: one scale and one zero point a tensor, written once.

Everything that leaves this SDK is read off a `Graph`: the exporters copy its numbers and compute none. A graph is
int8 throughout, or float32 throughout but for its input (the twin that is exported for comparison), or mixed: int8 with
some layers kept in float32 between a Dequantize and a Quantize. An operator is float32 where its output is.

Layouts are PyTorch's: activations `(C, H, W)` or `(C,)` without the batch, weights `(O, I/groups, KH, KW)` or `(O, I)`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

INT8_MIN, INT8_MAX = -128, 127
INT32_MAX = 2**31 - 1

LARGEST_RESIZE = 64  # a factor: XNNPACK's weights have 11 bits, and float32 holds products of two and a code

Precision = Literal["int8", "mixed", "float32"]


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """`real = scale * (q - zero_point)`, q in int8. `scale` is exactly a float32; `zero_point` lies in -128..127."""

    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", float(self.scale))
        object.__setattr__(self, "zero_point", int(self.zero_point))
        if not (0 < self.scale < float("inf")) or float(np.float32(self.scale)) != self.scale:
            raise ValueError(f"a scale must be a positive, finite float32, not {self.scale!r}")
        if not INT8_MIN <= self.zero_point <= INT8_MAX:
            raise ValueError(f"a zero point must lie in -128..127, not {self.zero_point}")


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """An activation of a batch of one. `quantization` is None where it is float32."""

    name: str
    shape: tuple[int, ...]
    quantization: Quantization | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Constant:
    """A scalar operand of Add or Mul: one int8 code (or one float32 value where `quantization` is None)."""

    name: str
    value: float
    quantization: Quantization | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", float(self.value))


class Clamp(StrEnum):
    """What bounds an operator's output beyond int8's own range, which is a clamp already and costs nothing."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"


class ActivationKind(StrEnum):
    """Activations that stand alone; in float32 graphs only, an int8 graph expresses them as Add, Mul and clamps."""

    RELU = "relu"
    RELU6 = "relu6"
    HARD_SWISH = "hard_swish"
    HARD_SIGMOID = "hard_sigmoid"


@dataclass(frozen=True, kw_only=True, eq=False)
class Operator:
    """One step. `path` is the module in the user's net that it came from, for messages."""

    output: Tensor
    path: str

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """The operands that are computed or constant, in order; weights and biases are not among them."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, eq=False)
class _Unary(Operator):
    input: Tensor

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        return (self.input,)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Weighted(_Unary):
    """`weight` int8 with float32 `weight_scales` (O,) and int32 `bias` (O,) on the grid `s_x * s_w[c]`; or float32."""

    weight: NDArray[Any]
    weight_scales: NDArray[np.float32] | None
    bias: NDArray[Any]
    clamp: Clamp = Clamp.NONE


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv2d(_Weighted):
    """A convolution; depthwise where `groups` equals the input's channels. `padding` is (top, bottom, left, right)."""

    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    dilation: tuple[int, int]
    groups: int

    @property
    def is_depthwise(self) -> bool:
        """One filter (or several) per input channel; TensorFlow's DEPTHWISE_CONV_2D."""
        return self.groups == self.input.shape[0] and self.groups > 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear(_Weighted):
    """A fully connected layer on a vector."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Binary(Operator):
    a: Tensor
    b: Tensor | Constant
    clamp: Clamp = Clamp.NONE

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        return (self.a, self.b)


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(_Binary):
    """Elementwise sum; `b` may be a constant, otherwise both shapes are equal."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Mul(_Binary):
    """Elementwise product; `b` may be a constant, or (C, 1, 1) against (C, H, W) as in squeeze-and-excite."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Mean(_Unary):
    """The mean over height and width; the output is (C, 1, 1) or (C,)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pool2d(_Unary):
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPool2d(_Pool2d):
    """The maximum in a window; input and output share their quantization. Padding never wins."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AvgPool2d(_Pool2d):
    """The mean in a window without padding; float32 only: in int8 a depthwise Conv2d has its place."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Concat(Operator):
    """Concatenation along channels; all inputs and the output share one quantization."""

    parts: tuple[Tensor, ...]

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """The parts, in order."""
        return self.parts


@dataclass(frozen=True, kw_only=True, eq=False)
class ChannelSlice(_Unary):
    """Channels `start` to before `stop` of (C, H, W); input and output share their quantization."""

    start: int
    stop: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ChannelShuffle(_Unary):
    """Channels in rows of `groups` columns read by column: output channel `g + groups * i` is input `i + C/groups * g`.

    Input and output share their quantization. Source: ShuffleNet, arXiv 1707.01083, section 3.1.
    """

    groups: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ResizeBilinear(_Unary):
    """Bilinear interpolation between pixels' centres to the output's size; input and output share their quantization.

    Each side grows by a power of two up to `LARGEST_RESIZE`; a map of one pixel grows to any size, which repeats it.
    Weights are then whole multiples of 1 / (2 * factor), every sum is exact, and in int8 it is rounded once, halves up.
    """


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows(_Unary):
    """The rows of a map from `start` on, as many as the output has; the same codes on the same grid."""

    start: int


@dataclass(frozen=True, kw_only=True, eq=False)
class JoinRows(Operator):
    """Maps of equal width and channels, one below the other; all inputs and the output share one quantization."""

    parts: tuple[Tensor, ...]

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """The parts, from the top."""
        return self.parts


@dataclass(frozen=True, kw_only=True, eq=False)
class Reshape(_Unary):
    """(C, 1, 1) to (C,): the same values under another shape and the same quantization."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dequantize(_Unary):
    """int8 codes to the float32 values that they stand for: a float32 graph's picture, or before kept layers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantize(_Unary):
    """float32 values to the int8 codes nearest to them, ties to even: after kept layers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Activation(_Unary):
    """An activation that stands alone; float32 only."""

    kind: ActivationKind


@dataclass(frozen=True, kw_only=True, eq=False)
class DecodeBoxes(Operator):
    """A detector's last operator: `predictions` of all maps → float32 (anchors, 4 + scores).

    They are offsets (anchors of a position × 4, H, W) and scores (the same × scores, H, W), in turns. A box is
    `origins + offsets * steps`, both float32 (anchors, 4): one product, one sum, each rounded once.
    """

    predictions: tuple[Tensor, ...]
    origins: NDArray[np.float32]
    steps: NDArray[np.float32]

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """The predictions, in order."""
        return self.predictions

    def rows(self, index: int) -> tuple[int, int]:
        """Anchors and columns of the prediction `index`: 4, or the scores' number, in turns."""
        columns = self.output.shape[1] - 4 if index % 2 else 4
        return int(np.prod(self.predictions[index].shape)) // columns, columns


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """Operators in the order of execution, from one picture to one vector of scores, or to boxes and scores.

    `input` is (3, H, W), int8, and its code is `byte - 128`; a float32 graph begins with a Dequantize of it.
    """

    input: Tensor
    operators: tuple[Operator, ...]

    @property
    def output(self) -> Tensor:
        """The scores: the last operator's output."""
        return self.operators[-1].output

    @property
    def precision(self) -> Precision:
        """What its tensors are: all int8, all float32 (the twin), or some of them kept in float32; boxes left aside."""
        computing = [operator for operator in self.operators if not isinstance(operator, DecodeBoxes)]
        are_int8 = {operator.output.quantization is not None for operator in computing}
        return "mixed" if len(are_int8) == 2 else "int8" if are_int8 == {True} else "float32"

    @property
    def is_int8(self) -> bool:
        """Whether every tensor, but decoded boxes, is int8: integers, the same in every runtime."""
        return self.precision == "int8"

    def __repr__(self) -> str:
        """What it is, in one line."""
        return (
            f"Graph({self.precision}, {len(self.operators)} operators, input {self.input.shape}, "
            f"output {self.output.shape})"
        )

    def digest(self) -> str:
        """A SHA-256 over every number and name in the graph: two graphs with one digest compute the same."""
        digest = hashlib.sha256()
        for text in _spell(self.input):
            digest.update(text)
        for operator in self.operators:
            for text in _spell(operator):
                digest.update(text)
        return digest.hexdigest()


def _spell(value: Any) -> Iterator[bytes]:
    """Every leaf below `value` as bytes, in the order of the fields."""
    if isinstance(value, np.ndarray):
        yield f"{value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, Operator | Tensor | Constant | Quantization):
        yield type(value).__name__.encode()
        for field in fields(value):
            yield from _spell(getattr(value, field.name))
    elif isinstance(value, tuple) and not all(isinstance(item, int) for item in value):
        for item in value:
            yield from _spell(item)
    else:
        yield repr(value).encode() + b";"
