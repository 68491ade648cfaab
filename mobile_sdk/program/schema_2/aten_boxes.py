"""Reads a detector's last operator back from a saved program's plain ATen operators.

Every prediction has `dequantize` (of codes), `permute` and `view`; then follow two `cat`, `mul`, `add` and a last
`cat`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.operators import Quantization, Tensor

_DEQUANTIZE = "torch.ops.quantized_decomposed.dequantize_per_tensor.default"
_PERMUTE, _VIEW, _CAT, _MUL, _ADD = (
    f"torch.ops.aten.{name}"
    for name in ("permute.default", "reshape.default", "cat.default", "mul.Tensor", "add.Tensor")
)


def read_boxes(
    nodes: Sequence[Any], tensors: Mapping[str, Tensor], buffers: Mapping[str, NDArray[Any]]
) -> dict[str, Any]:
    """Returns `predictions`, `origins` and `steps` of the operator in `nodes`.

    Raises ValueError if they are not one.
    """
    *preparing, offsets, scores, moved, boxes, last = nodes
    sources: dict[str, Tensor] = dict(tensors)
    rows: list[str] = []
    for node in preparing:
        first, *others = (_plain(argument["arg"]) for argument in node["inputs"])
        result = str(node["outputs"][0]["as_tensor"]["name"])
        sources[result] = sources[first]
        if node["target"] == _DEQUANTIZE:
            if Quantization(scale=others[0], zero_point=others[1]) != sources[first].quantization:
                raise ValueError(f"{sources[first].name} is read on another grid than it is written on")
        elif node["target"] == _VIEW:
            rows.append(result)
        elif node["target"] != _PERMUTE or others != [[0, 2, 3, 1]]:
            raise ValueError(f"expected the decoding of boxes, found {node['target']}")
    found = [node["target"] for node in (offsets, scores, moved, boxes, last)]
    if found != [_CAT, _CAT, _MUL, _ADD, _CAT]:
        raise ValueError(f"expected the decoding of boxes, found {found}")
    if [_plain(node["inputs"][0]["arg"]) for node in (offsets, scores)] != [rows[::2], rows[1::2]]:
        raise ValueError("the predictions are joined in another order")
    steps, origins = (buffers[_plain(node["inputs"][1]["arg"])] for node in (moved, boxes))
    return {"predictions": tuple(sources[row] for row in rows), "steps": _float32(steps), "origins": _float32(origins)}


def _plain(argument: Any) -> Any:
    """Returns a serialized argument as a plain value: a tensor is its name."""
    ((kind, value),) = argument.items()
    if kind == "as_tensor":
        return value["name"]
    return [item["name"] for item in value] if kind == "as_tensors" else value


def _float32(array: NDArray[Any]) -> NDArray[np.float32]:
    if array.dtype != np.float32:
        raise ValueError(f"expected float32 boxes, found {array.dtype}")
    return array
