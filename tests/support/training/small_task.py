"""A task that a tiny net learns in a second; run as a program, it trains and can kill itself at a chosen moment."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mobile_sdk.contract import Contract, ImageSpec
from qat.data.augmentation.classification import Augmentation
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.tasks.classification.training import fit
from qat.training.checkpoint_file import CHECKPOINT_FILE
from qat.training.history import History
from qat.training.plan import TrainPlan

LABELS = ("dark", "left", "right")
CONTRACT = Contract(name="sides", labels=LABELS, image=ImageSpec(size_px=16))
PLAN = TrainPlan(epochs=4, batch=8, learning_rate=0.02, augmentation=Augmentation(flip_share=0.0), seed=3)


class TinyNet(nn.Module):
    """Convolution, batch norm, dropout (so that the random state matters), linear; `steps` counts training steps."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.depthwise = nn.Conv2d(8, 8, 3, 2, 1, groups=8)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(8 * 16, len(LABELS)))
        self.steps = 0

    def forward(self, x: Tensor) -> Tensor:
        self.steps += self.training
        scores: Tensor = self.classifier(self.depthwise(self.features(x)))
        return scores


def tiny_net(seed: int = 0) -> TinyNet:
    torch.manual_seed(seed)
    return TinyNet()


def pictures(train_count: int = 60, validation_count: int = 30) -> Pictures:
    return Pictures(train=_part(train_count, seed=1), validation=_part(validation_count, seed=2), labels=LABELS)


def _part(count: int, seed: int) -> PictureSet:
    random = np.random.default_rng(seed)
    rgb = random.integers(0, 120, (count, 20, 20, 3), np.uint8)
    targets = tuple(int(target) for target in random.integers(0, 3, count))
    for row, target in zip(rgb, targets, strict=True):
        if target:
            row[:, :8] += 90 * (target == 1)
            row[:, 12:] += 90 * (target == 2)
    return PictureSet(sources=tuple(rgb), targets=targets)


def same(one: nn.Module, other: nn.Module) -> bool:
    """Tells whether two nets hold equal tensors, bit for bit."""
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def figures(history: History) -> list[dict[str, float]]:
    """Everything that is not a duration."""
    return [epoch.model_dump(exclude={"duration_s"}) for epoch in history.epochs]


def _kill_at_step(net: TinyNet, step: int) -> None:
    def kill(*_: object) -> None:
        if net.steps == step:
            os.kill(os.getpid(), signal.SIGKILL)

    net.register_forward_hook(kill)


def _kill_while_writing(out: Path, count: int) -> None:
    flush, flushed = os.fsync, []

    def kill(handle: int) -> None:
        flushed.append(handle)
        if len(flushed) == count:
            (half,) = out.rglob(f".*/{CHECKPOINT_FILE}")
            os.truncate(half, 1000)  # as if only the first kilobyte had reached the disk
            os.kill(os.getpid(), signal.SIGKILL)
        flush(handle)

    os.fsync = kill


def _main(out: Path, kill: str) -> None:
    torch.set_num_threads(1)
    net = tiny_net()
    if kill.startswith("step"):
        _kill_at_step(net, int(kill[4:]))
    if kill.startswith("write"):
        _kill_while_writing(out, int(kill[5:]))
    history = fit(net, pictures(), PLAN, contract=CONTRACT, out=out)
    torch.save({"net": net.state_dict(), "history": str(figures(history)), "steps": net.steps}, out / "result.pt")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])
