"""`quantize`: int8 without training, from a few pictures."""

from collections.abc import Callable

import torch
from torch import nn

from mobile_sdk.contract import Contract
from mobile_sdk.errors import DataError
from mobile_sdk.program import Program, Record
from qat.batches import evaluation_batches
from qat.freezing import freeze
from qat.picture_set import PictureSet
from qat.preparation import FakeQuantNet, prepare

CALIBRATION_PICTURES = 512  # about 100 mini-batches suffice (Krishnamoorthi, arXiv 1806.08342, section 3.1.4)

Progress = Callable[[float, str], None]


def quantize(net: nn.Module, contract: Contract, pictures: PictureSet, *, record: Record | None = None) -> Program:
    """The int8 program of `net` as it is, ranges taken from at most 512 of `pictures`; labels are not read."""
    prepared = prepare(net, contract)
    calibrate(prepared, pictures)
    return freeze(prepared, contract, record or Record(net=type(net).__name__, quantized="calibrated"))


@torch.no_grad()
def calibrate(net: FakeQuantNet, pictures: PictureSet) -> None:
    """Widens every range of `net` to the extremes that its float values take, and holds the ranges there."""
    if not len(pictures):
        raise DataError("expected pictures to calibrate on, found none", hint="give a folder of typical pictures")
    net.eval()
    net.at(freeze_observers=True, freeze_batch_norm=True)
    net.calibrate(True)
    for batch, _ in evaluation_batches(pictures[:CALIBRATION_PICTURES], net.contract.image, torch.device("cpu")):
        net(batch)
    net.calibrate(False)
