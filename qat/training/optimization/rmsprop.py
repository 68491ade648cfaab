"""Computes RMSProp as TensorFlow does, for which the learning rates of the MobileNet papers were chosen."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class TensorFlowRMSProp(torch.optim.Optimizer):
    """Computes `s = decay s + (1 - decay) g²; m = momentum m + rate g / sqrt(s + epsilon); w = w - m`.

    s starts at 1. `torch.optim.RMSprop` differs in three ways: its s starts at 0, which makes the first steps ten times
    too long at a rate of 0.045; its epsilon is added outside the root; and its m does not hold the rate, so that a
    change of the rate acts on old gradients too. Weight decay is L2: it is added to g. Source: TensorFlow,
    `ApplyRMSProp`.
    """

    def __init__(
        self, params: Iterable[dict[str, Any]], *, lr: float, decay: float, momentum: float, epsilon: float
    ) -> None:
        super().__init__(
            params, {"lr": lr, "decay": decay, "momentum": momentum, "epsilon": epsilon, "weight_decay": 0}
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Takes one step for every parameter that has a gradient."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._update(group, weights, [weight.grad for weight in weights])

    def _update(self, group: dict[str, Any], weights: list[Tensor], gradients: list[Tensor]) -> None:
        for weight in weights:
            if not self.state[weight]:
                self.state[weight] = {"square": torch.ones_like(weight), "moved": torch.zeros_like(weight)}
        squares = [self.state[weight]["square"] for weight in weights]
        moved = [self.state[weight]["moved"] for weight in weights]
        if group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, weights, alpha=group["weight_decay"]))
        torch._foreach_mul_(squares, group["decay"])
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - group["decay"])
        roots = torch._foreach_add(squares, group["epsilon"])
        torch._foreach_sqrt_(roots)
        torch._foreach_mul_(moved, group["momentum"])
        torch._foreach_addcdiv_(moved, gradients, roots, value=group["lr"])
        torch._foreach_sub_(weights, moved)
