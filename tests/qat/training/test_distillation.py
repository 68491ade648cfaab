"""Distillation: an int8 net learns from its float teacher, without labels, and the two are held to fit."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import SettingError
from qat.calibration.calibration import calibrate
from qat.capture.capture import capture
from qat.data.pictures import Pictures
from qat.layers.quantizers.fake_quant import weight_scales
from qat.layers.weighted import Weighted, in_float
from qat.nets import build_net
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.preparation.features import feature_names, with_features
from qat.preparation.preparation import prepare
from qat.tasks.classification.training import fit
from qat.training.distillation import Distillation
from qat.training.plan import StepAdam, TrainPlan
from qat.training.teacher import DistillationLoss
from tests.support.training.small_task import CONTRACT, LABELS, PLAN, figures, pictures, same, tiny_net

DISTILLED = replace(TrainPlan.distil(epochs=6, after=PLAN), ema_decay=0.9)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def teacher() -> nn.Module:
    net = tiny_net()
    fit(net, pictures(), PLAN, contract=CONTRACT, progress=False)
    return net


def unlabelled() -> Pictures:
    parts = [replace(part, targets=(-1,) * len(part)) for part in (pictures().train, pictures().validation)]
    return Pictures(train=parts[0], validation=parts[1], labels=LABELS)


def student_of(teacher: nn.Module) -> FakeQuantNet:
    student = prepare(teacher, CONTRACT)
    calibrate(student, pictures().train)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():  # as a net whose rounding hurts
        for weight in student.parameters():
            weight.mul_(1 + 0.3 * torch.randn(weight.shape, generator=random))
    return student


@torch.no_grad()
def sqnr_db(student: nn.Module, teacher: nn.Module) -> float:
    rgb = pictures(validation_count=100).validation.tensors(CONTRACT.image)
    found, wanted = student.eval()(rgb), teacher.eval()(rgb)
    return 10 * math.log10(wanted.square().sum() / (found - wanted).square().sum())


@pytest.mark.parametrize("distillation", [Distillation(), Distillation(features=0)])
def test_pictures_without_labels_bring_a_student_nearer_to_its_teacher(
    distillation: Distillation, teacher: nn.Module
) -> None:
    student, before = student_of(teacher), {name: value.clone() for name, value in teacher.state_dict().items()}
    start_db = sqnr_db(student, teacher)
    plan = replace(DISTILLED, distillation=distillation, learning_rate=0.02, optimizer=StepAdam(weight_steps=0.5))
    history = fit(student, unlabelled(), plan, teacher=teacher, progress=False)
    assert sqnr_db(student, teacher) > start_db + 4
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    last = history.epochs[-1]
    assert last.train_accuracy_share is None and last.validation_accuracy_share is None
    assert last.validation_agreement_share is not None and last.validation_agreement_share >= 0.9
    assert "as the teacher" in last.line(6) and "accuracy" not in last.line(6)


def test_a_student_of_a_teacher_drops_nothing(teacher: nn.Module) -> None:
    student = student_of(teacher)
    dropouts = [module for module in student.modules() if isinstance(module, nn.Dropout)]
    modes: list[bool] = []
    for dropout in dropouts:
        dropout.register_forward_hook(lambda module, *_: modes.append(module.training))
    fit(student, unlabelled(), replace(DISTILLED, epochs=2), teacher=teacher, progress=False)
    assert len(dropouts) == 1 and len(modes) > 10 and not any(modes)


def test_a_distilled_run_goes_on_bit_for_bit_with_its_average(tmp_path: Path, teacher: nn.Module) -> None:
    whole, parts, again = (student_of(teacher) for _ in range(3))

    def interrupt(module: nn.Module, _: object, output: Tensor) -> None:
        if not module.training:
            interrupt.validations += 1  # type: ignore[attr-defined]
            if interrupt.validations == 3:  # type: ignore[attr-defined]
                raise KeyboardInterrupt

    interrupt.validations = 0  # type: ignore[attr-defined]
    hook = parts.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(parts, unlabelled(), DISTILLED, teacher=teacher, out=tmp_path)
    hook.remove()
    histories = [
        fit(student, unlabelled(), DISTILLED, teacher=teacher, out=out)
        for student, out in ((whole, None), (again, tmp_path))
    ]
    assert same(whole, again) and figures(histories[0]) == figures(histories[1])


def test_a_checkpoint_of_another_teacher_is_not_replaced_unasked(
    tmp_path: Path, teacher: nn.Module, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, other = replace(DISTILLED, epochs=1), tiny_net(seed=9)
    fit(student_of(teacher), unlabelled(), plan, teacher=teacher, out=tmp_path)
    with pytest.raises(SettingError, match="with other teacher"):
        fit(student_of(teacher), unlabelled(), plan, teacher=other, out=tmp_path)
    fit(student_of(teacher), unlabelled(), plan, teacher=other, out=tmp_path, overwrite=True)
    assert "a run with other teacher:" in capsys.readouterr().err


def test_a_teacher_with_other_scores_is_refused(teacher: nn.Module) -> None:
    wide = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4))
    with pytest.raises(SettingError, match=r"expected a teacher that gives scores \(2, 3\) .*found \(2, 4\)"):
        fit(student_of(teacher), unlabelled(), DISTILLED, teacher=wide)


def test_a_teacher_with_another_inside_may_teach_scores_but_no_features(teacher: nn.Module) -> None:
    other = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    with pytest.raises(SettingError, match=r"another tensor at .*compare scores alone: Distillation\(features=0\)"):
        fit(student_of(teacher), unlabelled(), DISTILLED, teacher=other)
    scores_alone = replace(DISTILLED, epochs=1, distillation=Distillation(features=0))
    fit(student_of(teacher), unlabelled(), scores_alone, teacher=other)


def test_weights_and_steps_move_by_shares_of_their_own_grids(teacher: nn.Module) -> None:
    student, plan = student_of(teacher), TrainPlan.distil(after=PLAN)
    assert isinstance(plan.optimizer, StepAdam) and [phase.name for phase in plan.phases] == ["learn steps", "hold"]
    layers = [module for module in student.modules() if isinstance(module, Weighted)]
    scales = [weight_scales(layer.weight) if layer.scales is None else layer.scales for layer in layers]
    steps = [float(each.median()) for each in scales]
    student.learn_steps()
    before = {name: value.detach().clone() for name, value in student.named_parameters()}
    one_batch = Pictures(train=unlabelled().train[:8], validation=unlabelled().validation[:4], labels=LABELS)
    fit(student, one_batch, replace(plan, epochs=1, warm_up_epochs=0.0), teacher=teacher, progress=False)
    moved = {name: float((value.detach() - before[name]).abs().max()) for name, value in student.named_parameters()}
    names = {parameter: name for name, parameter in student.named_parameters()}
    # Adam's first step is its rate, whatever the gradient.
    for layer, step in zip(layers, steps, strict=True):
        assert moved[names[layer.weight]] == pytest.approx(plan.optimizer.weight_steps * step, rel=0.05)
        assert isinstance(layer.scales, nn.Parameter)
        assert moved[names[layer.scales]] == pytest.approx(plan.optimizer.range_share * step, rel=0.05)
    ends = [name for name in moved if name.endswith((".low", ".high"))]
    assert ends and all(0 <= moved[name] < 0.02 for name in ends) and any(moved[name] > 0 for name in ends)


def test_teacher_and_distillation_come_together_and_pictures_without_labels_need_them(teacher: nn.Module) -> None:
    without = replace(DISTILLED, distillation=None)
    with pytest.raises(SettingError, match="found distillation alone"):
        fit(student_of(teacher), pictures(), DISTILLED)
    with pytest.raises(SettingError, match="found a teacher alone"):
        fit(student_of(teacher), pictures(), without, teacher=teacher)
    with pytest.raises(SettingError, match="expected pictures with labels, or a teacher"):
        fit(student_of(teacher), unlabelled(), without)
    with pytest.raises(SettingError, match="found Distillation"):
        Distillation(scores=0, features=0)


@torch.no_grad()
def test_labels_divergence_scores_and_features_are_weighed(teacher: nn.Module) -> None:
    student, rgb = student_of(teacher).eval(), pictures().train[:8].tensors(CONTRACT.image)
    targets = torch.tensor([0, 1, 2, 0, 1, 2, -1, -1])

    def loss(**weights: float) -> float:
        zero = {"scores": 0.0, "features": 0.0, "divergence": 0.0, "labels": 0.0}
        whole = DistillationLoss(student, teacher, CONTRACT, Distillation(**{**zero, **weights}))
        return float(whole(rgb, targets, 0.0)[0])

    scores, wanted = student(rgb), teacher.eval()(rgb)
    assert loss(scores=1) == pytest.approx(float((scores - wanted).square().sum() / wanted.square().sum()), rel=1e-4)
    expected = nn.functional.cross_entropy(scores[:6], targets[:6])
    assert loss(labels=1) == pytest.approx(float(expected), rel=1e-4)
    soft = [torch.softmax(each / 2, dim=1) for each in (wanted, scores)]
    divergence = 4 * (soft[0] * (soft[0] / soft[1]).log()).sum(dim=1).mean()
    assert loss(divergence=1, temperature=2) == pytest.approx(float(divergence), rel=1e-3)
    parts = loss(scores=2), loss(features=3)
    assert loss(scores=2, features=3) == pytest.approx(sum(parts), rel=1e-4) and min(parts) > 0


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small"])
def test_features_are_what_blocks_hand_on_and_are_the_float_nets_own(name: str) -> None:
    contract = Contract(name="x", labels=LABELS, image=ImageSpec(size_px=32))
    net = build_net(name, contract, width=0.35 if name == "mobilenet_v2" else 0.5).eval()
    captured = in_float(capture(net, 32))
    names = feature_names(captured.graph)
    rgb = torch.randn(2, 3, 32, 32)
    scores, features = with_features(captured, names).eval()(rgb)
    assert torch.allclose(scores, net(rgb), atol=1e-4)
    assert len(features) == len(names) == {"mobilenet_v1": 0, "mobilenet_v2": 27, "mobilenet_v3_small": 18}[name]
    assert all(feature.ndim == 4 for feature in features)
