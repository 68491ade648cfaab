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


def allocate(
    target: BitTarget,
    folder: Path | None = None,
    keep_float: tuple[str, ...] = (),
    validation: PictureSet | None = None,
) -> AllocatedNet:
    """The net with the bits that the target asks for, calibrated on ten pictures."""
    return allocate_bits(
        sensitive_net(),
        CONTRACT,
        picture_set(10),
        target,
        PLAN,
        keep_float=keep_float,
        folder=folder,
        validation=validation,
    )


def near_ties(count: int) -> PictureSet:
    """Pictures of whose classes, which are the float net's, it is the least sure among some hundreds."""
    sources = tuple(rgb(20 * count, seed=1))
    inputs = PictureSet(sources=sources, targets=(0,) * len(sources)).tensors(CONTRACT.input)
    with torch.no_grad():
        scores = sensitive_net()(inputs)
    first, second = scores.topk(2).values.unbind(dim=1)
    chosen = (first - second).argsort()[:count].tolist()
    classes = scores.argmax(dim=1).tolist()
    return PictureSet(sources=tuple(sources[i] for i in chosen), targets=tuple(classes[i] for i in chosen))
