"""Defines sums, differences, products, activations and functions of one number, element by element."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from mobile_sdk.graph.operators.base import Binary, Unary
from mobile_sdk.graph.operators.tensors import ActivationKind, Function
from mobile_sdk.graph.operators.traits import Family, Rounding, Strips, Traits, Values, WorkKind

_traits = partial(Traits, family=Family.ELEMENTWISE, values=Values.COMPUTED, keeps_grid=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(Binary):
    """Adds elementwise; `b` may be a constant. Tensors have equally many axes, each of one length or repeated."""

    traits: ClassVar = _traits(rounding=Rounding.ONE, strips=Strips.BY_ROW, work=WorkKind.SUM)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sub(Binary):
    """Subtracts `b` from `a` elementwise; shapes are those of Add."""

    traits: ClassVar = _traits(rounding=Rounding.ONE, strips=Strips.BY_ROW, work=WorkKind.SUM)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mul(Binary):
    """Multiplies elementwise; shapes are those of Add: (C, 1, 1) against (C, H, W) is a squeeze-and-excite's gate."""

    traits: ClassVar = _traits(rounding=Rounding.ONE, strips=Strips.BY_ROW, work=WorkKind.PRODUCT)


@dataclass(frozen=True, kw_only=True, eq=False)
class Activation(Unary):
    """Applies an activation that stands alone; float32 only."""

    traits: ClassVar = _traits(rounding=Rounding.PROVED, strips=Strips.NEVER, work=WorkKind.ACTIVATION)

    kind: ActivationKind


@dataclass(frozen=True, kw_only=True, eq=False)
class UnaryFunction(Unary):
    """Applies a function of one number: a table of codes in int8 (`graph/code_tables.py`).

    `parameters` are those that the function names; float32 holds each.
    """

    traits: ClassVar = _traits(rounding=Rounding.PROVED, strips=Strips.BY_ROW, work=WorkKind.ACTIVATION)

    function: Function
    parameters: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(float(each) for each in self.parameters))
