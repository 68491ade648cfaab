"""Defines the base of every operator, and those of operators of one and of two operands."""

from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar

from mobile_sdk.graph.operators.tensors import INT32_MAX, Clamp, Constant, Tensor
from mobile_sdk.graph.operators.traits import Traits

_FROM_ZERO = ("padding", "start", "axis", "axes", "order", "before", "after")
"""These integers of an operator may be 0, as positions are; all others are sizes, steps or counts."""
_ADDED = "added"


def added(default: Any) -> Any:
    """Returns a field that an operator got later; its default says what was computed before.

    Files and digests leave it out at its default, so those that were written before stay as they are.
    """
    return field(default=default, metadata={_ADDED: True})


def is_added(each: Field[Any]) -> bool:
    """Tells whether a field is one that an operator got later."""
    return _ADDED in each.metadata


def stated_fields(value: Any) -> Iterator[Field[Any]]:
    """Yields the fields of a dataclass that files and digests hold: all but `added` ones at their default."""
    for each in fields(value):
        if not (is_added(each) and getattr(value, each.name) == each.default):
            yield each


@dataclass(frozen=True, kw_only=True, eq=False)
class Operator:
    """An operator is one step; `path` is the module in the user's net that it came from, for messages.

    A class that a graph can hold states its `traits`, and none inherits another's; a base of such classes is declared
    with `is_base=True`.
    """

    traits: ClassVar[Traits]

    output: Tensor
    path: str

    def __init_subclass__(cls, *, is_base: bool = False) -> None:
        super().__init_subclass__()
        if not is_base and "traits" not in vars(cls):
            raise TypeError(f"{cls.__name__} is an operator without traits: state them on the class")

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            numbers = value if isinstance(value, tuple) else (value,)
            least = 0 if name in _FROM_ZERO else 1
            if not all(least <= number <= INT32_MAX for number in numbers if _is_count(number)):
                raise ValueError(f"{name} of a {type(self).__name__} must be {least}..{INT32_MAX}, not {value!r:.60}")

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """Returns the operands that are computed or constant, in order; weights and biases are not among them."""
        raise NotImplementedError


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True, kw_only=True, eq=False)
class Unary(Operator, is_base=True):
    """This is the base of operators of one operand."""

    input: Tensor

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """Returns the operand."""
        return (self.input,)


@dataclass(frozen=True, kw_only=True, eq=False)
class Binary(Operator, is_base=True):
    """This is the base of operators of two operands, the second of which may be a constant."""

    a: Tensor
    b: Tensor | Constant
    clamp: Clamp = Clamp.NONE

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """Returns both operands, in order."""
        return (self.a, self.b)
