"""Quantizes a net to int8 without training, from a few pictures, in stages that can be switched off."""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from mobile_sdk.arguments import NOTHING, expect
from mobile_sdk.contract import Contract
from mobile_sdk.errors import DataError
from mobile_sdk.program.program import Program
from mobile_sdk.program.record import Record
from mobile_sdk.system.progress import Progress
from qat.arguments.nets import expect_plan
from qat.arguments.weight_bits import WeightBits
from qat.calibration.bias_correction import correct_biases
from qat.calibration.channel_groups import channel_groups
from qat.calibration.equalisation import equalise
from qat.calibration.held_back import CALIBRATED_CROPS, hold_back
from qat.calibration.measured_ranges import measure_ranges
from qat.calibration.noise import computed, sqnr_db
from qat.calibration.plan import CalibrationPlan
from qat.calibration.range_search import search_ranges
from qat.calibration.reconstruction import reconstruct
from qat.calibration.weight_rounding import fit_and_round_weights, round_weights
from qat.data.arguments import to_calibrate_on
from qat.data.picture_set import PictureSet
from qat.freezing.freezing import freeze
from qat.layers.quantizers.fake_quant import WEIGHT_LIMIT
from qat.layers.weighted import Weighted
from qat.preparation.arguments import expect_prepared
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.preparation import prepare
from qat.preparation.snapshot import Snapshot
from qat.preparation.weight_bits import weight_settings
from qat.progress import say, shown
from qat.training.batches import evaluation_batches

if TYPE_CHECKING:
    from qat.data.pictures import Pictures

