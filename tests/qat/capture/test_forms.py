"""Each form that people write in forward() is exact in both runtimes, and equals the user's net in float."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune, weight_norm

from mobile_sdk.graph.reference import Reference
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import PictureSet
from tests.support.nets.users_nets import PICTURES, assert_equal_in_runtimes, assert_right, values
from tests.support.tiny_nets import CONTRACT, net


class Gate(nn.Module):
    """Squeeze-and-excite of linear layers; `shape` makes the vector a map again."""

    def __init__(self, shape: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.shape, self.down, self.up = shape, nn.Linear(6, 3), nn.Linear(3, 6)

    def forward(self, x: Tensor) -> Tensor:
        gate = F.hardsigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))
        return x * self.shape(gate, x)


def write(channels: slice, value: Callable[[Tensor], Any]) -> Callable[[Any, Tensor], Tensor]:
    def operation(self: Any, x: Tensor) -> Tensor:
        x = x.clone()
        x[:, channels] = value(x[:, channels])
        return x

    return operation


def add_to_a_part(self: Any, x: Tensor) -> Tensor:
    a, b = x[:, :3], x[:, 3:]
    b += a
    return x


def rectify_a_part(self: Any, x: Tensor) -> Tensor:
    x[:, :2].relu_()
    return x


def write_twice(self: Any, x: Tensor) -> Tensor:
    x[:, :4] *= 2
    x[:, 2:] += 0.5
    x[:, 2:4] = F.relu(x[:, 1:3])
    return x


def written(x: Tensor, write: Callable[[Tensor], Any]) -> Tensor:
    y = x + 0.1
    write(y)
    return y


def channel(scale: float) -> nn.Parameter:
    return nn.Parameter(scale * torch.randn(6, 1, 1, generator=torch.Generator().manual_seed(0)))


def learnt(name: str, value: Tensor, operation: Callable[[Tensor, Tensor], Tensor]) -> Any:
    return {name: nn.Parameter(value)}, lambda self, x: operation(x, getattr(self, name))


def standardised(self: Any, x: Tensor) -> Tensor:
    weight = self.conv.weight
    weight = (weight - weight.mean((1, 2, 3), keepdim=True)) / (weight.std((1, 2, 3), keepdim=True) + 1e-5)
    return F.conv2d(x, weight, self.conv.bias, padding=1)


def conv() -> nn.Conv2d:
    return nn.Conv2d(6, 6, 3, padding=1)


def with_old_weight_norm(layer: nn.Conv2d) -> nn.Conv2d:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return weight_norm(layer)


Form = tuple[dict[str, Any], Callable[[Any, Tensor], Tensor]]


def fixed_instance_norm(*, affine: bool = True) -> nn.Module:
    """An instance norm that has statistics of its training."""
    norm = nn.InstanceNorm2d(6, affine=affine, track_running_stats=True)
    with torch.no_grad():
        norm.running_mean.copy_(torch.linspace(-0.4, 0.3, 6))  # type: ignore[union-attr]
        norm.running_var.copy_(torch.linspace(0.5, 1.5, 6))  # type: ignore[union-attr]
    return norm.eval()


FORMS: dict[str, Form] = {
    "gate viewed": ({"gate": Gate(lambda g, x: g.view(*g.shape, 1, 1))}, lambda self, x: self.gate(x)),
    "gate indexed": ({"gate": Gate(lambda g, x: g[:, :, None, None])}, lambda self, x: self.gate(x)),
    "gate unsqueezed": ({"gate": Gate(lambda g, x: g.unsqueeze(2).unsqueeze(3))}, lambda self, x: self.gate(x)),
    "gate unflattened": ({"gate": Gate(lambda g, x: g.unflatten(1, (6, 1, 1)))}, lambda self, x: self.gate(x)),
    "gate expanded": ({"gate": Gate(lambda g, x: g.view(*g.shape, 1, 1).expand_as(x))}, lambda self, x: self.gate(x)),
    "a mean added": ({}, lambda self, x: x + x.mean((2, 3), keepdim=True)),
    "a mean expanded and added": ({}, lambda self, x: x.mean((2, 3), keepdim=True).expand_as(x) + x),
    "average that leaves padding out": ({}, lambda self, x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
    "average of 5 that leaves padding out": ({}, lambda self, x: F.avg_pool2d(x, 5, 1, 2, count_include_pad=False)),
    "average by ceil_mode": ({}, lambda self, x: F.avg_pool2d(x, 3, 2, ceil_mode=True)),
    "average by ceil_mode, padded": ({}, lambda self, x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True)),
    "average by ceil_mode, padding left out": (
        {},
        lambda self, x: F.avg_pool2d(x, (4, 2), (3, 3), (1, 0), ceil_mode=True, count_include_pad=False),
    ),
    "average of a window larger than the map": ({}, lambda self, x: x * F.avg_pool2d(x, 40, ceil_mode=True)),
    "maximum of a window larger than the map": (
        {},
        lambda self, x: x - F.max_pool2d(x, (16, 40), (40, 40), (0, 2), ceil_mode=True),
    ),
    "an instance norm with fixed statistics": ({"norm": fixed_instance_norm()}, lambda self, x: self.norm(x).relu()),
    "one without a gain": ({"norm": fixed_instance_norm(affine=False)}, lambda self, x: self.norm(x)),
    "a dilated maximum": ({}, lambda self, x: F.max_pool2d(x, 5, 1, 2, 2)),
    "a dilated maximum without padding": ({}, lambda self, x: F.max_pool2d(x, (2, 3), 1, 0, 4) * 2),
    "maximum by ceil_mode": ({}, lambda self, x: F.max_pool2d(x, 3, 2, ceil_mode=True)),
    "maximum by ceil_mode, padded": ({}, lambda self, x: F.max_pool2d(x, (4, 3), (3, 2), (1, 1), ceil_mode=True)),
    "means of rows": ({}, lambda self, x: x * x.mean(3, keepdim=True)),
    "means of columns of a map that is kept": ({}, lambda self, x: x + x.mean(2, keepdim=True)),
    "means of channels": ({}, lambda self, x: x * x.mean(1, keepdim=True)),
    "the mean of all": ({}, lambda self, x: x + x.mean((1, 2, 3), keepdim=True)),
    "sums of channels": ({}, lambda self, x: x * x.sum(1, keepdim=True)),
    "sums of a map": ({}, lambda self, x: x * x.sum((2, 3), keepdim=True)),
    "adaptive average of rows alone": ({}, lambda self, x: x * F.adaptive_avg_pool2d(x, (None, 1))),
    "adaptive average of overlapping windows": ({}, lambda self, x: F.adaptive_avg_pool2d(x, 3)),
    "adaptive average of uneven windows": ({}, lambda self, x: F.adaptive_avg_pool2d(x, (6, 5))),
    "adaptive average to more pixels": ({}, lambda self, x: F.adaptive_avg_pool2d(F.avg_pool2d(x, 4), 6)),
    "adaptive maximum of overlapping windows": ({}, lambda self, x: F.adaptive_max_pool2d(x, 3)),
    "a pyramid of pools": (
        {},
        lambda self, x: (
            x + F.interpolate(F.adaptive_avg_pool2d(x, 6), x.shape[2:], mode="bilinear", align_corners=True)
        ),
    ),
    "average with a divisor of its own": ({}, lambda self, x: F.avg_pool2d(x, 3, 2, 1, divisor_override=5)),
    "a map shrunk": ({}, lambda self, x: F.interpolate(x, (11, 7), mode="bilinear")),
    "adaptive maximum": ({}, lambda self, x: F.adaptive_max_pool2d(x, 4)),
    "adaptive maximum to a pixel": ({}, lambda self, x: F.adaptive_max_pool2d(x, 1) + x),
    "maximum over a map": ({}, lambda self, x: x + x.amax((2, 3), keepdim=True)),
    "maximum in turn": ({}, lambda self, x: x + x.max(3, keepdim=True)[0].max(2, keepdim=True)[0]),
    "mean in turn": ({}, lambda self, x: x * x.mean(3, keepdim=True).mean(2, keepdim=True)),
    "difference": ({}, lambda self, x: x - F.relu(x)),
    "difference with alpha": ({}, lambda self, x: torch.sub(F.relu(x), x, alpha=0.5)),
    "sum with alpha": ({}, lambda self, x: torch.add(x, F.relu(x), alpha=-2)),
    "a constant less the map": ({}, lambda self, x: 1 - x),
    "negative": ({}, lambda self, x: -F.relu(x)),
    "product with a negative number": ({}, lambda self, x: F.relu(x) * -0.5),
    "division by a negative number": ({}, lambda self, x: x / -3),
    "square": ({}, lambda self, x: x**2),
    "layer scale": learnt("gamma", channel(1.0), lambda x, gamma: x + gamma * F.relu(x)),
    "offset a channel": learnt("beta", channel(1.0), lambda x, beta: F.relu(x) + beta),
    "one learnt number": learnt("factor", torch.tensor(-0.7), lambda x, factor: x * factor),
    "a mask of channels": ({}, lambda self, x: x * torch.tensor([1.0, 0, 1, 1, 0, 1]).view(1, 6, 1, 1)),
    "mean and deviation of one's own": (
        {},
        lambda self, x: (x - 0.3) / torch.tensor([2.0, 1, 3, 2, 1, 2]).view(6, 1, 1),
    ),
    "weight norm": ({"conv": parametrizations.weight_norm(conv())}, lambda self, x: self.conv(x)),
    "old weight norm": ({"conv": with_old_weight_norm(conv())}, lambda self, x: self.conv(x)),
    "spectral norm": ({"conv": parametrizations.spectral_norm(conv())}, lambda self, x: self.conv(x)),
    "pruned": ({"conv": prune.l1_unstructured(conv(), "weight", 0.5)}, lambda self, x: self.conv(x)),
    "standardised weights": ({"conv": conv()}, standardised),
    "a computed kernel": ({"conv": conv()}, lambda self, x: F.conv2d(x, self.conv.weight * 2, padding=1)),
    "a convolution of some channels written back": (
        {"conv": nn.Conv2d(2, 2, 3, padding=1)},
        lambda self, x: write(slice(0, 2), self.conv)(self, x),
    ),
    "the last channels doubled": ({}, write(slice(4, None), lambda part: part * 2)),
    "channels in the middle set to a number": ({}, write(slice(1, 4), lambda part: 0.25)),
    "channels zeroed": ({}, write(slice(3, None), torch.zeros_like)),
    "all channels written": ({}, write(slice(None), F.relu)),
    "negative bounds": ({}, write(slice(-3, -1), lambda part: part + 1)),
    "a part added to another in place": ({}, add_to_a_part),
    "a part rectified in place": ({}, rectify_a_part),
    "writes over writes": ({}, write_twice),
    "chunks written in place": ({}, lambda self, x: written(x, lambda y: y.chunk(3, 1)[1].mul_(-2))),
    "uneven parts written in place": ({}, lambda self, x: written(x, lambda y: y.split([1, 3, 2], 1)[1].add_(1))),
    "an out argument": ({}, lambda self, x: written(x, lambda y: torch.mul(y, -1.5, out=y))),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_the_users_net_in_float_and_exact_in_both_runtimes(form, tmp_path):
    modules, operation = FORMS[form]
    own = net(
        lambda self, x: self.head(F.relu(self.out(operation(self, self.stem(x)))).mean((2, 3))),
        stem=nn.Conv2d(3, 6, 3, padding=1),
        out=nn.Conv2d(6, 8, 1),
        head=nn.Linear(8, 5),
        **modules,
    )
    assert_equal_in_runtimes(*assert_right(own), tmp_path)


HEADS: dict[str, Form] = {
    "map flattened by view": ({"head": nn.Linear(6 * 256, 5)}, lambda self, x: self.head(x.view(x.size(0), -1))),
    "uneven adaptive average": (
        {"head": nn.Linear(6 * 15, 5)},
        lambda self, x: self.head(F.dropout(F.adaptive_avg_pool2d(x, (5, 3)).flatten(1), 0.5, self.training)),
    ),
    "adaptive average to a larger size": (
        {"head": nn.Linear(6 * 400, 5)},
        lambda self, x: self.head(torch.flatten(F.adaptive_avg_pool2d(x, 20), 1)),
    ),
    "mean of a view": ({"head": nn.Linear(6, 5)}, lambda self, x: self.head(x.view(x.size(0), 6, -1).mean(2))),
    "mean of a flattened map": ({"head": nn.Linear(6, 5)}, lambda self, x: self.head(x.flatten(2).mean(-1))),
    "mean over columns, then rows": ({"head": nn.Linear(6, 5)}, lambda self, x: self.head(x.mean(3).mean(2))),
    "mean over rows, then columns": ({"head": nn.Linear(6, 5)}, lambda self, x: self.head(x.mean(2).mean(2))),
    "maximum over a map": ({"head": nn.Linear(6, 5)}, lambda self, x: self.head(x.amax((-1, -2)))),
    "maximum of a flattened map": ({"head": nn.Linear(6, 5)}, lambda self, x: self.head(x.flatten(2).max(2)[0])),
    "squeezed in turn": (
        {"head": nn.Linear(6, 5)},
        lambda self, x: self.head(F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1)),
    ),
    "one pixel indexed": (
        {"head": nn.Linear(6, 5)},
        lambda self, x: self.head(F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0]),
    ),
    "one pixel indexed from behind": (
        {"head": nn.Linear(6, 5)},
        lambda self, x: self.head(x.amax((2, 3), keepdim=True)[..., -1, -1]),
    ),
    "batch norm of a vector": (
        {"norm": nn.BatchNorm1d(6), "head": nn.Linear(6, 5)},
        lambda self, x: self.head(self.norm(x.mean((2, 3)))),
    ),
    "a number a feature": (
        {"gamma": nn.Parameter(torch.linspace(-1, 2, 6)), "head": nn.Linear(6, 5)},
        lambda self, x: self.head(self.gamma * x.mean((2, 3)) + 0.5),
    ),
    "matrix product": (
        {"weight": nn.Parameter(torch.randn(6, 5, generator=torch.Generator().manual_seed(0)))},
        lambda self, x: x.mean((2, 3)) @ self.weight,
    ),
    "a score alone scaled": ({"scores": nn.Linear(6, 5)}, lambda self, x: -self.scores(x.mean((2, 3))) / 4),
}


@pytest.mark.parametrize("form", HEADS)
def test_a_head_is_the_users_net_in_float_and_exact_in_both_runtimes(form, tmp_path):
    modules, operation = HEADS[form]
    own = net(lambda self, x: operation(self, F.relu(self.stem(x))), stem=nn.Conv2d(3, 6, 3, padding=1), **modules)
    assert_equal_in_runtimes(*assert_right(own), tmp_path)


SEGMENTATION = CONTRACT.model_copy(update={"task": "segmentation", "labels": ("r", "g", "b")})


@pytest.mark.parametrize("operation", [lambda self, x: x, lambda self, x: x * 2, lambda self, x: 3 - x / 2])
def test_a_net_that_only_scales_its_picture_is_a_net(operation, tmp_path):
    assert_equal_in_runtimes(*assert_right(net(operation), SEGMENTATION), tmp_path)


@pytest.mark.parametrize(
    "last", [nn.Softmax(1), nn.LogSoftmax(-1), nn.Sigmoid(), nn.Sequential(nn.Softmax(1), nn.Identity())]
)
def test_a_last_activation_is_left_out_and_the_scores_are_those_before_it(last):
    head = nn.Linear(6, 5)
    modules = {"stem": nn.Conv2d(3, 6, 3), "head": head}
    own = net(lambda self, x: self.last(self.head(self.stem(x).mean((2, 3)))), **modules, last=last)
    before = net(lambda self, x: self.head(self.stem(x).mean((2, 3))), **modules)
    own.eval(), before.eval()
    pictures = PictureSet(sources=tuple(PICTURES), targets=(0,) * len(PICTURES))
    programs = [quantize(each, CONTRACT, pictures, CalibrationPlan.extremes()) for each in (own, before)]
    assert np.array_equal(*(Reference(program.graph).run(PICTURES) for program in programs))


def test_an_argmax_at_the_end_gives_way_to_the_scores():
    own = net(lambda self, x: self.stem(x).mean((2, 3)).argmax(1), stem=nn.Conv2d(3, 5, 3))
    pictures = PictureSet(sources=tuple(PICTURES), targets=(0,) * len(PICTURES))
    program = quantize(own, CONTRACT, pictures, CalibrationPlan.extremes())
    winners = Reference(program.graph).run(PICTURES).argmax(1)
    wanted = own(values(CONTRACT.image))
    assert np.array_equal(winners, wanted.numpy())
