"""An operator that nobody knows: what reads traits answers by them, what needs a rule of its own refuses it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mobile_sdk.graph.operators import Operator, Tensor
from mobile_sdk.graph.operators.base import Unary
from mobile_sdk.graph.operators.traits import Family, Rounding, Strips, Traits, Values, WorkKind

TRAITS: Mapping[str, Any] = {
    "family": Family.ELEMENTWISE,
    "values": Values.COMPUTED,
    "keeps_grid": True,  # so that no check of scales stops it before a runtime sees it
    "rounding": Rounding.PROVED,
    "strips": Strips.BY_WINDOW,
    "work": WorkKind.ACTIVATION,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Softmax(Unary):
    """It stands for whatever is added to the vocabulary next."""

    traits: ClassVar = Traits(**TRAITS)


def softmax(x: Tensor, path: str = "net.softmax") -> Operator:
    """A softmax that reads `x` and gives a tensor like it."""
    return Softmax(input=x, output=Tensor(name="softmax", shape=x.shape, quantization=x.quantization), path=path)
