"""Batch norms of vectors learn as those of maps do, in float and in int8; a single vector is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mobile_sdk.errors import DataError
from mobile_sdk.graph.reference import Reference
from qat.calibration.calibration import calibrate
from qat.freezing.freezing import freeze
from qat.preparation.preparation import prepare
from qat.tasks.classification.training import fit
from qat.training.plan import TrainPlan
from tests.support.tiny_nets import Tiny, net
from tests.support.training.small_task import CONTRACT, PLAN, pictures


def vector_net() -> Tiny:
    """A head of two linear layers, a batch norm with and without parameters behind them."""
    return net(
        lambda self, x: self.head(F.relu(self.norm(self.hidden(F.relu(self.bare(self.stem(x))).mean((2, 3)))))),
        stem=nn.Conv2d(3, 8, 3, stride=2, padding=1),
        bare=nn.BatchNorm2d(8, affine=False),
        hidden=nn.Linear(8, 6, bias=False),
        norm=nn.BatchNorm1d(6),
        head=nn.Linear(6, 3),
    )


@pytest.mark.parametrize("way", ["labels", "distilled"])
def test_a_batch_norm_of_vectors_learns_in_int8_and_is_frozen_with_what_it_learned(way: str) -> None:
    own = vector_net()
    student = prepare(own, CONTRACT)
    calibrate(student, pictures().train)
    plan = TrainPlan.distil(2, after=PLAN) if way == "distilled" else TrainPlan.finetune(2, after=PLAN)
    fit(student, pictures(), plan, teacher=own if way == "distilled" else None, progress=False)
    held = pictures().validation
    with torch.no_grad():
        found = student(held.tensors(CONTRACT.image)).numpy()
    program = freeze(student, CONTRACT)
    grid = program.graph.output.quantization
    assert grid is not None
    steps = np.abs(found / grid.scale + grid.zero_point - Reference(program.graph).run(held.bytes(CONTRACT.image)))
    assert steps.max() < 3 and (steps > 0.5).mean() < 0.05


def test_statistics_of_vectors_move_in_training_until_they_are_frozen() -> None:
    student = prepare(vector_net().train(), CONTRACT)
    x = pictures().train.tensors(CONTRACT.image)[:8]
    (norm,) = [each for each in student.modules() if isinstance(each, nn.BatchNorm1d)]
    before = norm.running_mean.clone()
    student.train()
    student(x)
    moved = norm.running_mean.clone()
    assert not torch.equal(before, moved)
    student.set_phase(freeze_observers=True, freeze_batch_norm=True)
    student.train()
    student(x)
    assert torch.equal(moved, norm.running_mean)


def test_a_batch_norm_without_momentum_goes_on_with_its_average_over_all_batches() -> None:
    own = net(
        lambda self, x: self.head(F.relu(self.norm(self.stem(x))).mean((2, 3))),
        stem=nn.Conv2d(3, 8, 3, bias=False),
        norm=nn.BatchNorm2d(8, momentum=None),
        head=nn.Linear(8, 3),
    )
    own.norm.num_batches_tracked.fill_(3)
    student = prepare(own.train(), CONTRACT)
    student.quantize(False)
    x = pictures().train.tensors(CONTRACT.image)[:8]
    (norm,) = [each for each in student.modules() if isinstance(each, nn.BatchNorm2d)]
    student(x), own(x), student(x), own(x)
    torch.testing.assert_close(norm.running_mean, own.norm.running_mean)
    torch.testing.assert_close(norm.running_var, own.norm.running_var)
    assert own.norm.num_batches_tracked == norm.num_batches_tracked == 5


@pytest.mark.parametrize("kind", ["float", "int8"])
def test_a_single_picture_is_refused_in_one_line_that_names_the_batch_norm(kind: str) -> None:
    learner = vector_net() if kind == "float" else prepare(vector_net(), CONTRACT)
    with pytest.raises(DataError, match=r"several values a channel for the batch norm .*norm, found one"):
        fit(learner, pictures(1), PLAN, contract=CONTRACT, progress=False)


def test_a_single_picture_is_enough_for_batch_norms_of_maps() -> None:
    own = net(
        lambda self, x: self.head(self.norm(self.stem(x)).mean((2, 3))),
        stem=nn.Conv2d(3, 4, 3),
        norm=nn.BatchNorm2d(4),
        head=nn.Linear(4, 3),
    )
    fit(own, pictures(1, 3), replace(PLAN, epochs=2), contract=CONTRACT, progress=False)


def test_a_left_over_picture_is_left_out_of_the_epoch() -> None:
    fit(vector_net(), pictures(17, 3), replace(PLAN, epochs=2), contract=CONTRACT, progress=False)
