"""Few pictures give an epoch of crops to learn from the float net by, and nothing else does."""

from dataclasses import replace

import numpy as np
import pytest

from mobile_sdk.contract import Contract, TensorSpec
from mobile_sdk.workflow.tasks.few_pictures import BATCH, CROPS, with_more_views
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.training.batches import steps_per_epoch
from qat.training.distillation import Distillation
from qat.training.plan import TrainPlan
from tests.support.tiny_nets import CONTRACT, picture_set

PLAN = TrainPlan.distil(2)


def pictures(count: int) -> Pictures:
    unlabelled = PictureSet(sources=picture_set(count).sources, targets=(-1,) * count)
    return Pictures(train=unlabelled, validation=unlabelled[:3], labels=CONTRACT.labels)


def test_ten_pictures_without_labels_give_ten_steps_an_epoch() -> None:
    before = pictures(10)
    plan, found = with_more_views(PLAN, before, CONTRACT)
    assert (len(found.train), plan.batch) == (CROPS, BATCH) and steps_per_epoch(found.train, plan) == CROPS // BATCH
    assert set(found.train.targets) == {-1}
    assert found.train.bytes(CONTRACT.image).shape[0] == CROPS and found.validation is before.validation
    again = with_more_views(PLAN, pictures(10), CONTRACT)[1]
    assert np.array_equal(again.train.bytes(CONTRACT.image), found.train.bytes(CONTRACT.image))


@pytest.mark.parametrize(
    ("plan", "count"),
    [
        (PLAN, CROPS),
        (TrainPlan.finetune(2), 10),
        (replace(PLAN, distillation=Distillation(labels=1.0)), 10),
    ],
    ids=["many pictures", "labels alone", "labels too"],
)
def test_other_plans_and_pictures_stay_as_they_are(plan: TrainPlan, count: int) -> None:
    before = pictures(count)
    assert with_more_views(plan, before, CONTRACT) == (plan, before)


def test_pictures_with_labels_are_not_cut() -> None:
    before = Pictures(train=picture_set(10), validation=picture_set(3, seed=1), labels=CONTRACT.labels)
    assert with_more_views(PLAN, before, CONTRACT) == (PLAN, before)


def test_arrays_have_no_crops() -> None:
    spec = TensorSpec(shape=(1, 8, 4), scale=0.05, zero_point=0)
    contract = Contract(name="sounds", labels=CONTRACT.labels, tensor=spec)
    arrays = PictureSet(sources=tuple(np.zeros((4, 1, 8, 4), np.float32)), targets=(-1,) * 4)
    before = Pictures(train=arrays, validation=arrays, labels=CONTRACT.labels)
    assert with_more_views(PLAN, before, contract) == (PLAN, before)