SQNR_SAID = (
    "dB is SQNR, the signal-to-quantization-noise ratio of the scores: int8 differs from the float net by 10 % at "
    "20 dB, 3 % at 30 and 1 % at 40"
)
CALIBRATION_PICTURES = 512  # about 100 mini-batches suffice (Krishnamoorthi, arXiv 1806.08342, section 3.1.4)
OUTPUT_ROOM = (2.0, 1.5, 1.25)  # beyond the largest score that was seen: others' winners must not be cut
ROOM_COSTS_DB = 0.1  # at most
STAGE_PIXELS = 32 * 224 * 224  # pixels that go through all layers at once: some 2 GiB for a MobileNet


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Records a stage's result: the scores' SQNR on crops of held-back pictures, fake-quantized net against float net.

    `sqnr_db` is that of the whole net in int8 after the stage. A stage is judged by what it has to improve: until the
    weights are rounded that is the noise of int8 activations alone (`judged_by`), whose SQNR goes from `before_db` to
    `after_db`. A stage by which that does not rise is undone; then `is_kept` is False. The first has nothing before it.
    """

    name: str
    sqnr_db: float
    judged_by: Literal["int8", "activations"]
    before_db: float | None
    after_db: float
    is_kept: bool
    duration_s: float


def quantize(
    net: nn.Module,
    contract: Contract,
    pictures: "Pictures | PictureSet",
    plan: CalibrationPlan | None = None,
    *,
    record: Record | None = None,
    keep_float: Sequence[str] = (),
    weight_bits: WeightBits = 8,
    progress: Progress = True,
) -> Program:
    """Returns the int8 program of `net`, calibrated on `pictures` by `plan` (the default plan if None).

    Of pictures in two parts the training part is taken; at most 512 are read, labels are not. Stages and their results
    are in the record's settings. `keep_float` names layers that stay in float32, and `weight_bits` is 8, 4 or
    the bits of layers by name, as in `prepare`.

    Example: `program = qat.quantize(net, contract, qat.load_folder("photos"))`
    """
    expect_plan(plan, CalibrationPlan)
    expect("record", record, Record, NOTHING)
    pictures = to_calibrate_on(pictures)
    prepared = prepare(net, contract, keep_float=keep_float, weight_bits=weight_bits, pictures=pictures)
    stages = calibrate(prepared, pictures, plan, progress=progress)
    record = record or Record(net=type(net).__name__, quantized="calibrated")
    settings = {**record.settings, "calibration": stage_figures(stages), **weight_settings(prepared, weight_bits)}
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
    say(f"calibration: {SQNR_SAID}")
    net.eval()
    net.set_phase(freeze_observers=True, freeze_batch_norm=True)
    yield from _Run(net, plan or CalibrationPlan(), pictures[:CALIBRATION_PICTURES]).stages()


def stage_figures(stages: tuple[Stage, ...]) -> list[dict[str, str | float | bool | None]]:
    """Returns the stages for a record: without durations, so that equal calibrations have equal records."""
    return [
        {
            "stage": stage.name,
            "sqnr_db": round(stage.sqnr_db, 2),
            "judged_by": stage.judged_by,
            "before_db": None if stage.before_db is None else round(stage.before_db, 2),
            "after_db": round(stage.after_db, 2),
            "is_kept": stage.is_kept,
        }
        for stage in stages
    ]


def at_once(views: Tensor) -> Tensor:
    """Returns the first of float `views` (N, C, H, W), as many as go through all layers at once."""
    return views[: max(1, STAGE_PIXELS // prod(views.shape[2:]))]


class _Run:
    def __init__(self, net: FakeQuantNet, plan: CalibrationPlan, pictures: PictureSet) -> None:
        self._net, self._plan = net, plan
        spec = net.contract.input
        self._pictures, judged = hold_back(pictures, spec, plan)
        self._views = self._pictures[:CALIBRATED_CROPS].tensors(spec)
        self._some = at_once(self._views)
        self._judged = judged.tensors(spec)
        self._teacher = _teacher_of(net)
        self._wanted = computed(self._teacher, self._judged)

    def stages(self) -> Iterator[Stage]:
        """Carries out the stages and yields each."""
        yield self._stage("extremes", self._observe, is_undone=False)
        if self._plan.search_ranges:
            yield self._stage("ranges", self._search_ranges, is_of_activations=True)
        if self._plan.equalise and channel_groups(self._net):
            yield self._stage("equalisation", self._equalise, is_of_activations=True)
        if self._plan.search_ranges:
            yield self._stage("ranges, measured", self._measure_ranges, is_of_activations=True)
        if self._plan.round_weights:
            yield self._stage("rounding", self._round_weights)
        if self._plan.correct_biases:
            yield self._stage("biases", lambda: correct_biases(self._net, self._teacher, self._some))
        if self._plan.reconstruct:
            yield self._stage("reconstruction", lambda: reconstruct(self._net, self._teacher, self._views))

    def _stage(
        self, name: str, carry_out: Callable[[], None], *, is_undone: bool = True, is_of_activations: bool = False
    ) -> Stage:
        """Carries out a stage; if the held-back pictures do not gain by it, it is undone.

        One that prepares the activations is judged with weights in float: others tune those afterwards.
        """
        start_s, before, teacher = time.monotonic(), Snapshot(self._net), self._teacher
        factors = dict(self._net.channel_factors)
        former_db = self._sqnr(float_weights=is_of_activations) if is_undone else None
        carry_out()
        found_db = self._sqnr()
        after_db = self._sqnr(float_weights=True) if is_of_activations else found_db
        is_kept = former_db is None or after_db > former_db
        if not is_kept:
            before.restore()
            self._teacher, self._net.channel_factors = teacher, factors
        stage = Stage(
            name=name,
            sqnr_db=found_db,
            judged_by="activations" if is_of_activations else "int8",
            before_db=former_db,
            after_db=after_db,
            is_kept=is_kept,
            duration_s=time.monotonic() - start_s,
        )
        say(f"calibration: {name}: {_gain_text(stage)}, {stage.duration_s:.1f} s")
        return stage

    def _observe(self) -> None:
        """Widens every range to the extremes of its float values, and the headroom beyond them."""
        self._net.calibrate(True)
        for batch, _ in evaluation_batches(self._pictures, self._net.contract.input, torch.device("cpu")):
            self._net(batch)
        self._net.calibrate(False)
        self._net.check_ranges()
        self._net.widen(1 + self._plan.headroom_share)

    def _equalise(self) -> None:
        """Rescales channels and finds all ranges anew."""
        equalise(self._net, self._some)
        self._teacher = _teacher_of(self._net)
        self._net.forget_ranges()
        self._observe()
        if self._plan.search_ranges:
            self._search_ranges()

    def _search_ranges(self) -> None:
        """Finds the ranges, and gives those of outputs room for other pictures' scores, as far as that costs little."""
        search_ranges(self._net, self._some)
        without_db = self._sqnr(float_weights=True)
        for factor in OUTPUT_ROOM:
            self._net.widen(factor, outputs_alone=True)
            if self._sqnr(float_weights=True) > without_db - ROOM_COSTS_DB:
                break
            self._net.widen(1 / factor, outputs_alone=True)

    def _measure_ranges(self) -> None:
        measure_ranges(self._net, self._views)

    def _round_weights(self) -> None:
        layers = [part for part in self._net.modules() if isinstance(part, Weighted) and part.quantizing]
        has_few_codes = any(layer.limit < WEIGHT_LIMIT for layer in layers)
        rounds = fit_and_round_weights if has_few_codes else round_weights
        rounds(self._net, self._teacher, self._some)

    def _sqnr(self, *, float_weights: bool = False) -> float:
        """Returns the scores' SQNR on the held-back pictures, with the weights as they are or before their rounding."""
        layers = [part for part in self._net.modules() if isinstance(part, Weighted) and part.quantizing]
        for layer in layers:
            layer.quantizing = not float_weights
        found = sqnr_db(computed(self._net, self._judged), self._wanted)
        for layer in layers:
            layer.quantizing = True
        return found


def _gain_text(stage: Stage) -> str:
    """Returns what a stage won by the measure that judges it: no figure that another stage is to raise."""
    what = "all in int8" if stage.judged_by == "int8" else "int8 activations alone"
    if stage.before_db is None:
        return f"{stage.after_db:.1f} dB, {what}"
    if not stage.is_kept:
        return f"no gain on {stage.before_db:.1f} dB, {what}: undone"
    return f"{stage.before_db:.1f} → {stage.after_db:.1f} dB, {what}"


def _teacher_of(net: FakeQuantNet) -> FakeQuantNet:
    teacher = copy.deepcopy(net)
    teacher.quantize(False)
    return teacher
