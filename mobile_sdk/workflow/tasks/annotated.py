"""Implements the common part of detection and segmentation: every picture has its truth; a float net never teaches."""

from abc import abstractmethod
from typing import Any, ClassVar

from torch import nn

from mobile_sdk.program.program import Program
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.workflow.tasks.task import Pictures, Task
from qat.data.picture_set import PictureSet
from qat.progress import say
from qat.training.plan import Augmenting, TrainPlan


class AnnotatedTask(Task[Pictures]):
    """Adds a plan without recipes, an augmentation that is reported, and one measure for the float net and int8."""

    epochs: ClassVar[int] = 40
    augmentation: ClassVar[type[Augmenting]]

    def plan(self, recipe: str | None, data: str, epochs: int | None, seed: int) -> TrainPlan:
        """Returns the task's one plan."""
        return self.default_plan(epochs or self.epochs, seed)

    @abstractmethod
    def default_plan(self, epochs: int, seed: int) -> TrainPlan:
        """Returns the plan of so many epochs."""

    def augmenting(self, plan: TrainPlan, pictures: Pictures, *, composes: bool) -> TrainPlan:
        """Returns the plan with the task's own augmentation, which news name."""
        plan = plan.augmenting(self.augmentation, has_sides=pictures.train.has_sides, composes=composes)
        say(f"augmentation: {plan.augmentation or 'none, every epoch composes other pictures'}")
        return plan

    def to_calibrate_on(self, pictures: Pictures) -> PictureSet:
        """Returns the training pictures, without their truths."""
        found: PictureSet = pictures.train.pictures
        return found

    def judged(self, net: nn.Module, program: Program, held_out: Any) -> dict[str, Any]:
        """Returns the measure of the float net and of the int8 reference on held-out pictures."""
        of_float, of_int8 = self.measured(net, program, held_out)
        say(f"{self.measure}: float {of_float.value:.4f}, int8 reference {of_int8.value:.4f}")
        return {"float_quality": of_float, "reference_quality": of_int8}

    @abstractmethod
    def measured(self, net: nn.Module, program: Program, held_out: Any) -> tuple[Quality, Quality]:
        """Returns the measure of the float net and of the int8 reference."""
