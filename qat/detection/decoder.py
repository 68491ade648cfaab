"""The box coder: an anchor's corners moved by predicted shares of its size.

SSD's own coder predicts the logarithms of width and height. Their exponential has no exact form on phones; corners are
linear (`CORNER` of the SSD authors' Caffe code), so that a box is one product and one sum of float32, which every
runtime rounds alike.
"""

import torch
from torch import Tensor, nn

from qat.detection.anchors import Anchors

VARIANCE = 0.1  # a predicted 1 moves a side by a tenth of the anchor's size (SSD's variance)


class Decoder(nn.Module):
    """Predictions of all maps, in turns of boxes and scores, to (N, anchors, 4 + scores).

    Each is (N, anchors of a position × 4 or × scores, H, W). Boxes are left, top, right and bottom in pixels.
    """

    origins: Tensor
    steps: Tensor

    def __init__(self, anchors: Anchors, scores: int) -> None:
        super().__init__()
        self.scores = scores
        self.register_buffer("origins", anchors.corners.clone(), persistent=False)
        self.register_buffer("steps", VARIANCE * anchors.sizes.repeat(1, 2), persistent=False)

    def forward(self, predictions: list[Tensor]) -> Tensor:
        """Return boxes and scores."""
        offsets = torch.cat([_rows(each, 4) for each in predictions[::2]], dim=1)
        scores = torch.cat([_rows(each, self.scores) for each in predictions[1::2]], dim=1)
        return torch.cat([offsets * self.steps + self.origins, scores], dim=2)

    def encode(self, boxes: Tensor) -> Tensor:
        """What predicts `boxes` (…, anchors, 4) exactly, one box an anchor."""
        return (boxes - self.origins) / self.steps


def _rows(prediction: Tensor, width: int) -> Tensor:
    """(N, anchors × width, H, W) → (N, H × W × anchors, width)."""
    return prediction.permute(0, 2, 3, 1).reshape(len(prediction), -1, width)
