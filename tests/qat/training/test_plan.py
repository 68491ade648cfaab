"""Plans: the papers' figures, schedules, which weights decay, the optimizer that the papers used, augmentation."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import SettingError
from qat.data.augmentation.classification import Augmentation
from qat.data.boxes.composed_digits import composed_digits
from qat.data.masks.composed_digits import composed_masks
from qat.data.pictures import load_mnist
from qat.training.optimization.phases import FREE
from qat.training.optimization.rmsprop import TensorFlowRMSProp
from qat.training.plan import Cosine, RmsProp, Staircase, TrainPlan
from tests.support.training.small_task import TinyNet

STILL = Augmentation(
    crop_area_share=(1.0, 1.0),
    aspect_ratio=1.0,
    rotation_deg=0.0,
    flip_share=0.0,
    brightness_jitter_share=0.0,
    contrast_jitter_share=0.0,
    saturation_jitter_share=0.0,
    white_balance_jitter_share=0.0,
)


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def photo(count: int = 4, size_px: int = 16) -> Tensor:
    return torch.randint(0, 256, (count, 3, size_px, size_px), generator=random(), dtype=torch.uint8)


def test_mobilenet_v2s_plan_has_the_papers_figures() -> None:
    plan = TrainPlan.mobilenet_v2_paper()
    assert plan.optimizer == RmsProp(decay=0.9, momentum=0.9)
    assert (plan.learning_rate, plan.batch, plan.weight_decay, plan.ema_decay) == (0.045, 96, 4e-5, 0.9999)
    assert plan.learning_rate_at(0, 100) == plan.learning_rate_at(99, 100) == 0.045
    assert plan.learning_rate_at(250, 100) == pytest.approx(0.045 * 0.98**2)


def test_mobilenet_v3s_plan_scales_the_papers_rate_and_warms_up() -> None:
    plan = TrainPlan.mobilenet_v3_paper(batch=4096)
    assert plan.learning_rate == 0.1 and plan.schedule == Staircase(factor=0.99, every_epochs=3)
    assert plan.learning_rate_at(6 * 10, 10) == pytest.approx(0.1 * 0.99**2)
    assert TrainPlan.mobilenet_v3_paper(batch=2048).learning_rate == 0.05


@given(st.integers(1, 50), st.integers(1, 40), st.floats(0, 5))
def test_the_rate_rises_then_falls_to_nearly_zero(epochs: int, steps: int, warm_up_epochs: float) -> None:
    if warm_up_epochs >= epochs:
        return
    plan = TrainPlan(epochs=epochs, warm_up_epochs=warm_up_epochs, schedule=Cosine(), learning_rate=1.0)
    rates = [plan.learning_rate_at(step, steps) for step in range(epochs * steps)]
    top = rates.index(max(rates))
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1]) and rates[top:] == sorted(rates[top:], reverse=True)


def test_only_dense_weights_decay() -> None:
    net = TinyNet()
    for plan in (TrainPlan(), TrainPlan.mobilenet_v1_paper(), TrainPlan.finetune()):
        decayed, spared = plan.optimizer_for(net).param_groups
        assert {id(weight) for weight in decayed["params"]} == {
            id(net.features[0].weight),
            id(net.classifier[2].weight),
        }
        assert decayed["weight_decay"] == plan.decay and spared["weight_decay"] == 0
        assert len(decayed["params"]) + len(spared["params"]) == len(list(net.parameters()))


def test_finetuning_takes_batch_pictures_and_seed_over() -> None:
    float_plan = replace(TrainPlan.digits(), batch=17, seed=5)
    plan = TrainPlan.finetune(2, after=float_plan)
    assert (plan.epochs, plan.batch, plan.seed, plan.augmentation) == (2, 17, 5, Augmentation.digits())
    assert [phase.name for phase in plan.phases] == ["observe", "freeze batch norm", "hold"]


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": 0},
        {"batch": 1},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"epochs": 2, "warm_up_epochs": 2.0},
        {"weight_decay": -1.0},
        {"label_smoothing": 1.0},
        {"ema_decay": 1.0},
        {"phases": ()},
        {"phases": (replace(FREE, begins_share=0.1),)},
        {"phases": (FREE, replace(FREE, name="again"))},
        {"seed": -1},
        {"seed": 2**32},
    ],
)
def test_impossible_plans_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="expected"):
        TrainPlan(**fields)


def test_rmsprop_is_tensorflows_with_the_root_around_epsilon() -> None:
    weight = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    groups = [{"params": [weight], "weight_decay": 0.1}]
    optimizer = TensorFlowRMSProp(groups, lr=0.5, decay=0.9, momentum=0.8, epsilon=0.01)
    w, s, m = weight.tolist(), [1.0, 1.0], [0.0, 0.0]
    for step in range(5):
        optimizer.param_groups[0]["lr"] = rate = 0.5 / (step + 1)
        optimizer.zero_grad()
        (weight**3).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        for i in range(2):
            g = 3 * w[i] ** 2 + 0.1 * w[i]
            s[i] = 0.9 * s[i] + 0.1 * g * g
            m[i] = 0.8 * m[i] + rate * g / math.sqrt(s[i] + 0.01)
            w[i] -= m[i]
    assert weight.tolist() == pytest.approx(w, rel=1e-12)


def test_an_augmentation_without_room_changes_nothing() -> None:
    assert torch.allclose(STILL.apply(photo(), 16, random()), photo().float(), atol=0.02)


def test_a_flip_mirrors() -> None:
    flipped = replace(STILL, flip_share=1.0).apply(photo(), 16, random())
    assert torch.allclose(flipped, photo().flip(3).float(), atol=0.02)


def test_a_turn_is_in_degrees_and_keeps_the_centre() -> None:
    line = torch.zeros(1, 3, 33, 33)
    line[:, :, 16] = 255
    turned = [replace(STILL, rotation_deg=30.0).apply(line, 33, random(seed))[0, 0] for seed in range(40)]
    for picture in turned:
        assert picture[16, 16] > 100
    rise = [abs(int(picture[:, 28].argmax()) - 16) for picture in turned]
    assert 5 <= max(rise) <= math.ceil(12 * math.tan(math.radians(30)))


@given(st.integers(0, 2**31), st.sampled_from([Augmentation(), Augmentation.digits()]))
def test_augmented_pictures_are_bytes_in_range_and_repeat_with_the_seed(seed: int, augmentation: Augmentation) -> None:
    result = augmentation.apply(photo(), 12, random(seed))
    assert result.shape == (4, 3, 12, 12) and result.dtype == torch.float32
    assert result.min() >= 0 and result.max() <= 255
    assert torch.equal(result, augmentation.apply(photo(), 12, random(seed)))


def test_digits_stay_grey_and_pictures_in_a_batch_differ() -> None:
    grey = photo()[:1, :1].expand(8, 3, 16, 16)
    result = Augmentation.digits().apply(grey, 16, random())
    assert torch.equal(result[:, 0], result[:, 1]) and torch.equal(result[:, 0], result[:, 2])
    assert not torch.allclose(result[0], result[1])


def test_brightness_is_a_factor_and_saturation_spares_grey() -> None:
    grey = torch.full((64, 3, 4, 4), 100.0)
    bright = replace(STILL, brightness_jitter_share=0.3).apply(grey, 4, random())
    assert 70 <= bright.min() < 80 and 120 < bright.max() <= 130
    saturated = replace(STILL, saturation_jitter_share=0.5).apply(grey, 4, random())
    assert torch.allclose(saturated, grey, atol=0.01)


def test_contrast_turns_about_the_pictures_own_mean_grey() -> None:
    grey = torch.randint(90, 150, (16, 1, 8, 8), generator=random()).float().expand(16, 3, 8, 8)
    result = replace(STILL, contrast_jitter_share=0.4).apply(grey, 8, random())
    before, after = (pictures - pictures.mean(dim=(1, 2, 3), keepdim=True) for pictures in (grey, result))
    factors = after.std(dim=(1, 2, 3)) / before.std(dim=(1, 2, 3))
    assert torch.allclose(result.mean(dim=(1, 2, 3)), grey.mean(dim=(1, 2, 3)), atol=0.1)
    assert torch.allclose(after, before * factors.view(-1, 1, 1, 1), atol=0.1)
    assert 0.6 <= factors.min() < 0.8 and 1.2 < factors.max() <= 1.4


def test_saturation_moves_colours_along_the_line_from_their_own_grey() -> None:
    luma = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601
    colour = torch.tensor([120.0, 90.0, 60.0]).view(1, 3, 1, 1).expand(16, 3, 4, 4)
    result = replace(STILL, saturation_jitter_share=0.5).apply(colour, 4, random())[:, :, 0, 0]
    grey = luma @ colour[0, :, 0, 0]
    factors = (result - grey) / (colour[:, :, 0, 0] - grey)
    assert torch.allclose(result @ luma, grey.expand(16), atol=0.01)
    assert torch.allclose(factors, factors[:, :1].expand(16, 3), atol=0.01) and factors[:, 0].std() > 0.1


def test_sources_are_decoded_with_a_margin() -> None:
    assert Augmentation().source(ImageSpec(size_px=224)).size_px == 256


@pytest.mark.parametrize("draw", [load_mnist, composed_digits, composed_masks])
@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, None])
def test_a_seed_that_no_generator_takes_is_refused(draw: Callable[..., object], seed: object) -> None:
    with pytest.raises(SettingError, match="expected a seed from 0 to 4294967295"):
        draw(seed=seed)
