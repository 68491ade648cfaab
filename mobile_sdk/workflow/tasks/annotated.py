"""Implements the common part of detection and segmentation: every picture has its truth; a float net never teaches."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic

from torch import nn

from mobile_sdk.contract import Contract
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.program.program import Program
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.tasks.registry import task_of
from mobile_sdk.workflow.choices import DIGITS
from mobile_sdk.workflow.tasks.task import Composer, Pictures, Task
from qat.data.picture_set import PictureSet
from qat.progress import Shown, say
from qat.training.history import History
from qat.training.plan import Augmenting, TrainPlan


@dataclass(frozen=True, kw_only=True)
class Functions(Generic[Pictures]):
    """Names the functions that do the work of a task with annotated pictures."""

    load_digits: Callable[[], Pictures]  # composed ones
    fresh_digits: Callable[..., Composer]
    load_folder: Callable[[str], Pictures]
    truths_in: Callable[..., Any]  # of pictures for an ImageSpec
    plan: Callable[..., TrainPlan]
    build: Callable[..., nn.Module]
    fit: Callable[..., History]
    evaluate: Callable[..., Quality]


class AnnotatedTask(Task[Pictures]):
    """Trains by one plan without recipes, and measures the float net and int8 alike."""

    epochs: ClassVar[int] = 40
    augmentation: ClassVar[type[Augmenting]]
    functions: ClassVar[Functions[Any]]

    def load_pictures(self, data: str) -> Pictures:
        """Returns pictures composed of digits, or a folder's."""
        found: Pictures = self.functions.load_digits() if data == DIGITS else self.functions.load_folder(data)
        return found

    def composer(self, count: int, data: str, seed: int) -> Composer | None:
        """Composes fresh digits."""
        return self.functions.fresh_digits(count, seed=seed) if data == DIGITS else None

    def plan(self, recipe: str | None, data: str, epochs: int | None, seed: int) -> TrainPlan:
        """Returns the task's one plan."""
        return self.functions.plan(epochs or self.epochs, seed=seed)

    def augmenting(self, plan: TrainPlan, pictures: Pictures, *, composes: bool) -> TrainPlan:
        """Returns the plan with the task's own augmentation, which news name."""
        plan = plan.augmenting(self.augmentation, has_sides=pictures.train.has_sides, composes=composes)
        say(f"augmentation: {plan.augmentation or 'none, every epoch composes other pictures'}")
        return plan

    def build(self, net: str, contract: Contract, width: float) -> nn.Module:
        """Returns the net on that backbone."""
        return self.functions.build(net, contract, width=width, **self.net_settings)

    def train(
        self,
        net: nn.Module,
        contract: Contract,
        pictures: Pictures,
        plan: TrainPlan,
        *,
        teacher: nn.Module | None = None,
        compose: Composer | None = None,
        out: Path,
        overwrite: bool = False,
    ) -> History:
        """Trains by `functions.fit`, without a teacher."""
        return self.functions.fit(
            net, pictures, plan, compose=compose, out=out, overwrite=overwrite, progress=Shown.get()
        )

    def to_calibrate_on(self, pictures: Pictures) -> PictureSet:
        """Returns the training pictures, without their truths."""
        found: PictureSet = pictures.train.pictures
        return found

    def scoring(self, net: nn.Module, contract: Contract) -> nn.Module:
        """Returns the float net with outputs as the contract has them."""
        return net

    def judged(self, net: nn.Module, program: Program, held_out: Any) -> dict[str, Any]:
        """Returns the measure of the float net and of the int8 reference on held-out pictures."""
        contract = program.contract
        outputs = expected_scores(program, held_out.bytes(contract.image))
        of_int8 = task_of(contract).quality(outputs, self.functions.truths_in(held_out, contract.image), contract)
        of_float = self.functions.evaluate(self.scoring(net, contract), held_out, contract)
        say(f"{self.measure}: float {of_float.value:.4f}, int8 reference {of_int8.value:.4f}")
        return {"float_quality": of_float, "reference_quality": of_int8}
