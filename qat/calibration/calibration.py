"""Quantizes a net to int8 without training, from a few pictures, in stages that can be switched off."""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import nn

from mobile_sdk.arguments import NOTHING, expect
from mobile_sdk.contract import Contract, NetInput
from mobile_sdk.errors import DataError
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from mobile_sdk.system.progress import Progress
from qat.arguments.nets import expect_plan
from qat.calibration.bias_correction import correct_biases
from qat.calibration.equalisation import check_equalises, equalise
from qat.calibration.noise import sqnr_db
from qat.calibration.plan import CalibrationPlan
from qat.calibration.range_search import search_ranges
from qat.calibration.reconstruction import reconstruct
from qat.calibration.weight_rounding import round_weights
from qat.data.arguments import to_calibrate_on
from qat.data.picture_set import PictureSet
from qat.freezing.freezing import freeze
from qat.preparation.arguments import expect_prepared
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from qat.progress import say, shown
from qat.training.batches import evaluation_batches

if TYPE_CHECKING:
    from qat.data.pictures import Pictures

CALIBRATION_PICTURES = 512  # about 100 mini-batches suffice (Krishnamoorthi, arXiv 1806.08342, section 3.1.4)
STAGE_PIXELS = 32 * 224 * 224  # pixels that go through all layers at once: some 2 GiB for a MobileNet


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Records a stage's result: the scores' SQNR on the calibration pictures, fake-quantized net against float net."""

    name: str
    sqnr_db: float
    duration_s: float


def quantize(
    net: nn.Module,
    contract: Contract,
    pictures: "Pictures | PictureSet",
    plan: CalibrationPlan | None = None,
    *,
    record: Record | None = None,
    keep_float: Sequence[str] = (),
    progress: Progress = True,
) -> Program:
    """Returns the int8 program of `net`, calibrated on `pictures` by `plan` (the default plan if None).

    Of pictures in two parts the training part is taken; at most 512 are read, labels are not. Stages and their results
    are in the record's settings. `keep_float` names layers that stay in float32, as in `prepare`.

    Example: `program = qat.quantize(net, contract, qat.load_folder("photos"))`
    """
    expect_plan(plan, CalibrationPlan)
    expect("record", record, Record, NOTHING)
    pictures = to_calibrate_on(pictures)
    prepared = prepare(net, contract, keep_float=keep_float, pictures=pictures)
    stages = calibrate(prepared, pictures, plan, progress=progress)
    record = record or Record(net=type(net).__name__, quantized="calibrated")
    settings = {**record.settings, "calibration": stage_figures(stages)}
    return freeze(prepared, contract, record.model_copy(update={"settings": settings}))


def calibrate(
    net: FakeQuantNet,
    pictures: "Pictures | PictureSet",
    plan: CalibrationPlan | None = None,
    *,
    progress: Progress = True,
) -> tuple[Stage, ...]:
    """Gives `net` its ranges and, by `plan` (the default plan if None), its codes; then freezes the ranges.

    Of pictures in two parts the training part is taken. `net` is left in eval() mode. Raises DataError if there is no
    picture.
    """
    expect_prepared(net)
    expect_plan(plan, CalibrationPlan)
    with shown(progress):
        return tuple(calibration_stages(net, to_calibrate_on(pictures), plan))


@torch.no_grad()
def calibration_stages(net: FakeQuantNet, pictures: PictureSet, plan: CalibrationPlan | None = None) -> Iterator[Stage]:
    """Calibrates `net` and yields stage by stage: after each one `net` can be frozen."""
    if not len(pictures):
        raise DataError("expected pictures to calibrate on, found none", hint="give a folder of typical pictures")
    for operator in net.left_out:
        say(f"left out: {operator}")
    net.eval()
    net.set_phase(freeze_observers=True, freeze_batch_norm=True)
    yield from _Run(net, plan or CalibrationPlan(), pictures[:CALIBRATION_PICTURES]).stages()


def stage_figures(stages: tuple[Stage, ...]) -> list[dict[str, str | float]]:
    """Returns the stages for a record: without durations, so that equal calibrations have equal records."""
    return [{"stage": stage.name, "sqnr_db": round(stage.sqnr_db, 2)} for stage in stages]


def pixels_of(spec: NetInput) -> int:
    """Returns how many positions one input has."""
    return prod(spec.shape[1:])


class _Run:
    def __init__(self, net: FakeQuantNet, plan: CalibrationPlan, pictures: PictureSet) -> None:
        self._net, self._plan, self._pictures = net, plan, pictures
        spec = net.contract.input
        some = pictures[: max(1, STAGE_PIXELS // pixels_of(spec))]
        self._some = torch.cat([batch for batch, _ in evaluation_batches(some, spec, torch.device("cpu"))])
        self._teacher = _teacher_of(net)

    def stages(self) -> Iterator[Stage]:
        """Carries out the stages and yields each."""
        if self._plan.equalise:
            check_equalises(self._net)
            equalise(self._net, self._some)
            self._teacher = _teacher_of(self._net)
        yield self._stage("equalised, extremes" if self._plan.equalise else "extremes", self._observe)
        if self._plan.search_ranges:
            yield self._stage("range search", lambda: search_ranges(self._net, self._some))
        if self._plan.round_weights:
            yield self._stage("weight rounding", lambda: round_weights(self._net, self._teacher, self._some))
        if self._plan.correct_biases:
            yield self._stage("bias correction", lambda: correct_biases(self._net, self._teacher, self._some))
        if self._plan.reconstruct:
            yield self._stage("reconstruction", lambda: reconstruct(self._net, self._teacher, self._some))

    def _stage(self, name: str, carry_out: Callable[[], None]) -> Stage:
        start_s = time.monotonic()
        carry_out()
        duration_s = time.monotonic() - start_s
        stage = Stage(
            name=name, sqnr_db=sqnr_db(self._net(self._some), self._teacher(self._some)), duration_s=duration_s
        )
        say(f"calibration: {name}: {stage.sqnr_db:.1f} dB SQNR of the scores, {duration_s:.1f} s")
        return stage

    def _observe(self) -> None:
        """Widens every range to the extremes of its float values, and the headroom beyond them."""
        self._net.calibrate(True)
        for batch, _ in evaluation_batches(self._pictures, self._net.contract.input, torch.device("cpu")):
            self._net(batch)
        self._net.calibrate(False)
        self._net.check_ranges()
        self._net.widen(1 + self._plan.headroom_share)


def _teacher_of(net: FakeQuantNet) -> FakeQuantNet:
    teacher = copy.deepcopy(net)
    teacher.quantize(False)
    return teacher
