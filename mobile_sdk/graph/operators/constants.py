"""Defines tensors that no picture changes: positions' embeddings, class tokens, anchors, offsets a pixel."""

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from mobile_sdk.graph.operators.base import Operator
from mobile_sdk.graph.operators.tensors import Constant, Tensor
from mobile_sdk.graph.operators.traits import Family, Rounding, Strips, Traits, Values, WorkKind


@dataclass(frozen=True, kw_only=True, eq=False)
class ConstantTensor(Operator):
    """Gives `values`, of the output's shape: int8 codes, or float32. It has no operand and computes nothing."""

    traits: ClassVar = Traits(
        family=Family.CONSTANTS,
        values=Values.COMPUTED,
        keeps_grid=False,
        rounding=Rounding.ONE,
        strips=Strips.NEVER,
        work=WorkKind.NONE,
    )

    values: NDArray[Any]

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """Returns no operand."""
        return ()
