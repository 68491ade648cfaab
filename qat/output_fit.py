"""Whether a net gives what its contract promises: as many numbers as the labels ask for."""

import torch
from torch import fx

from mobile_sdk.contract import Contract, Task
from mobile_sdk.errors import SettingError

_AXES: dict[Task, tuple[int, int, str]] = {
    "classification": (2, 1, "(pictures, labels)"),
    "detection": (3, 2, "(pictures, anchors, 4 + 1 + labels)"),
    "segmentation": (4, 1, "(pictures, labels, height, width)"),
}
"""Of each task: how many axes the net's output has, which of them is the scores', and what all of them are."""


def check_output(captured: fx.GraphModule, contract: Contract) -> None:
    """Raises SettingError where the captured net's output is not that of the contract's task and labels."""
    shape = _output_shape(captured, contract.image.size_px)
    axes, axis, named = _AXES[contract.task]
    if len(shape) != axes:
        raise SettingError(
            f"expected a net that gives {named} for {contract.task}, found {len(shape)} axes: {shape}",
            hint="choose the contract's task by what the net gives",
        )
    if shape[axis] == contract.output_columns:
        return
    labels = len(contract.labels)
    wanted = {
        "classification": f"{labels} scores, as many as the contract has labels",
        "detection": f"{contract.output_columns} numbers an anchor: 4 of a box, one of nothing, {labels} of the labels",
        "segmentation": f"{labels} scores a pixel, as many as the contract has labels",
    }
    raise SettingError(
        f"expected a net with {wanted[contract.task]}, found {shape[axis]}",
        hint="give the contract the labels that the net was trained with, or the net a new head",
    )


def _output_shape(captured: fx.GraphModule, size_px: int) -> tuple[int, ...]:
    output = next(node for node in captured.graph.nodes if node.op == "output")
    value = output.all_input_nodes[0].meta.get("val")
    if value is None:
        with torch.inference_mode():
            value = captured(torch.zeros(2, 3, size_px, size_px))
    return tuple(value.shape)
