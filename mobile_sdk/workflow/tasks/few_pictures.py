"""Lets a net learn from its float net on few pictures: an epoch has crops of them, in small batches."""

from dataclasses import replace

from mobile_sdk.contract import Contract
from qat.data.crops import with_crops
from qat.data.pictures import Pictures
from qat.progress import say
from qat.training.plan import StepAdam, TrainPlan

CROPS = 160  # an epoch has at least
BATCH = 16
WEIGHT_STEPS = 0.004  # a step of training: ten epochs are a hundred steps, in which a weight must reach another code


def with_more_views(plan: TrainPlan, pictures: Pictures, contract: Contract) -> tuple[TrainPlan, Pictures]:
    """Returns plan and pictures; fewer pictures than `CROPS` give as many crops an epoch, of which a step takes 16.

    Only pictures without labels are cut, and only for a plan that learns from the float net alone: a label may name
    what a crop, or a mirrored one, does not show.
    """
    train, losses = pictures.train, plan.distillation
    if losses is None or losses.labels or len(train) >= CROPS or max(train.targets, default=-1) >= 0:
        return plan, pictures
    views = with_crops(train, contract.input, CROPS)
    if len(views) == len(train):  # arrays
        return plan, pictures
    say(f"an epoch has {CROPS} crops of {len(train)} pictures, in {CROPS // BATCH} steps")
    plan = replace(plan, batch=min(plan.batch, BATCH), optimizer=StepAdam(weight_steps=WEIGHT_STEPS))
    return plan, replace(pictures, train=views)
