"""Small segmenters, and programs of them with numbers of no special case."""

from functools import cache
from typing import Any

import numpy as np

from benchmarks.core.realistic import crops, with_realistic_numbers
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.program.program import Program
from qat.calibration.calibration import calibrate
from qat.calibration.plan import CalibrationPlan
from qat.data.masks.pictures import SegmentationSet
from qat.freezing.freezing import freeze
from qat.nets.segmenters import Segmenter, build_segmenter
from qat.preparation.preparation import prepare

EXTREMES = CalibrationPlan.extremes()


def contract(labels: int = 3, size_px: int = 64) -> Contract:
    return Contract(
        name="scenes",
        task="segmentation",
        labels=tuple(f"thing {index}" for index in range(labels)),
        image=ImageSpec(size_px=size_px, fit="stretch"),
    )


@cache
def segmenter(name: str = "mobilenet_v3_small", **settings: Any) -> Segmenter:
    net = build_segmenter(name, contract(), width=0.35, filters=24, **settings)
    with_realistic_numbers(net, contract().image)
    return net


@cache
def program(name: str = "mobilenet_v3_small", **settings: Any) -> Program:
    """Its int8 program."""
    prepared = prepare(segmenter(name, **settings), contract())
    calibrate(prepared, crops(8, seed=3), EXTREMES)
    return freeze(prepared, contract())


def pictures(count: int = 6) -> SegmentationSet:
    """Crops of photographs, each with a mask of three stripes that has nothing to do with it."""
    sources = tuple(np.ascontiguousarray(source) for source in crops(count, seed=5).sources)  # type: ignore[arg-type]
    truths = tuple(np.indices(source.shape[:2])[0] * 3 // source.shape[0] for source in sources)
    return SegmentationSet(sources=sources, truths=tuple(truth.astype(np.uint8) for truth in truths))
