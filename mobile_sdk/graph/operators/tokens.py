"""Defines the operators of transformers: products of two tensors, softmax, and normalisation by a tensor's own values.

Channels are the first axis of maps (C, H, W) and the last one of any other tensor; phones store them last in all.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.operators.base import Operator, Unary
from mobile_sdk.graph.operators.tensors import Constant, Tensor
from mobile_sdk.graph.operators.traits import Family, Rounding, Strips, Traits, Values, WorkKind

_traits = partial(Traits, family=Family.TOKENS, keeps_grid=False, rounding=Rounding.MANY, strips=Strips.NEVER)


@dataclass(frozen=True, kw_only=True, eq=False)
class MatMul(Operator):
    """Multiplies matrices (T, K) and (K, S), or as many of both: (1, heads, T, K) and (1, heads, K, S).

    In int8 the zero point of `b` is 0, as XNNPACK requires.
    """

    traits: ClassVar = _traits(values=Values.COMPUTED, work=WorkKind.MATRIX_PRODUCT)

    a: Tensor
    b: Tensor

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """Returns both matrices, in order."""
        return (self.a, self.b)

    @property
    def depth(self) -> int:
        """Returns how many products a sum has."""
        return self.a.shape[-1]


@dataclass(frozen=True, kw_only=True, eq=False)
class Softmax(Unary):
    """Computes e^x over its sum over channels; float32 only."""

    traits: ClassVar = _traits(values=Values.COMPUTED, work=WorkKind.SOFTMAX)


@dataclass(frozen=True, kw_only=True, eq=False)
class Normalize(Unary):
    """Divides by the root of the mean square plus `epsilon`, and applies a gain and an offset a channel; float32 only.

    `axes` are those of the mean: channels (LayerNorm, RMSNorm), the others (InstanceNorm), or all (GroupNorm), whose
    channels are then in `groups` of their own. If `is_centred`, the mean is subtracted first. `gain` and `offset` are
    float32 (C,).
    """

    traits: ClassVar = _traits(values=Values.COMPUTED, work=WorkKind.NORMALIZATION)

    axes: tuple[int, ...]
    groups: int
    is_centred: bool
    epsilon: float
    gain: NDArray[Any]
    offset: NDArray[Any]

    def __post_init__(self) -> None:
        super().__post_init__()
        with np.errstate(over="ignore"):  # what float32 does not hold is infinite, and refused by the check of shapes
            object.__setattr__(self, "epsilon", float(np.float32(self.epsilon)))
