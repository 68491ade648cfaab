"""Trainings of a second on pictures with boxes and with masks."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec
from mobile_sdk.tasks.boxes import Truth
from qat.data.boxes.pictures import DetectionPictures, DetectionSet
from qat.data.masks.pictures import SegmentationPictures, SegmentationSet
from qat.nets.segmenters import build_segmenter
from qat.nets.ssd import build_detector
from qat.tasks.detection.training import fit_detector
from qat.tasks.segmentation.training import fit_segmenter
from qat.training.plan import TrainPlan

SHORT = TrainPlan(epochs=1, batch=4, warm_up_epochs=0, ema_decay=None, augmentation=None)
IMAGE = ImageSpec(size_px=64, fit="stretch")
RGB = tuple(np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8))


def boxes(side: int = 30, label: int = 0, *, ignored: bool = False) -> Truth:
    return Truth(
        boxes=np.array([[5.0, 5.0, side, side], [20.0, 20.0, 50.0, 50.0]]),
        labels=np.array([label, 1]),
        is_ignored=np.array([ignored, False]),
    )


def mask(label: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    found = np.full((64, 64), label, np.uint8)
    found[:, 32:] = 1
    return found


def detect(train: DetectionSet, held_out: DetectionSet, out: Path, **settings: Any) -> nn.Module:
    contract = Contract(name="d", task="detection", labels=("a", "b"), image=IMAGE, detection=DetectionSpec())
    torch.manual_seed(0)
    net = build_detector("mobilenet_v3_small", contract, width=0.25)
    fit_detector(
        net, DetectionPictures(train=train, validation=held_out, labels=("a", "b")), SHORT, out=out, **settings
    )
    return net


def segment(train: SegmentationSet, held_out: SegmentationSet, out: Path, **settings: Any) -> nn.Module:
    torch.manual_seed(0)
    contract = Contract(name="s", task="segmentation", labels=("a", "b"), image=IMAGE)
    net = build_segmenter("mobilenet_v3_small", contract, width=0.25, output_stride=settings.pop("stride", 16))
    both = SegmentationPictures(train=train, validation=held_out, labels=("a", "b"))
    fit_segmenter(net, both, SHORT, out=out, **settings)
    return net


def boxed(truth: Truth | None = None, rgb: tuple[Any, ...] = RGB) -> DetectionSet:
    return DetectionSet(sources=rgb[:4], truths=(boxes(),) * 3 + (truth or boxes(),))


def masked(truth: Any = None, rgb: tuple[Any, ...] = RGB) -> SegmentationSet:
    return SegmentationSet(sources=rgb[:4], truths=(mask(),) * 3 + (mask() if truth is None else truth,))
