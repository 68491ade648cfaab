"""Holds a net whose layers differ much in what rounding their weights costs, and the choice of its bits."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qat.arguments.bit_target import BitTarget
from qat.bit_allocation.allocation import AllocatedNet, allocate_bits
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import PictureSet
from tests.support.tiny_nets import CONTRACT, Tiny, body, picture_set, rgb

PLAN = CalibrationPlan(equalise=False, reconstruct=False)
QUIET = ("first", "second", "third")


def sensitive_net() -> Tiny:
    """Three layers that hardly count, and `loud`, whose few large weights leave the others no codes of four bits."""

    def operation(self: Tiny, x: Tensor) -> Tensor:
        x = F.relu(x)
        for layer in (self.first, self.second, self.third):
            x = x + F.relu(layer(x))
        return self.loud(x)

    made = body(operation, **{name: nn.Conv2d(6, 6, 1) for name in (*QUIET, "loud")})
    with torch.no_grad():
        for name in QUIET:
            getattr(made, name).weight.mul_(0.05)
        made.loud.weight[:, 0] = 0.0
        made.loud.weight[:, 1] = 8.0
        made.stem.weight[1].mul_(0.01)
        made.stem.bias[1] = 0.001
    return made


def undecided_net() -> Tiny:
    """The sensitive net, but no class has higher scores than the others on the whole: noise changes winners."""
    made = sensitive_net()
    with torch.no_grad():
        made.head.bias.sub_(made(picture_set(10).tensors(CONTRACT.input)).mean(dim=0))
    return made


def allocate(
    target: BitTarget,
    folder: Path | None = None,
    keep_float: tuple[str, ...] = (),
    *,
    net: nn.Module | None = None,
    validation: PictureSet | None = None,
) -> AllocatedNet:
    """The net, by default the sensitive one, with the bits that the target asks for, calibrated on ten pictures."""
    seen, settings = picture_set(10), {"keep_float": keep_float, "folder": folder, "validation": validation}
    return allocate_bits(net or sensitive_net(), CONTRACT, seen, target, PLAN, **settings)  # type: ignore[arg-type]


def classified(net: nn.Module, count: int) -> PictureSet:
    """Pictures whose classes are those that the float net says: its accuracy is 1."""
    sources = tuple(rgb(count, seed=1))
    with torch.no_grad():
        scores = net(PictureSet(sources=sources, targets=(0,) * count).tensors(CONTRACT.input))
    return PictureSet(sources=sources, targets=tuple(scores.argmax(dim=1).tolist()))
