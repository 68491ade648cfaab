"""Programs of nets that do not read square RGB pictures, with what they read."""

from functools import cache

import numpy as np
import torch
from torch import nn

import qat
from mobile_sdk.contract import Contract, ImageSpec, NetInput, TensorSpec
from mobile_sdk.program.program import Program
from qat.data.picture_set import PictureSet

LABELS = ("yes", "no", "up", "down")
INPUTS: dict[str, NetInput] = {
    "unequal sides": ImageSpec(size_px=(24, 40)),
    "unequal sides, ImageNet's mean": ImageSpec.torchvision((40, 24)),
    "grey": ImageSpec(size_px=(28, 20), channels=1),
    "four channels": ImageSpec(size_px=16, channels=4, fit="stretch"),
    "spectrogram": TensorSpec.of_range((1, 49, 10), -4.0, 3.0),
    "two sensors": TensorSpec.of_range((2, 1, 32), -1.0, 6.0),
    "numbers": TensorSpec.of_range((12,), -4.0, 4.0),
}


def net_for(spec: NetInput) -> nn.Module:
    """A small classifier of such inputs; of spectrograms the first block of DS-CNN (Zhang et al., arXiv 1711.07128)."""
    torch.manual_seed(3)
    if len(spec.shape) == 1:
        return nn.Sequential(nn.Linear(spec.shape[0], 16), nn.ReLU(), nn.Linear(16, len(LABELS))).eval()
    kernel = (min(10, spec.shape[1]), 4)
    return nn.Sequential(
        nn.Conv2d(spec.shape[0], 8, kernel, stride=(min(2, spec.shape[1]), 2), padding=(kernel[0] // 2, 1)),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.ReLU(),
        nn.Conv2d(8, 12, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, len(LABELS)),
    ).eval()


def samples_for(spec: NetInput, count: int = 8) -> PictureSet:
    """Pictures of noise, larger than the net's, or arrays; two of each label."""
    random = np.random.default_rng(5)
    if isinstance(spec, ImageSpec):
        shape = (spec.height_px + 9, spec.width_px + 14, 4 if spec.channels == 4 else 3)
        sources = tuple(random.integers(0, 256, shape, np.uint8) for _ in range(count))
    else:
        sources = tuple(random.normal(0, 1.5, spec.shape).astype(np.float32) for _ in range(count))
    return PictureSet(sources=sources, targets=tuple(index % len(LABELS) for index in range(count)))


@cache
def program_for(name: str) -> Program:
    """The int8 program of the net that reads `INPUTS[name]`, calibrated."""
    spec = INPUTS[name]
    contract = Contract(name="other", labels=LABELS, inputs=(spec,))
    return qat.quantize(net_for(spec), contract, samples_for(spec), progress=False)
