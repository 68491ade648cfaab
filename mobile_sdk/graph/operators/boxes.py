"""Defines a detector's decoded boxes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.operators.base import Operator
from mobile_sdk.graph.operators.tensors import Constant, Tensor
from mobile_sdk.graph.operators.traits import Family, Rounding, Strips, Traits, Values, WorkKind


@dataclass(frozen=True, kw_only=True, eq=False)
class DecodeBoxes(Operator):
    """Decodes a detector's boxes, as its last operator: `predictions` of all maps → float32 (anchors, 4 + scores).

    The predictions alternate between offsets (anchors of a position × 4, H, W) and scores (anchors of a position ×
    scores, H, W). A box is `origins + offsets * steps`, both float32 (anchors, 4): one product, one sum, each rounded
    once.
    """

    traits: ClassVar = Traits(
        family=Family.BOXES,
        values=Values.COMPUTED,
        keeps_grid=False,
        rounding=Rounding.ONE,
        strips=Strips.NEVER,
        work=WorkKind.BOXES,
    )

    predictions: tuple[Tensor, ...]
    origins: NDArray[np.float32]
    steps: NDArray[np.float32]

    @property
    def inputs(self) -> tuple[Tensor | Constant, ...]:
        """Returns the predictions, in order."""
        return self.predictions

    def rows(self, index: int) -> tuple[int, int]:
        """Returns anchors and columns of the prediction `index`: 4, or the scores' number, in turns."""
        columns = self.output.shape[1] - 4 if index % 2 else 4
        return int(np.prod(self.predictions[index].shape)) // columns, columns
