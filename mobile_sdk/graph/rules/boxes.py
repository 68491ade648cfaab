"""Decodes boxes and their scores."""

import torch

from mobile_sdk.graph.operators import DecodeBoxes
from mobile_sdk.graph.rules.tables import Step, float_rules, int8_rules


@int8_rules.of(DecodeBoxes)
def _decode_codes(operator: DecodeBoxes) -> Step:
    grids = [each.quantization for each in operator.predictions]
    scales = [1.0 if grid is None else grid.scale for grid in grids]
    return lambda *codes: _decode_boxes(operator, *(each * scale for each, scale in zip(codes, scales, strict=True)))


@float_rules.of(DecodeBoxes)
def _decode_boxes(operator: DecodeBoxes, *predictions: torch.Tensor) -> torch.Tensor:
    """Returns boxes and scores (N, anchors, 4 + scores) of real predictions."""
    rows = [
        each.permute(0, 2, 3, 1).reshape(len(each), *operator.rows(index)) for index, each in enumerate(predictions)
    ]
    steps, origins = torch.from_numpy(operator.steps), torch.from_numpy(operator.origins)
    boxes = torch.cat(rows[::2], dim=1) * steps + origins
    return torch.cat([boxes, torch.cat(rows[1::2], dim=1)], dim=2)
