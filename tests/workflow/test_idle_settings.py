"""A setting that would do nothing is refused by its name; one that nobody set never is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from mobile_sdk.cli.app import call
from mobile_sdk.errors import SettingError
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.preparation.preparation import prepare
from qat.tasks.classification.training import fit
from qat.training.distillation import Distillation
from qat.training.optimization.phases import HELD
from qat.training.plan import DISTILLING, AdamW, NesterovSgd, RmsProp, Staircase, StepAdam, TrainPlan
from tests.support.command_line import SmallRun
from tests.support.training.annotated_tasks import SHORT, boxed, detect, masked, segment
from tests.support.training.small_task import CONTRACT, PLAN, pictures, tiny_net

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"optimizer": StepAdam(), "weight_decay": 0.02}, "no weight decay beside StepAdam.*weight_decay=0.02"),
        ({"distillation": Distillation(), "label_smoothing": 0.1}, "no label smoothing beside a distillation"),
        ({"distillation": Distillation(), "class_balance": True}, "no class_balance beside a distillation"),
        ({"class_balance": 0.5}, "class_balance True or False"),
        ({"optimizer": StepAdam(range_share=0.1)}, "no range_share of StepAdam's without a phase that learns steps"),
        ({"optimizer": NesterovSgd(momentum=0.0)}, "an optimizer whose settings are in range"),
        ({"optimizer": RmsProp(epsilon=0.0)}, "an optimizer whose settings are in range"),
        ({"optimizer": AdamW(betas=(0.9, 1.0))}, "an optimizer whose settings are in range"),
        ({"optimizer": AdamW(betas=0.9)}, "an optimizer whose settings are in range"),
        ({"optimizer": StepAdam(weight_steps=0.0)}, "an optimizer whose settings are in range"),
        ({"schedule": Staircase(factor=0.9, every_epochs=0)}, "a Staircase with a factor above 0"),
        ({"schedule": Staircase(factor=float("nan"))}, "a Staircase with a factor above 0"),
    ],
)
def test_a_plan_with_a_setting_that_its_others_leave_nothing_to_do_is_refused(
    fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingError, match=told):
        TrainPlan(**fields)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -1.0, "1"])
def test_a_distillation_weighs_by_numbers(weight: Any) -> None:
    for field in ("scores", "features", "divergence", "labels"):
        with pytest.raises(SettingError, match="expected weights of 0 or more"):
            Distillation(**{field: weight})


def test_a_temperature_without_a_divergence_is_refused() -> None:
    with pytest.raises(SettingError, match="expected a temperature beside a divergence, found temperature 2 alone"):
        Distillation(temperature=2.0)
    assert Distillation(temperature=2.0, divergence=0.1).temperature == 2.0


@pytest.mark.parametrize("headroom", [-0.1, float("nan"), float("inf"), "0.3", None])
def test_a_headroom_that_ranges_cannot_have_is_refused(headroom: Any) -> None:
    with pytest.raises(SettingError, match="expected a headroom of 0 or more"):
        CalibrationPlan(headroom_share=headroom)


def test_defaults_fit_every_optimizer_and_stay_what_they_were() -> None:
    decays = {type(each).__name__: TrainPlan(optimizer=each).decay for each in (AdamW(), NesterovSgd(), RmsProp())}
    assert decays == {"AdamW": 0.02, "NesterovSgd": 0.02, "RmsProp": 0.02}
    assert TrainPlan(optimizer=StepAdam()).decay == replace(TrainPlan.digits(), optimizer=StepAdam()).decay == 0.0
    assert (TrainPlan().decay, TrainPlan().smoothing) == (0.02, 0.1)
    assert TrainPlan(weight_decay=0.3, label_smoothing=0.0).decay == 0.3
    for after in (None, TrainPlan(label_smoothing=0.2, class_balance=True)):
        assert TrainPlan.distil(after=after).class_balance is False
    weighed = TrainPlan.distil(after=TrainPlan(class_balance=True), distillation=Distillation(labels=1.0))
    assert weighed.class_balance and TrainPlan.finetune(after=weighed).class_balance


def unlabelled() -> Pictures:
    part = pictures().train
    return replace(pictures(), train=PictureSet(sources=part.sources, targets=(-1,) * len(part)))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"plan": replace(PLAN, phases=(HELD,))}, r"a fake-quantized net for phases \(hold\), found a float TinyNet"),
        ({"plan": replace(PLAN, phases=DISTILLING)}, "a fake-quantized net for phases"),
        ({"plan": TrainPlan.finetune(2)}, "a fake-quantized net for phases"),
        ({"plan": replace(PLAN, optimizer=StepAdam())}, "a fake-quantized net for StepAdam"),
        ({"overwrite": True}, "a folder `out` beside overwrite"),
        ({"resume": False}, "a folder `out` beside resume=False"),
    ],
)
def test_what_a_float_net_without_a_folder_leaves_nothing_to_do_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingError, match=told):
        fit(tiny_net(), pictures(), contract=CONTRACT, **settings)


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (TrainPlan.distil(1, distillation=Distillation(features=0, labels=1.0)), "with labels for distillation.labels"),
        (TrainPlan.distil(1, after=replace(PLAN, batch=8)), ""),
    ],
)
def test_labels_that_are_weighed_must_be_there(plan: TrainPlan, told: str) -> None:
    student, teacher = prepare(tiny_net(), CONTRACT), tiny_net()
    if not told:
        fit(student, unlabelled(), plan, teacher=teacher, progress=False)
        return
    with pytest.raises(SettingError, match=told):
        fit(student, unlabelled(), plan, teacher=teacher)


@pytest.mark.parametrize(
    ("learn", "make", "fields", "told"),
    [
        (detect, boxed, {"label_smoothing": 0.1}, "label_smoothing, which a detector's loss does not read, found 0.1"),
        (detect, boxed, {"class_balance": True}, "class_balance, which a detector's loss"),
        (detect, boxed, {"distillation": Distillation()}, "distillation, which a detector's loss"),
        (segment, masked, {"distillation": Distillation()}, "distillation, which a segmenter's loss"),
        (segment, masked, {"phases": (HELD,)}, "a fake-quantized net for phases"),
    ],
)
def test_what_a_task_does_not_read_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    learn: Callable[..., nn.Module],
    make: Callable[[], Any],
    fields: dict[str, Any],
    told: str,
) -> None:
    monkeypatch.setattr("tests.support.training.annotated_tasks.SHORT", replace(SHORT, **fields))
    with pytest.raises(SettingError, match=told):
        learn(make(), make(), tmp_path)


OF_VERBS = {
    "balance of boxes": ("train --task detection --class-balance", "no --class-balance for detection"),
    "balance of boxes, run": ("run --task detection --class-balance", "no --class-balance for detection"),
    "candidates": ("search --target-share 0.5 --candidates 3", "no --candidates for netadapt"),
    "their epochs": ("search --target-share 0.5 --candidate-epochs 5", "no --candidate-epochs for netadapt"),
    "exponent": ("search --target-share 0.5 --exponent -0.07", "no --exponent for netadapt"),
    "hard": ("search --target-share 0.5 --hard", "no --hard for netadapt"),
    "steps": ("search --method random --target-share 0.5 --steps 50", "no --steps for random"),
    "step share": ("search --method evolution --target-share 0.5 --step-share 0.1", "no --step-share for evolution"),
    "hard exponent": ("search --method random --target-ms 1 --hard --exponent -0.1", "no --exponent beside --hard"),
    "searched net": ("search --target-ms 1 --weights {net} --net mobilenet_v3_small", "no --net beside"),
    "searched width": ("search --target-ms 1 --weights {net} --width 1.0", "no --width beside"),
    "searched size": ("search --target-ms 1 --weights {net} --size 32", "no --size beside"),
    "pictures": ("inspect {program} --pictures 16", "no --pictures without --sensitivity"),
    "data": ("inspect {program} --data digits", "no --data without --sensitivity"),
    "plot": ("inspect {program} --memory --plot a.svg", "no --plot without --sensitivity"),
    "two views": ("inspect {program} --memory --sensitivity", "no --sensitivity beside --memory"),
    "budget": ("bench {tflite} --quick --max-ms 5", "no --max-ms beside --quick"),
    "extrapolate": (
        "predict mobilenet_v1 --device pixel-1 --extrapolate",
        "no --extrapolate where latencies",
    ),
    "extremes": ("quantize --weights {net} --data digits --calibration extremes,rounding", "extremes alone"),
}


@pytest.mark.parametrize("case", OF_VERBS)
def test_an_option_that_nothing_reads_is_refused(small: SmallRun, capfd: Capture, case: str) -> None:
    command, told = OF_VERBS[case]
    names = {"net": small.folder / "net.safetensors", "program": small.program, "tflite": small.bundle("tflite")}
    assert call(command.format(**names).split()) == 2
    error, hint = capfd.readouterr().err.splitlines()[-2:]
    assert f"error: expected {told}" in error and hint.startswith("hint: ")


def test_a_balance_of_weights_that_are_taken_as_they_are_is_refused(
    small: SmallRun, tmp_path: Path, capfd: Capture
) -> None:
    asked = ["run", "--weights", str(small.folder / "net.safetensors"), "--data", small.pictures, "--epochs", "0"]
    assert call([*asked, "--class-balance", "--out", str(tmp_path)]) == 2
    assert "expected --class-balance beside training in float" in capfd.readouterr().err
