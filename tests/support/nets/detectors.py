"""Small detectors, and programs of them with numbers of no special case."""

from functools import cache

import numpy as np
import torch

from benchmarks.core.realistic import crops, with_realistic_numbers
from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec
from mobile_sdk.program.program import Program
from mobile_sdk.tasks.boxes import Truth
from qat.calibration.calibration import calibrate
from qat.calibration.plan import CalibrationPlan
from qat.data.boxes.pictures import DetectionSet
from qat.freezing.freezing import freeze
from qat.nets.ssd import Ssd, build_detector
from qat.preparation.preparation import prepare

EXTREMES = CalibrationPlan.extremes()


def contract(labels: int = 3, size_px: int = 64) -> Contract:
    return Contract(
        name="things",
        task="detection",
        labels=tuple(f"thing {index}" for index in range(labels)),
        image=ImageSpec(size_px=size_px, fit="stretch"),
        detection=DetectionSpec(score_threshold=0.3),
    )


@cache
def detector(name: str = "mobilenet_v3_small", size_px: int = 64, *, is_lite: bool = True) -> Ssd:
    net = build_detector(name, contract(size_px=size_px), width=0.35, is_lite=is_lite)
    with_realistic_numbers(net, contract(size_px=size_px).image)
    return net


@cache
def program(name: str = "mobilenet_v3_small", size_px: int = 64, *, is_lite: bool = True) -> Program:
    """Its int8 program."""
    asked = contract(size_px=size_px)
    prepared = prepare(detector(name, size_px, is_lite=is_lite), asked)
    calibrate(prepared, crops(8, seed=3), EXTREMES)
    return freeze(prepared, asked)


def pictures(count: int = 6) -> DetectionSet:
    """Crops of photographs, each with one box that has nothing to do with it."""
    sources = tuple(np.ascontiguousarray(source) for source in crops(count, seed=5).sources)  # type: ignore[arg-type]
    truth = Truth(boxes=np.array([[10.0, 20.0, 60.0, 90.0]]), labels=np.array([1]))
    return DetectionSet(sources=sources, truths=(truth,) * count)


def values(net: torch.nn.Module, pictures: DetectionSet, image: ImageSpec) -> np.ndarray:
    """The float net's outputs."""
    with torch.no_grad():
        return net.eval()(pictures.pictures.tensors(image)).numpy()  # type: ignore[no-any-return]
