"""Refuses, by name, a plan's settings that would have no effect."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import nn

from mobile_sdk.errors import SettingError
from qat.training.optimization.phases import FREE, Schedulable
from qat.training.plan import StepAdam, TrainPlan


def check_unread(plan: TrainPlan, learner: str, names: Iterable[str]) -> None:
    """Raises SettingError for the first named setting that is on although the learner's loss does not read it."""
    for name in names:
        if value := getattr(plan, name):
            raise SettingError(
                f"expected a plan without {name}, which a {learner}'s loss does not read, found {value}",
                hint=f"leave {name} out",
            )


def check_labels_are_read(plan: TrainPlan, targets: Sequence[int]) -> None:
    """Raises SettingError for settings of a plan about labels if no training picture has one."""
    if max(targets, default=-1) >= 0:
        return
    asked = {"distillation.labels": plan.distillation and plan.distillation.labels, "class_balance": plan.class_balance}
    for name, value in asked.items():
        if value:
            raise SettingError(
                f"expected pictures with labels for {name}, found {len(targets)} without", hint=f"leave {name} out"
            )


def check_net_fits(plan: TrainPlan, net: nn.Module) -> None:
    """Raises SettingError for settings of a plan about fake-quantized nets if `net` is none."""
    if isinstance(net, Schedulable):
        return
    asked = {
        "phases": (plan.phases != (FREE,), f"phases ({', '.join(phase.name for phase in plan.phases)})"),
        "optimizer": (isinstance(plan.optimizer, StepAdam), "StepAdam, whose rates are in steps of an int8 grid,"),
    }
    for name, (is_asked, feature) in asked.items():
        if is_asked:
            raise SettingError(
                f"expected a fake-quantized net for {feature.rstrip(',')}, found a float {type(net).__name__}",
                hint=f"prepare() the net, or give the plan no {name} of its own",
            )


def check_folder(out: Path | str | None, *, resume: bool = True, overwrite: bool = False) -> None:
    """Raises SettingError for settings about a folder's checkpoint if there is no folder."""
    if out is None and (overwrite or not resume):
        found = "overwrite" if overwrite else "resume=False"
        raise SettingError(f"expected a folder `out` beside {found}, found none", hint=f"leave {found} out")
