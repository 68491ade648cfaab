"""Measures the distance of the fake-quantized net, which calibration and training see, from the program's integers.

Run: python -m benchmarks.accuracy.fake_quantization

It takes random nets from seeds, calibrated, and then trained in int8 for a few steps, and MobileNets with realistic
numbers. The fake-quantized net in eval() and the program compute the scores of new pictures. It counts nets whose
scores are all equal, and scores that are not, with their distance in steps of the output grid. It takes some minutes on
two cores.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.core.random_nets import LABELS, Drawn
from benchmarks.core.realistic import with_realistic_numbers
from benchmarks.core.results_file import write_result
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import SdkError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.graph.reference import Reference
from mobile_sdk.system.environment import installed_versions
from qat.calibration.calibration import calibrate
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.freezing.freezing import freeze
from qat.nets import build_net
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from qat.tasks.classification.training import fit
from qat.training.plan import TrainPlan

CALIBRATED, TRAINED = range(1000, 1030), range(2000, 2016)
MOBILENETS = (("mobilenet_v1", 0.5), ("mobilenet_v2", 0.5), ("mobilenet_v3_small", 0.5))
SIZE_PX = 64


def main() -> None:
    """Measures and writes."""
    quiet()
    rows = [
        _row("random, calibrated", [_apart(*pair) for pair in _random(CALIBRATED, epochs=0)]),
        _row("random, trained", [_apart(*pair) for pair in _random(TRAINED, epochs=4)]),
        *(_row(f"{name} {width:g}, calibrated", [_apart(*_mobilenet(name, width))]) for name, width in MOBILENETS),
    ]
    write_result("fake_quantization", rows, installed_versions(("torch", "torchao")))


def _row(nets: str, apart: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
    every = np.concatenate(apart)
    return {
        "nets": nets,
        "count": len(apart),
        "equal in every score": sum(not each.any() for each in apart),
        "scores": every.size,
        "% that differ": round(100 * float((every > 0).mean()), 3),
        "% by more than 1 step": round(100 * float((every > 1).mean()), 3),
        "steps at most": int(every.max()),
    }


def _random(seeds: range, epochs: int) -> Iterator[tuple[FakeQuantNet, Graph, PictureSet]]:
    """Yields fake-quantized classifiers, their programs, and pictures; segmenters and refused nets are left out."""
    for seed in seeds:
        net = Drawn(seed)
        if net.is_segmenter:
            continue
        try:
            student = prepare(net, net.contract)
            calibrate(student, _pictures(16, net.size_px, seed))
            if epochs:
                _train(student, net, seed, epochs)
            yield student, freeze(student, net.contract).graph, _pictures(16, net.size_px, seed + 1)
        except SdkError:
            continue


def _train(student: FakeQuantNet, net: Drawn, seed: int, epochs: int) -> None:
    seen = _pictures(16, net.size_px, seed)
    pictures = Pictures(train=seen, validation=seen, labels=LABELS)
    fit(student, pictures, TrainPlan.distil(epochs), teacher=net, progress=False)


def _mobilenet(name: str, width: float) -> tuple[FakeQuantNet, Graph, PictureSet]:
    contract = Contract(
        name=name, labels=tuple(f"class {index}" for index in range(100)), image=ImageSpec(size_px=SIZE_PX)
    )
    net: nn.Module = with_realistic_numbers(build_net(name, contract, width=width), contract.image)
    student = prepare(net, contract)
    calibrate(student, _pictures(16, SIZE_PX, seed=0))
    return student, freeze(student, contract).graph, _pictures(16, SIZE_PX, seed=1)


def _apart(student: FakeQuantNet, graph: Graph, pictures: PictureSet) -> NDArray[np.float64]:
    """Returns the steps between both, whole numbers, one row for all scores."""
    grid = graph.output.quantization
    assert grid is not None
    with torch.no_grad():
        found = student(pictures.tensors(student.contract.image)).numpy() / grid.scale + grid.zero_point
    steps: NDArray[np.float64] = np.abs(np.rint(found) - Reference(graph).run(np.stack(pictures.sources)))
    return steps.ravel()


def _pictures(count: int, size_px: int, seed: int) -> PictureSet:
    """Returns pictures of coarse blots with noise."""
    random = np.random.default_rng(seed)
    blots = random.integers(0, 256, (count, 4, 4, 3)).repeat(-(-size_px // 4), 1).repeat(-(-size_px // 4), 2)
    rgb = blots[:, :size_px, :size_px] + random.integers(-40, 41, (count, size_px, size_px, 3))
    return PictureSet(sources=tuple(np.clip(rgb, 0, 255).astype(np.uint8)), targets=(-1,) * count)


if __name__ == "__main__":
    main()
