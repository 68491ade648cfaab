"""What labels cost: cross-entropy, a mean over all pictures or pixels of the whole batch that a label is asked of.

Where labels are balanced, each picture or pixel weighs by the inverse of its label's share of the training set, and the
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
    """Returns the loss of scores (N, labels, …) for targets (N, …) int64, of which those `ignored` ask for nothing.

    `balance` (labels,) weighs targets by their label. Of several processes each gets what its own part adds, so that
    the mean over the processes is the whole batch's. It is 0 where nothing is asked.
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
    """Weights (labels,) float32 of labels that occur so often: 1 on average over what was counted, 0 for none.

    SettingError where nothing was counted.
    """
    found = torch.as_tensor(counts, dtype=torch.float64)
    if not found.sum():
        raise SettingError("expected labels to balance by class_balance, found none", hint="leave class_balance out")
    each = found.sum() / (found > 0).sum()
    return torch.where(found > 0, each / found.clamp(min=1), 0.0).float()
