"""A small net for the stages of calibration, and the fake-quantized net beside its teacher."""

import copy

import torch
from torch import Tensor, nn

from qat.arguments.weight_bits import WeightBits
from qat.calibration.bias_correction import Pair, PairedWalk
from qat.calibration.calibration import calibrate
from qat.calibration.plan import CalibrationPlan
from qat.layers.weighted import Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from tests.support.tiny_nets import CONTRACT, Tiny, body, picture_set


def block_net(activation: type[nn.Module] = nn.ReLU6) -> Tiny:
    """An inverted residual block between stem and head: expansion, depthwise, linear projection, sum."""

    def operation(self: Tiny, x: Tensor) -> Tensor:
        x = x + self.project_norm(self.project(self.act(self.depth_norm(self.depth(self.act(self.expand(x)))))))
        return x + self.again_norm(self.again(x))

    return body(
        operation,
        expand=nn.Conv2d(6, 18, 1),
        act=activation(),
        depth=nn.Conv2d(18, 18, 3, padding=1, groups=18, bias=False),
        depth_norm=nn.BatchNorm2d(18),
        project=nn.Conv2d(18, 6, 1, bias=False),
        project_norm=nn.BatchNorm2d(6),
        again=nn.Conv2d(6, 6, 3, padding=1, bias=False),
        again_norm=nn.BatchNorm2d(6),
    )


def calibrated(tiny: nn.Module, *, weight_bits: WeightBits = 8) -> tuple[FakeQuantNet, FakeQuantNet, Tensor]:
    """The fake-quantized net on the extremes of its ranges, its teacher, and the float pictures."""
    found = prepare(tiny, CONTRACT, weight_bits=weight_bits)
    calibrate(found, picture_set(), CalibrationPlan.extremes())
    teacher = copy.deepcopy(found)
    teacher.quantize(False)
    return found, teacher, picture_set().tensors(CONTRACT.image)


class Errors(PairedWalk):
    """The error of every layer's output before rounding, by node: as it is met, `found`."""

    def __init__(self, teacher: FakeQuantNet, net: FakeQuantNet) -> None:
        super().__init__(teacher, net)
        self.found: dict[str, Tensor] = {}

    def at_layer(self, layer: Weighted, x: Pair, exact: Tensor) -> None:
        self.found[self.node.name] = layer(x.rounded) - exact


def errors(teacher: FakeQuantNet, found: FakeQuantNet, pictures: Tensor) -> dict[str, Tensor]:
    """Returns the errors, detached."""
    walk = Errors(teacher, found)
    with torch.no_grad():
        walk.walk(pictures)
    return walk.found
