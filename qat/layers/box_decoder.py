"""Decodes boxes: an anchor's corners are moved by predicted shares of its size.

SSD's own coder predicts the logarithms of width and height. Their exponential has no exact form on phones; corners are
linear (`CORNER` of the SSD authors' Caffe code), so that a box is one product and one sum of float32, which every
runtime rounds alike.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from qat.layers.anchors import Anchors

VARIANCE = 0.1  # a predicted 1 moves a side by a tenth of the anchor's size (SSD's variance)


class Decoder(nn.Module):
    """Decodes predictions of all maps, boxes and scores in turns, to (N, anchors, 4 + scores).

    Each is (N, anchors of a position × 4 or × scores, H, W). Boxes are left, top, right and bottom in pixels.
    """

    origins: Tensor
    steps: Tensor

    def __init__(self, origins: Tensor, steps: Tensor, scores: int) -> None:
        super().__init__()
        self.scores = scores
        self.register_buffer("origins", origins.clone(), persistent=False)
        self.register_buffer("steps", steps.clone(), persistent=False)

    @classmethod
    def of(cls, anchors: Anchors, scores: int) -> "Decoder":
        """Returns the decoder of these anchors; `scores` counts "nothing" too."""
        return cls(anchors.corners, VARIANCE * anchors.sizes.repeat(1, 2), scores)

    def forward(self, predictions: list[Tensor]) -> Tensor:
        """Returns boxes and scores."""
        if torch.compiler.is_exporting():  # one operator of the captured net
            captured: Tensor = torch.ops.qat.decode_boxes(predictions, self.origins, self.steps, self.scores)
            return captured
        return decoded(predictions, self.origins, self.steps, self.scores)

    def encode(self, boxes: Tensor) -> Tensor:
        """Returns the predictions of `boxes` (…, anchors, 4) exactly, one box an anchor."""
        return (boxes - self.origins) / self.steps


def decoded(predictions: Sequence[Tensor], origins: Tensor, steps: Tensor, scores: int) -> Tensor:
    """Returns boxes and scores (N, anchors, 4 + scores)."""
    offsets = torch.cat([_rows(each, 4) for each in predictions[::2]], dim=1)
    logits = torch.cat([_rows(each, scores) for each in predictions[1::2]], dim=1)
    return torch.cat([offsets * steps + origins, logits], dim=2)


def _rows(prediction: Tensor, width: int) -> Tensor:
    """Reshapes (N, anchors × width, H, W) to (N, H × W × anchors, width)."""
    return prediction.permute(0, 2, 3, 1).reshape(len(prediction), -1, width)


_LIBRARY = torch.library.Library("qat", "DEF")  # type: ignore[no-untyped-call]
_LIBRARY.define("decode_boxes(Tensor[] predictions, Tensor origins, Tensor steps, int scores) -> Tensor")  # type: ignore[no-untyped-call]
_LIBRARY.impl("decode_boxes", decoded, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
