"""One step of every kind of loss on pictures of which most ask for nothing: parts of a batch then weigh unlike."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec
from mobile_sdk.tasks.boxes import Truth
from mobile_sdk.tasks.segmentation import VOID
from qat.data.boxes.pictures import DetectionPictures, DetectionSet
from qat.data.masks.pictures import SegmentationPictures, SegmentationSet
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.nets.segmenters import build_segmenter
from qat.nets.ssd import build_detector
from qat.tasks.classification.training import fit
from qat.tasks.detection.training import fit_detector
from qat.tasks.segmentation.training import fit_segmenter
from qat.training.distillation import Distillation
from qat.training.history import History
from qat.training.plan import NesterovSgd, TrainPlan

LABELS, COUNT = ("a", "b"), 8
STEP = TrainPlan(
    epochs=1,
    batch=COUNT,
    optimizer=NesterovSgd(),
    learning_rate=0.01,
    warm_up_epochs=0,
    ema_decay=None,
    augmentation=None,
)
ASKED = (0, 1, 3, COUNT)
"""So many pictures have targets: none, those of one part only, some, all."""


class FlatNet(nn.Module):
    """A classifier in which nothing but the pictures decides a step."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, width, 3, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.classifier = nn.Linear(16 * width, len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.features(x))
        return scores


def steps() -> Iterator[tuple[str, Tensor, History]]:
    """Yields the change of each step, and its history, by loss and by how many pictures have targets."""
    for asked in ASKED:
        for name, take in _LOSSES.items():
            net, history = take(asked)
            moved = torch.cat([value.grad.flatten() for value in net.parameters() if value.grad is not None])
            yield f"{name}, {asked} asked", moved, history


def _rgb() -> tuple[Any, ...]:
    random = np.random.default_rng(0)
    return tuple(
        (random.integers(0, 256, (64, 64, 3)) * share).astype(np.uint8)  # pictures of unlike power
        for share in np.linspace(0.1, 1, COUNT)
    )


def _classes(asked: int, *, balanced: bool = False) -> tuple[nn.Module, History]:
    net, contract, pictures = _labelled(asked)
    return net, fit(net, pictures, replace(STEP, class_balance=balanced and asked > 0), contract=contract)


def _taught(asked: int) -> tuple[nn.Module, History]:
    net, contract, pictures = _labelled(asked)
    torch.manual_seed(1)
    lesson = Distillation(scores=1.0, features=0.0, divergence=0.5, labels=1.0 if asked else 0.0)
    return net, fit(net, pictures, replace(STEP, distillation=lesson), contract=contract, teacher=FlatNet(6))


def _labelled(asked: int) -> tuple[nn.Module, Contract, Pictures]:
    torch.manual_seed(0)
    contract = Contract(name="c", labels=LABELS, image=ImageSpec(size_px=64))
    targets = tuple(index % 3 % 2 if index < asked else -1 for index in range(COUNT))
    train = PictureSet(sources=_rgb(), targets=targets)
    held_out = PictureSet(sources=_rgb(), targets=(0,) * COUNT)
    if not asked:  # else there is nothing to learn from: the first label lies outside the only batch
        train = PictureSet(sources=(*_rgb(), _rgb()[0]), targets=(*targets, -1))
        train = PictureSet(sources=train.sources, targets=_one_outside(len(train.sources)))
    return FlatNet(4), contract, Pictures(train=train, validation=held_out, labels=LABELS)


def _one_outside(count: int) -> tuple[int, ...]:
    """Targets of which the one is known that the epoch's only batch leaves out."""
    from qat.training.batches import epoch_generator, shuffled_batches

    (batch,) = shuffled_batches(count, STEP, epoch_generator(STEP, 0))
    return tuple(-1 if index in batch else 0 for index in range(count))


def _masks(asked: int, *, balanced: bool = False) -> tuple[nn.Module, History]:
    random = np.random.default_rng(1)
    truths = [(random.random((64, 64)) < 0.2).astype(np.uint8) for _ in range(COUNT)]
    for truth in truths[asked:]:
        truth[:] = VOID
    held_out = SegmentationSet(sources=_rgb(), truths=(np.zeros((64, 64), np.uint8),) * COUNT)
    pictures = SegmentationPictures(
        train=SegmentationSet(sources=_rgb(), truths=tuple(truths)), validation=held_out, labels=LABELS
    )
    torch.manual_seed(0)
    contract = Contract(name="s", task="segmentation", labels=LABELS, image=ImageSpec(size_px=64, fit="stretch"))
    net = build_segmenter("mobilenet_v3_small", contract, width=0.25)
    return net, fit_segmenter(net, pictures, replace(STEP, class_balance=balanced and asked > 0))


def _boxes(asked: int) -> tuple[nn.Module, History]:
    some = Truth(boxes=np.array([[4.0, 4, 40, 40], [30, 30, 60, 60]]), labels=np.array([0, 1]))
    none = Truth(boxes=np.zeros((0, 4)), labels=np.zeros(0, np.int64))
    both = DetectionSet(sources=_rgb(), truths=(some,) * asked + (none,) * (COUNT - asked))
    held_out = DetectionSet(sources=_rgb(), truths=(some,) * COUNT)
    torch.manual_seed(0)
    image = ImageSpec(size_px=64, fit="stretch")
    contract = Contract(name="d", task="detection", labels=LABELS, image=image, detection=DetectionSpec())
    net = build_detector("mobilenet_v3_small", contract, width=0.25)
    plan = replace(STEP, learning_rate=1e-4)
    return net, fit_detector(net, DetectionPictures(train=both, validation=held_out, labels=LABELS), plan)


_LOSSES = {
    "labels": _classes,
    "balanced labels": lambda asked: _classes(asked, balanced=True),
    "labels and a teacher": _taught,
    "masks": _masks,
    "balanced masks": lambda asked: _masks(asked, balanced=True),
    "boxes": _boxes,
}
