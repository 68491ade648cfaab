"""Implements classification: labelled pictures, one score a label, top-1 accuracy."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from mobile_sdk.comparison import top1
from mobile_sdk.contract import Contract
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.graph.score_steps import real_values
from mobile_sdk.program.agreement import Agreement, Decisions
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.program.program import Program
from mobile_sdk.tasks.class_quality import right_counts, shares_of
from mobile_sdk.tasks.classification import MEASURE
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.workflow.choices import DIGITS, RECIPES, check_choice
from mobile_sdk.workflow.tasks import labelled_pictures
from mobile_sdk.workflow.tasks.judged_pictures import agreement_of, decisions_of, to_judge_on
from mobile_sdk.workflow.tasks.named_net import build_named, header_fields
from mobile_sdk.workflow.tasks.score_check import check_scores
from mobile_sdk.workflow.tasks.task import Composer, Task
from qat.calibration.plan import CalibrationPlan
from qat.capture.float_scores import without_last_activation
from qat.data.augmentation.classification import Augmentation
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.progress import Shown
from qat.tasks.classification.training import fit, scores
from qat.training.history import History
from qat.training.plan import TrainPlan

DIGITS_EPOCHS = 10  # the net knows the digits by then (98 %), and a first run should be short
PLANS: Mapping[str, Callable[[], TrainPlan]] = dict(
    zip(
        RECIPES,
        (
            TrainPlan,
            TrainPlan.digits,
            TrainPlan.mobilenet_v1_paper,
            TrainPlan.mobilenet_v2_paper,
            TrainPlan.mobilenet_v3_paper,
        ),
        strict=True,
    )
)


class Classification(Task[Pictures]):
    """Trains on labels, or in int8 on the float net; starts from random or from published weights."""

    name, title_of_pictures = "classification", "pictures"
    measure, json_measure = "validation accuracy", "float_accuracy_share"
    recipes, starts_from_weights, compares_scores, epochs_in_int8 = RECIPES, True, True, 3
    fit, digits_px, others_px = "crop", 32, 224  # MNIST's digits are 28 × 28

    def __init__(self, head: str | None = None, output_stride: int | None = None) -> None:
        """Raises SettingError for a head or an output stride: a classifier is a whole net."""
        if head is not None or output_stride is not None:
            raise SettingError(
                "expected --head and --output-stride with --task detection or segmentation alone, found one",
                hint="leave it out, or name the task",
            )
        super().__init__()

    def header(self, net: str, width: float) -> dict[str, Any]:
        """Returns the header of a file of the net's weights; a net of `search` has an architecture."""
        return header_fields(net, width)

    def load_pictures(self, data: str) -> Pictures:
        """Returns the pictures of a folder, of one with shards, or the digits."""
        return labelled_pictures.load_pictures(data)

    def pictures_of(self, contract: Contract, data: str) -> Pictures:
        """Returns the pictures for a net that has its contract, labelled or not."""
        return labelled_pictures.load_pictures_of(contract, data)

    def in_order_of(self, contract: Contract, pictures: Pictures) -> Pictures:
        """Returns the pictures with targets that index the contract's labels, which folders may name otherwise."""
        return labelled_pictures.in_order_of(contract, pictures)

    def described(self, pictures: Pictures) -> str:
        """Returns a line with the labels and how many pictures each has."""
        return labelled_pictures.counts_line(pictures)

    def check_labelled(self, pictures: Pictures, data: str) -> None:
        """Raises DataError for pictures that a float net cannot be trained on."""
        if not self.is_labelled(pictures):
            raise DataError(
                f"expected pictures with labels to train on, found none with labels of the net in {data}",
                hint="lay them out as FOLDER/<label>/*.jpg; quantize, and run --epochs 0, do without labels",
            )

    def is_labelled(self, pictures: Pictures) -> bool:
        """Returns True if every picture has a label."""
        return min((*pictures.train.targets, *pictures.validation.targets)) >= 0

    def plan(self, recipe: str | None, data: str, epochs: int | None, seed: int) -> TrainPlan:
        """Returns the named recipe's plan, with another number of epochs if given; at most half of it is warm-up."""
        name = check_choice("a recipe", recipe or ("digits" if data == DIGITS else "default"), RECIPES)
        plan = PLANS[name]()
        return replace(plan.over(epochs or plan.epochs), seed=seed).augmenting(Augmentation)

    def epochs_of_run(self, data: str) -> int | None:
        """Returns fewer epochs for the digits than their recipe has."""
        return DIGITS_EPOCHS if data == DIGITS else None

    def augmenting(self, plan: TrainPlan, pictures: Pictures, *, composes: bool) -> TrainPlan:
        """Returns the plan, whose augmentation the recipe decides."""
        return plan

    def plan_in_int8(self, epochs: int, after: TrainPlan, *, can_teach: bool) -> TrainPlan:
        """Returns the plan for int8: distillation from the float net, or labels if that cannot teach."""
        return (TrainPlan.distil if can_teach else TrainPlan.finetune)(epochs, after=after)

    def calibration(self, *, has_pictures: bool = True) -> CalibrationPlan:
        """Returns the default plan for calibration; made-up pictures need another than real ones."""
        return CalibrationPlan() if has_pictures else CalibrationPlan.made_up()

    def build(self, net: str, contract: Contract, width: float) -> nn.Module:
        """Returns the net of that name, or of that file's architecture."""
        return build_named(net, contract, width)

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
        """Trains by `fit`; a plan with distillation learns from `teacher`."""
        taught = teacher if plan.distillation else None
        settings: dict[str, Any] = {"out": out, "overwrite": overwrite, "progress": Shown.get()}
        return fit(net, pictures, plan, teacher=taught, contract=contract, **settings)

    def check_outputs(self, net: nn.Module, name: str, contract: Contract) -> None:
        """Raises CaptureError if the net does not give one score a label."""
        check_scores(net, name, contract)

    def to_calibrate_on(self, pictures: Pictures) -> PictureSet:
        """Returns the training pictures."""
        return pictures.train

    def judged(self, net: nn.Module, program: Program, held_out: PictureSet) -> dict[str, Any]:
        """Returns top-1 accuracy and confusions, if the pictures have labels, and how far int8 is from the float net.

        Few pictures are compared with crops of them; accuracy is that of the pictures alone.
        """
        own, count = without_last_activation(net, program.contract.input.shape), len(held_out)
        compared = to_judge_on(held_out, program.contract.input)
        wanted = scores(own, compared, program.contract).numpy()
        codes = expected_scores(program, compared.bytes(program.contract.input))
        (found,) = real_values(codes, program.graph)
        agreement = agreement_of(found, wanted, compared, whole_images=count)
        targets, labels = np.array(held_out.targets), len(program.contract.labels)
        decisions = decisions_of(found[:count], wanted[:count], targets, labels)
        fields: dict[str, Agreement | Decisions | Quality] = {"agreement": agreement, "decisions": decisions}
        if targets.min() >= 0:
            for name, each in (("float_quality", wanted[:count]), ("reference_quality", found[:count])):
                by_class = shares_of(right_counts(top1(each), targets, labels))
                value = float((top1(each) == targets).mean())
                fields[name] = Quality(measure=MEASURE, value=value, images=count, by_class=by_class)
        return fields
