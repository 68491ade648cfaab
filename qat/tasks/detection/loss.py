"""Computes SSD's loss: matches anchors with boxes, and measures their predictions.

Source: Liu et al. 2016, arXiv 1512.02325, sections 2.2 (matching, objective, hard negative mining).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.tasks.boxes import BOX_COLUMNS, Truth
from qat.distributed.processes import current_processes
from qat.layers.box_decoder import Decoder

MATCHING_OVERLAP = 0.5
NEGATIVES = 3  # the hardest, for each anchor that is matched with a box
IGNORED = -1  # the label of an anchor whose prediction does not count


class MultiboxLoss(nn.Module):
    """Computes the loss of outputs (N, anchors, 4 + 1 + labels), for every image's truth in the net's pixels."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, outputs: Tensor, truths: Sequence[Truth]) -> Tensor:
        """Returns smooth L1 of the offsets plus cross-entropy of the labels, per matched anchor of the whole batch.

        Each of several processes gets its part's contribution; the loss is 0 if nothing is matched.
        """
        matched = [self.match(truth) for truth in truths]
        labels = torch.stack([label for label, _ in matched])
        wanted = torch.stack([boxes for _, boxes in matched])
        offsets, logits = self.decoder.encode(outputs[..., :BOX_COLUMNS]), outputs[..., BOX_COLUMNS:]
        is_box = labels > 0
        location = F.smooth_l1_loss(offsets[is_box], self.decoder.encode(wanted)[is_box], reduction="sum")
        costs = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none", ignore_index=IGNORED)
        costs = costs.reshape(labels.shape)
        confidence = costs[is_box | hardest(costs.detach(), is_box)].sum()
        count = is_box.sum()
        (share,) = current_processes().weights(count)
        loss: Tensor = share * ((location + confidence) / count.clamp(min=1))
        return loss

    def match(self, truth: Truth) -> tuple[Tensor, Tensor]:
        """Returns labels (anchors,), 0 for nothing and IGNORED, and the box (anchors, 4) matched with each anchor.

        Every box gets an anchor of its own, and each of the other anchors takes the box that it overlaps most, if by
        half. The rest are ignored if at least half of them is in an ignored box, or if they overlap one most.
        """
        origins = self.decoder.origins
        boxes, ignored = (
            torch.from_numpy(truth.boxes[chosen]).to(origins) for chosen in (~truth.is_ignored, truth.is_ignored)
        )
        nothing = IGNORED * is_within(ignored, origins).long()
        if not len(boxes):
            return nothing, origins
        share, box = pairwise_overlaps(boxes, origins).max(dim=0)
        own = one_to_one(boxes, origins)
        has_own = own >= 0
        share[own[has_own]], box[own[has_own]] = 1.0, torch.nonzero(has_own).flatten()
        labels = torch.from_numpy(truth.labels[~truth.is_ignored]).to(origins.device) + 1
        return torch.where(share >= MATCHING_OVERLAP, labels[box], nothing), boxes[box]


def hardest(costs: Tensor, is_box: Tensor) -> Tensor:
    """Returns the anchors (N, anchors) without a box of the highest cost: three for each with one, in every image."""
    ranks = costs.masked_fill(is_box, -1.0).argsort(dim=1, descending=True).argsort(dim=1)
    return ranks < NEGATIVES * is_box.sum(dim=1, keepdim=True)


def one_to_one(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Returns for each box the index of an anchor of its own, or -1 if there are fewer anchors than boxes.

    It is SSD's bipartite matching: of all pairs the closest one is matched first, then the closest of those left, equal
    ones in the boxes' order. It is found as a stable matching, many pairs at a time: each box asks the best anchor that
    has not refused it, and an anchor refuses all but the best box that asks it.
    """
    closeness, count = pairwise_closeness(boxes, anchors), len(boxes)
    earlier = torch.ones(count, count, dtype=torch.bool, device=boxes.device).tril(-1)  # [i, j]: j comes before i
    while True:
        best, anchor = closeness.max(dim=1)
        asks = best > -torch.inf
        is_better = (best[None, :] > best[:, None]) | ((best[None, :] == best[:, None]) & earlier)
        is_refused = asks & ((anchor[None, :] == anchor[:, None]) & is_better).any(dim=1)
        if not is_refused.any():
            return anchor.masked_fill(~asks, -1)
        closeness[is_refused, anchor[is_refused]] = -torch.inf


def is_within(regions: Tensor, anchors: Tensor) -> Tensor:
    """Returns which anchors (anchors,) are at least by half in one of the regions (n, 4), or overlap one most."""
    if not len(regions):
        return torch.zeros(len(anchors), dtype=torch.bool, device=anchors.device)
    found: Tensor = (_common(regions, anchors) / _areas(anchors) >= MATCHING_OVERLAP).any(dim=0)
    share, anchor = pairwise_overlaps(regions, anchors).max(dim=1)
    found[anchor[share > 0]] = True
    return found


def pairwise_closeness(boxes: Tensor, others: Tensor) -> Tensor:
    """Returns intersection over union, (boxes, others), or below 0 without any, the lower the farther apart.

    Then it is their areas' share of the smallest box around both, less one. Source: Rezatofighi et al. 2019, arXiv
    1902.09630, algorithm 1.
    """
    least = torch.minimum(boxes[:, None, :2], others[None, :, :2])
    most = torch.maximum(boxes[:, None, 2:], others[None, :, 2:])
    around = (most - least).prod(dim=2)
    overlaps = pairwise_overlaps(boxes, others)
    apart = (_areas(boxes)[:, None] + _areas(others)[None, :]) / around - 1
    return torch.where(overlaps > 0, overlaps, apart.clamp(max=0))


def pairwise_overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """Returns intersection over union, (boxes, others)."""
    common = _common(boxes, others)
    return common / (_areas(boxes)[:, None] + _areas(others)[None, :] - common)


def _common(boxes: Tensor, others: Tensor) -> Tensor:
    least = torch.maximum(boxes[:, None, :2], others[None, :, :2])
    most = torch.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return (most - least).clamp(min=0).prod(dim=2)


def _areas(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
