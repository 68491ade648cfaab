"""Shows a detector's last operator as plain ATen operators.

Every prediction has `dequantize` (of codes), `permute` and `reshape`; then follow two `cat`, `mul`, `add` and a last
`cat`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from mobile_sdk.graph.operators import DecodeBoxes


def write_boxes(
    operator: DecodeBoxes,
    predictions: Sequence[Any],
    call: Callable[..., Any],
    buffer: Callable[[str, NDArray[Any]], Any],
) -> Any:
    """Returns the node of the result; `predictions` are the nodes of real values, `call` appends a node."""
    rows = []
    for index, node in enumerate(predictions):
        last = call("aten.permute.default", node, [0, 2, 3, 1])
        rows.append(call("aten.reshape.default", last, [1, *operator.rows(index)]))
    offsets, scores = (call("aten.cat.default", rows[first::2], 1) for first in (0, 1))
    moved = call("aten.mul.Tensor", offsets, buffer("steps", operator.steps))
    boxes = call("aten.add.Tensor", moved, buffer("origins", operator.origins))
    return call("aten.cat.default", [boxes, scores], 2)
