"""Checks that a net's output fits its contract: as many numbers as its labels need."""

import torch
from torch import fx

from mobile_sdk.contract import TRAITS, Contract
from mobile_sdk.errors import SettingError

_SCORES_AXIS = {2: 1, 3: 2, 4: 1}  # of (images, labels), (images, anchors, columns), (images, labels, H, W)


def check_output(captured: fx.GraphModule, contract: Contract) -> None:
    """Raises SettingError if the captured net's output does not have the numbers of the contract's labels."""
    shape = _output_shape(captured, contract.input.shape)
    is_detector, labels = len(shape) == 3, len(contract.labels)
    if is_detector != TRAITS[contract.task].gives_boxes:
        found = "a detector" if is_detector else f"{shape}, which are no boxes"
        raise SettingError(
            f"expected a net for {contract.task}, found {found}",
            hint="choose the contract's task by what the net gives",
        )
    found_columns = shape[_SCORES_AXIS[len(shape)]]
    if found_columns == contract.output_columns:
        return
    scores = f"{labels} scores, as many as the contract has labels"
    boxes = f"{contract.output_columns} numbers an anchor: 4 of a box, one of nothing, {labels} of the labels"
    raise SettingError(
        f"expected a net with {boxes if is_detector else scores}, found {found_columns}",
        hint="give the contract the labels that the net was trained with, or the net a new head",
    )


def _output_shape(captured: fx.GraphModule, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    output = next(node for node in captured.graph.nodes if node.op == "output")
    value = output.all_input_nodes[0].meta.get("val")
    if value is None:
        with torch.inference_mode():
            value = captured(torch.zeros(2, *input_shape))
    return tuple(value.shape)
