"""A captured net is held against the user's net in float; what is not finite is refused by its name."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import prune

from mobile_sdk.errors import CaptureError
from qat.calibration.calibration import calibrate, quantize
from qat.calibration.plan import CalibrationPlan
from qat.capture.capture import _READERS, capture
from qat.capture.float_scores import without_last_activation
from qat.capture.readers import activations, shapes
from qat.capture.readers import pooling as pool_readers
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.preparation.preparation import prepare
from qat.tasks.classification.training import evaluate, fit
from qat.training.plan import TrainPlan
from tests.support.tiny_nets import CONTRACT, SIZE_PX, net

RGB = np.random.default_rng(0).integers(0, 256, (8, SIZE_PX, SIZE_PX, 3)).astype(np.uint8)
PICTURES = PictureSet(sources=tuple(RGB), targets=(0, 1, 2, 3, 4, 0, 1, 2))


def classifier(operation: Callable[[Any, Tensor], Tensor] = lambda self, x: x, **modules: Any) -> nn.Module:
    return net(
        lambda self, x: self.head(operation(self, self.body(x)).mean((2, 3))),
        body=nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU()),
        head=nn.Linear(6, 5),
        **modules,
    )


# -- a reader that reads wrongly, as a bug would, is caught and its module is named

WRONG = {  # the reader, what it is taken for, the first module whose output is another one
    "an activation dropped": ("relu", shapes.read_nothing, "head"),
    "ReLU read as ReLU6": ("relu", activations.read_relu6, "body.2"),
    "a mean read as a maximum": ("mean", pool_readers.read_amax, "head"),
}


@pytest.mark.parametrize("bug", WRONG)
def test_a_captured_net_that_differs_is_an_error_that_names_the_first_module(bug, monkeypatch):
    name, wrong, path = WRONG[bug]
    monkeypatch.setitem(_READERS, name, wrong)
    own = classifier()
    with torch.no_grad():
        own.body[1].bias.copy_(torch.linspace(-5, 8, 6))  # values below 0 and above 6
    with pytest.raises(CaptureError, match=f"found another result from {path} on"):
        capture(own, SIZE_PX)


def test_a_net_whose_scores_are_random_in_evaluation_is_refused():
    with pytest.raises(CaptureError, match="random"):
        capture(classifier(lambda self, x: x + torch.rand(6, 1, 1)), SIZE_PX)


@pytest.mark.parametrize(
    ("operation", "found"),
    [
        (lambda self, x: x.view(2, 6, 14, 14), r"take \(8, 3, 16, 16\), found RuntimeError: shape"),
        (lambda self, x: x if len(x) == 2 else x[:, :, :1, :1], "found another result from head on"),
        (lambda self, x: x * torch.ones(6, 1, 1, dtype=torch.float64), r"found RuntimeError: .*Double"),
    ],
)
def test_a_net_that_does_something_else_with_more_pictures_is_refused(operation, found):
    with pytest.raises(CaptureError, match=found):
        capture(classifier(operation), SIZE_PX, torch.randn(8, 3, SIZE_PX, SIZE_PX))


def test_dropout_that_is_on_in_evaluation_is_left_out_with_a_word(capsys):
    student = prepare(classifier(lambda self, x: F.dropout(x, 0.5)), CONTRACT)
    calibrate(student, PICTURES, CalibrationPlan.extremes())
    assert "left out: dropout at <root>: it would be on in eval(), too" in capsys.readouterr().err
    x = torch.randn(2, 3, SIZE_PX, SIZE_PX)
    assert torch.equal(student(x), student(x))
    assert not torch.equal(student.train()(x), student(x))


def test_a_net_of_extreme_but_finite_numbers_is_no_difference():
    own = classifier()
    with torch.no_grad():
        own.body[0].weight.mul_(1e6), own.head.weight.mul_(1e-9), own.head.bias.mul_(1e-3)
    capture(own, SIZE_PX)


def chaotic(**modules: Any) -> nn.Module:
    """Branches that become one layer, whose last bits decide the scores."""
    torch.manual_seed(0)
    branches = {"wide": nn.Conv2d(6, 6, 3, padding=1), "narrow": nn.Conv2d(6, 6, 1)}
    return classifier(lambda self, x: torch.sin(3e5 * (self.wide(x) + self.narrow(x))), **branches, **modules)


def test_a_net_whose_scores_hang_on_its_weights_last_bits_is_taken():
    assert capture(chaotic().eval(), SIZE_PX) is not None


def test_an_error_in_such_a_net_is_still_one(monkeypatch):
    monkeypatch.setitem(_READERS, "sin", shapes.read_nothing)
    with pytest.raises(CaptureError, match="found another result"):
        capture(chaotic().eval(), SIZE_PX)


# -- what is not finite


def _break(path: str, value: float) -> Callable[[nn.Module], None]:
    def change(own: nn.Module) -> None:
        dict([*own.named_parameters(), *own.named_buffers()])[path].flatten()[1:2].fill_(value)

    return change


BROKEN: dict[str, tuple[Callable[[nn.Module], None], str]] = {
    "a weight that is NaN": (_break("body.0.weight", float("nan")), r"body\.0\.weight, found 1 of 162"),
    "a bias that is infinite": (_break("head.bias", float("inf")), r"head\.bias, found 1 of 5"),
    "a gain that is NaN": (_break("body.1.weight", float("nan")), r"body\.1\.weight"),
    "a mean that is infinite": (_break("body.1.running_mean", -float("inf")), r"body\.1\.running_mean"),
    "a variance that is infinite": (_break("body.1.running_var", float("inf")), r"body\.1\.running_var"),
    "a variance below zero": (_break("body.1.running_var", -1.0), r"variances above 0 in body\.1, found -1"),
    "weights that overflow with the gain": (
        lambda own: (_break("body.0.weight", 1e30)(own), own.body[1].weight.fill_(1e30)),
        r"finite (weights|numbers) (in|from) body",
    ),
    "an activation that overflows": (lambda own: own.head.weight.fill_(3e38), r"finite numbers from head"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
@torch.no_grad()
def test_a_number_that_is_not_finite_is_refused_by_the_tensors_or_the_modules_name(what):
    change, told = BROKEN[what]
    own = classifier()
    change(own)
    with pytest.raises(CaptureError, match=told) as caught:
        quantize(own, CONTRACT, PICTURES, CalibrationPlan.extremes())
    assert caught.value.exit_code == 4


def test_an_infinity_that_only_some_pictures_wake_is_refused_at_calibration():
    student = prepare(classifier(), CONTRACT)
    layer = student.captured.get_submodule("layers.body_0")
    with torch.no_grad():
        layer.norm.weight.fill_(3e38)  # as a training that diverged between two looks would leave it
        layer.weight.mul_(1e3)
    with pytest.raises(CaptureError, match=r"finite numbers from body"):
        calibrate(student, PICTURES, CalibrationPlan.extremes())


def test_a_batch_norm_of_variance_zero_and_no_epsilon_is_refused_by_its_name():
    own = classifier()
    own.body[1].eps = 0.0
    own.body[1].running_var[2] = 0.0
    with pytest.raises(CaptureError, match=r"variances above 0 in body\.1, found 0"):
        capture(own, SIZE_PX)


# -- what forward() may do in training and evaluation


def by_view() -> nn.Module:
    own = net(
        lambda self, x: self.head(F.relu(self.stem(x)).view(x.size(0), -1)),
        stem=nn.Conv2d(3, 8, 3, stride=2, padding=1),
        head=nn.Linear(8 * SIZE_PX * SIZE_PX // 4, 5),
    )
    own.contract = CONTRACT
    return own


def test_a_net_that_flattens_by_view_is_trained_judged_and_taught_from():
    parted = Pictures(train=PICTURES, validation=PICTURES, labels=CONTRACT.labels)
    own = by_view()
    fit(own, parted, TrainPlan(epochs=1, batch=4, augmentation=None), progress=False)
    assert 0 <= evaluate(own, PICTURES) <= 1
    student = prepare(own, CONTRACT)
    calibrate(student, PICTURES, CalibrationPlan.extremes())
    fit(student, parted, TrainPlan.distil(epochs=1), teacher=own, progress=False)


def test_a_net_without_parameters_is_judged():
    own = net(lambda self, x: F.avg_pool2d(x, 8).flatten(1)[:, :5])
    assert 0 <= evaluate(own, PICTURES, CONTRACT) <= 1


def test_pruned_and_weight_normed_nets_are_copied_and_left_as_they_are():
    own = classifier()
    prune.random_unstructured(own.body[0], "weight", 0.5)
    own(torch.randn(1, 3, SIZE_PX, SIZE_PX, requires_grad=True))  # its weight is computed, no leaf
    before = copy.copy(own.body[0].weight_mask)
    prepare(own, CONTRACT)
    assert torch.equal(own.body[0].weight_mask, before)


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.Sigmoid(), nn.LogSoftmax(1)])
def test_scores_to_compare_with_are_those_before_the_last_activation(last, capsys):
    own = net(
        lambda self, x: self.last(self.head(self.stem(x).mean((2, 3)))),
        stem=nn.Conv2d(3, 6, 3), head=nn.Linear(6, 5), last=last,
    )  # fmt: skip
    x = torch.randn(2, 3, SIZE_PX, SIZE_PX)
    torch.testing.assert_close(last(without_last_activation(own, SIZE_PX)(x)), own(x))
    plain = classifier()
    assert without_last_activation(plain, SIZE_PX) is plain
    student = prepare(own, CONTRACT)
    calibrate(student, PICTURES, CalibrationPlan.extremes())
    assert f"left out: {type(last).__name__.lower().replace('logs', 'log_s')} at last" in capsys.readouterr().err
    parted = Pictures(train=PICTURES, validation=PICTURES, labels=CONTRACT.labels)
    history = fit(student, parted, TrainPlan.distil(epochs=1), teacher=own, progress=False)
    assert history.epochs[0].loss < 1  # the teacher's scores are the student's, not their softmax
