"""Implements features: a net of the user's own, whose outputs are taken as they are; pictures need no labels."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mobile_sdk.comparison import compare
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.reference import channels_last
from mobile_sdk.graph.score_steps import real_values
from mobile_sdk.program.agreement import OutputNoise, sqnr_text
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.program.program import Program
from mobile_sdk.workflow.choices import DIGITS
from mobile_sdk.workflow.tasks.judged_pictures import to_judge_on
from mobile_sdk.workflow.tasks.labelled_pictures import is_arrays_file
from mobile_sdk.workflow.tasks.task import Composer, Task
from qat.calibration.noise import outputs_of
from qat.calibration.plan import CalibrationPlan
from qat.capture.float_scores import float_outputs
from qat.data.arrays import load_arrays
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures, load_mnist, load_unlabelled, without_labels
from qat.progress import say
from qat.training.batches import evaluation_batches
from qat.training.history import History
from qat.training.plan import TrainPlan

_OWN_NETS = "quantize --model MODULE:FUNCTION --task features takes a net of your own, with its weights"


class Features(Task[Pictures]):
    """Calibrates, and measures how far every output is from the float net's; there is nothing to train by."""

    name, title_of_pictures = "features", "pictures without labels"
    measure, json_measure, others_px = "agreement with the float net", "float_agreement_share", 224

    def load_pictures(self, data: str) -> Pictures:
        """Returns all pictures below a folder, or the digits, a part of them held out; or the arrays of a file."""
        if is_arrays_file(data):
            return replace(load_arrays(data), labels=())
        found = load_mnist().train if data == DIGITS else load_unlabelled(data)
        return without_labels(found, ())

    def described(self, pictures: Pictures) -> str:
        """Returns a line with the number of pictures."""
        return f"{len(pictures.train)} pictures to calibrate on, {len(pictures.validation)} held out"

    def plan(self, recipe: str | None, data: str, epochs: int | None, seed: int) -> TrainPlan:
        """Returns the default plan, which nothing follows."""
        return TrainPlan()

    def plan_in_int8(self, epochs: int, after: TrainPlan, *, can_teach: bool) -> TrainPlan:
        """Raises SettingError: training in int8 needs labels."""
        raise SettingError(
            f"expected --epochs 0 for features, which have no labels to train on, found {epochs}",
            hint="leave --epochs out: calibration needs no labels",
        )

    def augmenting(self, plan: TrainPlan, pictures: Pictures, *, composes: bool) -> TrainPlan:
        """Returns the plan."""
        return plan

    def calibration(self, *, has_pictures: bool = True) -> CalibrationPlan:
        """Returns the default plan for calibration; made-up pictures need another than real ones."""
        return CalibrationPlan() if has_pictures else CalibrationPlan.made_up()

    def build(self, net: str, contract: Contract, width: float) -> nn.Module:
        """Raises SettingError: there is no net by name."""
        raise SettingError(f"expected a net of your own for features, found the name {net}", hint=_OWN_NETS)

    def check_net(self, net: str, width: float, image: ImageSpec) -> None:
        """Raises SettingError: there is no net by name."""
        raise SettingError(f"expected a net of your own for features, found the name {net}", hint=_OWN_NETS)

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
        """Raises SettingError: there is nothing to train by."""
        raise SettingError("expected a task with labels to train by, found features", hint=_OWN_NETS)

    def to_calibrate_on(self, pictures: Pictures) -> PictureSet:
        """Returns the pictures that are not held out."""
        return pictures.train

    def judged(self, net: nn.Module, program: Program, held_out: PictureSet) -> dict[str, Any]:
        """Returns how far the int8 reference's outputs are from the float net's; few pictures give crops as well."""
        source, graph = program.contract.input, program.graph
        own, compared = float_outputs(net, source.shape), to_judge_on(held_out, source)
        with torch.inference_mode():
            batches = evaluation_batches(compared, source, torch.device("cpu"))
            computed = [outputs_of(own(rgb)) for rgb, _ in batches]
        wanted = [channels_last(torch.cat(parts).numpy()) for parts in zip(*computed, strict=True)]
        codes = expected_scores(program, compared.bytes(source))
        noise = []
        for name, found, exact in zip(graph.output_names, real_values(codes, graph), wanted, strict=True):
            near = compare(found.reshape(len(exact), -1), exact.reshape(len(exact), -1))
            noise.append(
                OutputNoise(
                    name=name,
                    sqnr_db=near.sqnr_db,
                    largest_difference=near.max_steps,
                    images=len(compared),
                    whole_images=len(held_out),
                )
            )
        for each in noise:
            say(f"{each.name}: {sqnr_text(each.sqnr_db)}, at most {each.largest_difference:.4g} from the float net's")
        return {"outputs": tuple(noise)}
