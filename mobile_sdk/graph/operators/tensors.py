"""Defines tensors of a graph, the grids of their codes, and the clamps that operators apply."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

import numpy as np

INT8_MIN, INT8_MAX = -128, 127
INT32_MAX = 2**31 - 1
TENSOR_INPUT = "tensor_codes"
"""A graph whose input has this name reads an array's codes; any other input is a picture's bytes less 128."""


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """Defines `real = scale * (q - zero_point)`, q in int8.

    `scale` is exactly a float32; `zero_point` is in -128..127.
    """

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
    """An activation has a batch of one. `quantization` is None if it is float32."""

    name: str
    shape: tuple[int, ...]
    quantization: Quantization | None

    def __post_init__(self) -> None:
        if not all(1 <= size <= INT32_MAX for size in self.shape):
            raise ValueError(f"sizes of a tensor must lie in 1..{INT32_MAX}, not {self.shape!r:.60}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Constant:
    """Holds a scalar operand of Add or Mul: one int8 code (or one float32 value if `quantization` is None)."""

    name: str
    value: float
    quantization: Quantization | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", float(self.value))


class Clamp(StrEnum):
    """Bounds an operator's output beyond int8's own range, which is a clamp already and costs nothing."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"

    @property
    def bounds(self) -> tuple[float, float]:
        """Returns the least and the greatest value that it leaves."""
        return _BOUNDS[self]


class ActivationKind(StrEnum):
    """Names activations that stand alone in float32 graphs; int8 graphs express them as Add, Mul and clamps."""

    RELU = "relu"
    RELU6 = "relu6"
    HARD_SWISH = "hard_swish"
    HARD_SIGMOID = "hard_sigmoid"

    @property
    def clamp(self) -> Clamp | None:
        """Returns the clamp that the activation is; None for one that computes more than a maximum and a minimum."""
        return _CLAMPS.get(self)

    @property
    def is_nonnegative(self) -> bool:
        """Tells whether it gives nothing below zero for any input."""
        return self is not ActivationKind.HARD_SWISH


class Function(StrEnum):
    """Names functions of one number that are tables in int8: 256 codes in, 256 codes out.

    Those with parameters say which.
    """

    SIGMOID = "sigmoid"
    TANH = "tanh"
    GELU = "gelu"  # x / 2 * (1 + erf(x / sqrt(2)))
    ELU = "elu"  # e^x - 1 below zero
    LEAKY_RELU = "leaky_relu"  # (slope): slope * x below zero
    CLAMP = "clamp"  # (low, high): no less, and no more
    SOFTPLUS = "softplus"  # log(1 + e^x)
    TANH_SOFTPLUS = "tanh_softplus"  # the gate of Mish
    EXP = "exp"
    ABS = "abs"
    AFFINE = "affine"  # (gain, offset): gain * x + offset
    POWER = "power"  # (exponent): of x above zero
    RECIPROCAL = "reciprocal"
    LOG = "log"  # of x above zero
    SIN = "sin"
    COS = "cos"
    SCALED_ELU = "scaled_elu"  # (alpha, scale, input scale): SELU and CELU too, as PyTorch's `elu` has them
    SCALED_SOFTPLUS = "scaled_softplus"  # (beta): log(1 + e^(beta * x)) / beta; the log-sigmoid at -1
    GELU_TANH = "gelu_tanh"  # x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))


_BOUNDS = {Clamp.NONE: (-inf, inf), Clamp.RELU: (0.0, inf), Clamp.RELU6: (0.0, 6.0)}
_CLAMPS = {ActivationKind.RELU: Clamp.RELU, ActivationKind.RELU6: Clamp.RELU6}
