"""Makes int8 programs of whole nets at full size, for benchmarks that run them in every place there is.

Weights and statistics are random but realistic, calibrated on crops of photographs and run on crops of others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.core.photographs import CALIBRATED, JUDGED, crops
from benchmarks.core.realistic import with_realistic_numbers
from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec
from mobile_sdk.program.program import Program
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import PictureSet
from qat.nets import build_net
from qat.nets.segmenters import build_segmenter
from qat.nets.ssd import build_detector

CALIBRATION_PICTURES = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class WholeNet:
    """Holds a float net, its int8 program, and pictures that neither has seen."""

    net: nn.Module
    program: Program
    unseen: PictureSet

    @cached_property
    def pictures(self) -> NDArray[np.uint8]:
        """Returns their bytes (N, H, W, C)."""
        return self.unseen.bytes(self.program.contract.image)

    def float_scores(self) -> NDArray[np.float32]:
        """Returns what the float net says of them, which must have one output."""
        with torch.inference_mode():
            scores: NDArray[np.float32] = self.net.eval()(self.unseen.tensors(self.program.contract.image)).numpy()
        return scores


def classifier(name: str) -> tuple[nn.Module, Contract]:
    """Returns a classifier of 1,000 labels at 224 px, without numbers."""
    contract = Contract(name=name, labels=_labels(1000), image=ImageSpec.torchvision())
    return build_net(name, contract), contract


def detector(name: str) -> tuple[nn.Module, Contract]:
    """Returns SSDLite for 80 labels at 320 px, without numbers."""
    image = ImageSpec(size_px=320, fit="stretch")
    contract = Contract(name=name, task="detection", labels=_labels(80), image=image, detection=DetectionSpec())
    return build_detector(name, contract), contract


def segmenter(name: str) -> tuple[nn.Module, Contract]:
    """Returns LR-ASPP for 21 labels at 256 px, without numbers."""
    image = ImageSpec(size_px=256, fit="stretch")
    contract = Contract(name=name, task="segmentation", labels=_labels(21), image=image)
    return build_segmenter(name, contract), contract


NETS: dict[str, Callable[[], tuple[nn.Module, Contract]]] = {
    "MobileNetV2 1.0": partial(classifier, "mobilenet_v2"),
    "MobileNetV3-Large": partial(classifier, "mobilenet_v3_large"),
    "MobileNetV3-Small": partial(classifier, "mobilenet_v3_small"),
    "SSDLite, V3-Small": partial(detector, "mobilenet_v3_small"),
    "LR-ASPP, V3-Small": partial(segmenter, "mobilenet_v3_small"),
}


def whole_net(title: str, *, pictures: int) -> WholeNet:
    """Returns the net of that title in `NETS`, calibrated, and so many pictures of photographs of their own."""
    torch.manual_seed(0)
    net, contract = NETS[title]()
    net = with_realistic_numbers(net, contract.image)
    seen = crops(CALIBRATED, CALIBRATION_PICTURES, seed=3)
    program = quantize(net, contract, seen, CalibrationPlan.extremes(), progress=False)
    return WholeNet(net=net, program=program, unseen=crops(JUDGED, pictures, seed=7))


def _labels(count: int) -> tuple[str, ...]:
    return tuple(f"label {index}" for index in range(count))
