"""Computes the cross-entropy of labels: a mean over all labelled pictures or pixels of the whole batch.

With balanced labels, each picture or pixel is weighted by the inverse of its label's share of the training set, and the
mean is the weighted one: every label then weighs as much as any other, however rare. Source: King, Zeng 2001, "Logistic
Regression in Rare Events Data"; the weights are those that scikit-learn calls balanced.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from mobile_sdk.errors import SettingError
from qat.distributed.processes import current_processes


def label_loss(
    scores: Tensor, targets: Tensor, *, ignored: int, smoothing: float, balance: Tensor | None = None
) -> Tensor:
    """Returns the loss of scores (N, labels, …) for targets (N, …) int64, without those that are `ignored`.

    `balance` (labels,) weights targets by their label. Each of several processes gets its own part's contribution, so
    that the mean over the processes is the whole batch's. The loss is 0 if all targets are ignored.
    """
    settings: dict[str, Any] = {"ignore_index": ignored, "label_smoothing": smoothing}
    asked = targets != ignored
    weights = asked if balance is None else balance.to(scores.device)[targets.masked_fill(~asked, 0)] * asked
    count = weights.sum()
    (share,) = current_processes().weights(count)
    if not count:
        return (0 * scores).sum()
    if balance is None:
        return share * cross_entropy(scores, targets, **settings)
    return share * (weights * cross_entropy(scores, targets, reduction="none", **settings)).sum() / count


def balanced(counts: Sequence[int] | Tensor) -> Tensor:
    """Returns weights (labels,) float32 of labels with these counts: 1 on average over the counted, 0 for none.

    Raises SettingError if nothing was counted.
    """
    found = torch.as_tensor(counts, dtype=torch.float64)
    if not found.sum():
        raise SettingError("expected labels to balance by class_balance, found none", hint="leave class_balance out")
    each = found.sum() / (found > 0).sum()
    return torch.where(found > 0, each / found.clamp(min=1), 0.0).float()
