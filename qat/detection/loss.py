"""SSD's loss: which anchor stands for which box, and what its prediction costs.

Source: Liu et al. 2016, arXiv 1512.02325, sections 2.2 (matching, objective, hard negative mining).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.detections import BOX_COLUMNS, Truth
from qat.detection.decoder import Decoder

MATCHING_OVERLAP = 0.5
NEGATIVES = 3  # the hardest, for each anchor that stands for a box


class MultiboxLoss(nn.Module):
    """The loss of a net's outputs (N, anchors, 4 + 1 + labels), for the truth of every picture in the net's pixels."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, outputs: Tensor, truths: Sequence[Truth]) -> Tensor:
        """Return smooth L1 of the offsets and cross-entropy of the labels, both per matched anchor."""
        matched = [self.match(truth) for truth in truths]
        labels = torch.stack([label for label, _ in matched])
        wanted = torch.stack([boxes for _, boxes in matched])
        offsets, logits = self.decoder.encode(outputs[..., :BOX_COLUMNS]), outputs[..., BOX_COLUMNS:]
        is_box = labels > 0
        location = F.smooth_l1_loss(offsets[is_box], self.decoder.encode(wanted)[is_box], reduction="sum")
        costs = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").reshape(labels.shape)
        confidence = costs[is_box | hardest(costs.detach(), is_box)].sum()
        loss: Tensor = (location + confidence) / is_box.sum().clamp(min=1)
        return loss

    def match(self, truth: Truth) -> tuple[Tensor, Tensor]:
        """Labels (anchors,), 0 for nothing, and the box (anchors, 4) that each anchor stands for.

        An anchor takes the box that it overlaps most, if by half; and every box has its best anchor.
        """
        origins = self.decoder.origins
        if not len(truth.labels):
            return torch.zeros(len(origins), dtype=torch.int64, device=origins.device), origins
        boxes = torch.from_numpy(truth.boxes).to(origins)
        shares = pairwise_overlaps(boxes, origins)
        best_share, best_box = shares.max(dim=0)
        best_anchor = shares.argmax(dim=1)
        best_box[best_anchor] = torch.arange(len(boxes), device=origins.device)
        best_share[best_anchor] = 1.0
        labels = torch.from_numpy(truth.labels).to(origins.device)[best_box] + 1
        return labels * (best_share >= MATCHING_OVERLAP), boxes[best_box]


def hardest(costs: Tensor, is_box: Tensor) -> Tensor:
    """The anchors (N, anchors) without a box that cost most: three for each with one, in every picture."""
    ranks = costs.masked_fill(is_box, -1.0).argsort(dim=1, descending=True).argsort(dim=1)
    return ranks < NEGATIVES * is_box.sum(dim=1, keepdim=True)


def pairwise_overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union, (boxes, others)."""
    least = torch.maximum(boxes[:, None, :2], others[None, :, :2])
    most = torch.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = (most - least).clamp(min=0).prod(dim=2)
    areas, other_areas = ((each[:, 2:] - each[:, :2]).prod(dim=1) for each in (boxes, others))
    return common / (areas[:, None] + other_areas[None, :] - common)
