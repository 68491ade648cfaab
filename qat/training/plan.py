"""Defines how a net is trained: one frozen plan for float and quantization-aware training, and the papers' plans."""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import nn

from mobile_sdk.arguments import MOST_SEED, is_seed
from mobile_sdk.errors import SettingError
from qat.arguments.settings import Rule, check_settings
from qat.data.augmentation.classification import Augmentation
from qat.data.augmentation.detection import DetectionAugmentation
from qat.data.augmentation.segmentation import SegmentationAugmentation
from qat.training.distillation import Distillation
from qat.training.optimization.phases import FREE, Phase, are_in_order
from qat.training.optimization.rmsprop import TensorFlowRMSProp

Augmenting = Augmentation | DetectionAugmentation | SegmentationAugmentation
"""An augmentation is for pictures with labels, boxes or masks."""


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """Selects Adam with decoupled weight decay. Source: Loshchilov, Hutter 2019."""

    betas: tuple[float, float] = (0.9, 0.999)


@dataclass(frozen=True, kw_only=True)
class StepAdam:
    """Selects Adam for fake-quantized nets: a step moves weights by up to `weight_steps` of their int8 grid's step.

    Learned steps and ends of ranges move by up to `range_share` of themselves. The plan's rate is for all other
    parameters, a batch norm's in units of its gain; all follow its schedule.
    """

    weight_steps: float = 0.001
    range_share: float = 0.0001
    betas: tuple[float, float] = (0.9, 0.99)


@dataclass(frozen=True, kw_only=True)
class NesterovSgd:
    """Selects gradient descent with Nesterov's momentum; weight decay is L2."""

    momentum: float = 0.9


@dataclass(frozen=True, kw_only=True)
class RmsProp:
    """Selects TensorFlow's RMSProp; `qat.training.optimization.rmsprop` explains its differences from PyTorch's."""

    decay: float = 0.9
    momentum: float = 0.9
    epsilon: float = 1.0  # inside the root; the default of TF-Slim's train_image_classifier.py


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """Lets the rate fall along half a cosine to zero at the end of the run. Source: Loshchilov, Hutter 2017."""


@dataclass(frozen=True, kw_only=True)
class Staircase:
    """Multiplies the rate by `factor` after every `every_epochs` epochs."""

    factor: float
    every_epochs: float = 1.0


WEIGHT_DECAY, LABEL_SMOOTHING = 0.02, 0.1
"""These are the plan's own values."""

_ANNOTATED: dict[str, Any] = {
    "batch": 32,
    "learning_rate": 0.003,
    "weight_decay": 0.0001,
    "label_smoothing": 0.0,
    "ema_decay": 0.99,
}
"""These settings train nets on 2,000 pictures with boxes or masks an epoch."""

FINETUNING = (
    Phase(name="observe", begins_share=0.0, observes=True, batch_norm_follows=True),
    Phase(name="freeze batch norm", begins_share=1 / 3, observes=True, batch_norm_follows=False),
    Phase(name="hold", begins_share=2 / 3, observes=False, batch_norm_follows=False),
)

DISTILLING = (
    Phase(name="learn steps", begins_share=0.0, observes=False, batch_norm_follows=False, learns_steps=True),
    Phase(name="hold", begins_share=2 / 3, observes=False, batch_norm_follows=False),
)


@dataclass(frozen=True, kw_only=True)
class TrainPlan:
    """Holds everything that decides how training runs, besides the net, the pictures and the contract.

    The defaults train a MobileNet from scratch on thousands of your own pictures. Weight decay acts on the weights of
    dense convolutions and linear layers alone, never on depthwise filters, batch norm or biases (MobileNetV1, section
    3.4). The rate rises linearly over `warm_up_epochs`, by default one and at most half of the run. `phases` say what
    moves besides the weights and concern fake-quantized nets only. `ema_decay=None` trains without an average of the
    weights.

    `augmentation` is of the task's own kind; "task" means the task's default, which has no flips if the pictures have
    sides, and is none if pictures are composed anew. With `distillation` the loss is the one it describes, and `fit`
    needs a teacher; without, it is the cross-entropy of the labels. With `class_balance` a picture, or a pixel, is
    weighted in it by the inverse of its label's share of the training set. None means the defaults of `weight_decay`
    and `label_smoothing` if they have an effect: 0.02 and 0.1. A setting without an effect is refused.
    """

    epochs: int = 30
    batch: int = 64
    optimizer: AdamW | StepAdam | NesterovSgd | RmsProp = AdamW()
    learning_rate: float = 0.002
    schedule: Cosine | Staircase = Cosine()
    warm_up_epochs: float | None = None
    weight_decay: float | None = None
    label_smoothing: float | None = None
    ema_decay: float | None = 0.999
    augmentation: Augmenting | Literal["task"] | None = "task"
    phases: tuple[Phase, ...] = (FREE,)
    distillation: Distillation | None = None
    class_balance: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self, _RULES, "the training plan")

    @classmethod
    def digits(cls, epochs: int = 16) -> "TrainPlan":
        """Returns a plan for `load_mnist`'s 4,000 digits at 32 px: about a minute of one core for MobileNetV3-Small.

        benchmarks/results/qat_digits.json holds what ten epochs give on three splits. Batches of 128 gave as much,
        batches of 32 less, and pictures of 48 px gained nothing.
        """
        return cls(epochs=epochs, batch=64, learning_rate=0.003, augmentation=Augmentation.digits())

    @classmethod
    def detector(cls, epochs: int = 40, *, seed: int = 0) -> "TrainPlan":
        """Returns a plan for an SSDLite that starts from nothing, on 2,000 pictures an epoch.

        Measured with MobileNetV3-Small on composed digits of 128 px: 16 epochs give 77 %, 40 give 94 %.
        """
        return cls(epochs=epochs, seed=seed, **_ANNOTATED)

    @classmethod
    def segmenter(cls, epochs: int = 30, *, seed: int = 0) -> "TrainPlan":
        """Returns a plan for a segmenter that starts from nothing, on 2,000 pictures an epoch.

        Measured with LR-ASPP on MobileNetV3-Small, composed digits of 128 px: mIoU of 66 % in 6 epochs, 93 % in 40.
        """
        return cls(epochs=epochs, seed=seed, **_ANNOTATED)

    @classmethod
    def finetune(cls, epochs: int = 3, *, after: "TrainPlan | None" = None) -> "TrainPlan":
        """Returns a plan for a fake-quantized net: a low rate, no warm-up, `after`'s batch, pictures and seed.

        Batch norm is frozen after a third of the run, the ranges after two thirds (torchvision's MobileNetV2 also
        freezes batch norm one epoch before the ranges). There is no average of the weights: it can do harm here
        (Krishnamoorthi 2018, section 4), and the ranges belong to the weights that they were observed with.
        """
        base = after or cls()
        return cls(
            epochs=epochs,
            batch=base.batch,
            optimizer=NesterovSgd(),
            learning_rate=0.0005,
            warm_up_epochs=0.0,
            weight_decay=4e-5,
            label_smoothing=base.label_smoothing,
            ema_decay=None,
            augmentation=base.augmentation,
            phases=FINETUNING,
            class_balance=base.class_balance,
            seed=base.seed,
        )

    @classmethod
    def distil(
        cls, epochs: int = 3, *, after: "TrainPlan | None" = None, distillation: Distillation | None = None
    ) -> "TrainPlan":
        """Returns a plan for a calibrated fake-quantized net that learns from its float net.

        It has `after`'s batch, pictures and seed. Statistics are frozen from the start and ranges observe nothing,
        since calibration has found them: they are learned, and frozen for the last third. No weights decay, since the
        teacher's are the ones wanted.
        """
        base, losses = after or cls(), distillation or Distillation()
        return cls(
            epochs=epochs,
            batch=base.batch,
            optimizer=StepAdam(),
            learning_rate=0.0005,
            warm_up_epochs=min(0.2, epochs / 5),
            weight_decay=0.0,
            label_smoothing=base.label_smoothing if losses.labels else None,
            ema_decay=None,
            augmentation=base.augmentation,
            phases=DISTILLING,
            distillation=losses,
            class_balance=base.class_balance and losses.labels > 0,
            seed=base.seed,
        )

    @classmethod
    def mobilenet_v1_paper(cls, epochs: int = 300) -> "TrainPlan":
        """Returns MobileNetV1's plan: RMSProp, little distortion, no label smoothing (section 3.4).

        Rate, its decay and the batch are from MobileNetV2's section 6.1, the length is ours.
        """
        return cls(
            epochs=epochs,
            batch=96,
            optimizer=RmsProp(),
            learning_rate=0.045,
            schedule=Staircase(factor=0.98),
            warm_up_epochs=0.0,
            weight_decay=4e-5,
            label_smoothing=0.0,
            ema_decay=0.9999,
            augmentation=Augmentation(crop_area_share=(0.5, 1.0), rotation_deg=0.0),
        )

    @classmethod
    def mobilenet_v2_paper(cls, epochs: int = 300) -> "TrainPlan":
        """Returns MobileNetV2's plan, from section 6.1.

        It is RMSProp 0.9/0.9, rate 0.045 × 0.98 an epoch, weight decay 4e-5, batch 96. Label smoothing 0.1 and the
        average's 0.9999 are from TF-Slim's README, 300 epochs from torchvision's recipe.
        """
        return cls(
            epochs=epochs,
            batch=96,
            optimizer=RmsProp(),
            learning_rate=0.045,
            schedule=Staircase(factor=0.98),
            warm_up_epochs=0.0,
            weight_decay=4e-5,
            ema_decay=0.9999,
            augmentation=Augmentation(crop_area_share=(0.08, 1.0), rotation_deg=0.0),
        )

    @classmethod
    def mobilenet_v3_paper(cls, epochs: int = 500, *, batch: int = 192) -> "TrainPlan":
        """Returns MobileNetV3's plan, from section 6.1.1.

        It is RMSProp, rate 0.1 for batches of 4,096 × 0.99 every 3 epochs, L2 1e-5, average 0.9999. The rate is scaled
        to `batch` linearly (192 is TF-Slim's for one chip). Epsilon 0.002, 5 epochs of warm-up and label smoothing 0.1
        are from TF-Slim's README, the length is ours.
        """
        return cls(
            epochs=epochs,
            batch=batch,
            optimizer=RmsProp(epsilon=0.002),
            learning_rate=0.1 * batch / 4096,
            schedule=Staircase(factor=0.99, every_epochs=3),
            warm_up_epochs=min(5.0, epochs / 2),
            weight_decay=1e-5,
            ema_decay=0.9999,
            augmentation=Augmentation(crop_area_share=(0.08, 1.0), rotation_deg=0.0),
        )

    @property
    def decay(self) -> float:
        """Returns the weight decay; by default it is the optimizer's, and StepAdam has none."""
        if self.weight_decay is None:
            return 0.0 if isinstance(self.optimizer, StepAdam) else WEIGHT_DECAY
        return self.weight_decay

    @property
    def smoothing(self) -> float:
        """Returns the label smoothing of a loss that reads labels."""
        return LABEL_SMOOTHING if self.label_smoothing is None else self.label_smoothing

    @property
    def warm_up(self) -> float:
        """Returns over how many epochs the rate rises."""
        return min(1.0, self.epochs / 2) if self.warm_up_epochs is None else self.warm_up_epochs

    def augmenting(self, kind: type[Augmenting], *, has_sides: bool = False, composes: bool = False) -> "TrainPlan":
        """Returns the plan of a task that augments by that `kind`, with its defaults if the plan names none.

        The defaults have no flips if pictures have sides, and are none if pictures are composed anew. Raises
        SettingError if the plan has another task's augmentation.
        """
        if self.augmentation == "task":
            default = kind(flip_share=0.0) if has_sides else kind()
            return replace(self, augmentation=None if composes else default)
        if not isinstance(self.augmentation, kind | None):
            raise SettingError(
                f"expected a {kind.__name__}, or None, as this task's augmentation in the training plan, found "
                f"{type(self.augmentation).__name__}",
                hint=f"give augmentation=qat.{kind.__name__}(…), or leave it out",
            )
        return self

    def over(self, epochs: int) -> "TrainPlan":
        """Returns the plan for a run of that many epochs, of which at most half are warm-up."""
        return replace(self, epochs=epochs, warm_up_epochs=min(self.warm_up, epochs / 2))

    def learning_rate_at(self, step: int, steps_per_epoch: int) -> float:
        """Returns the rate of the 0-based `step` of the whole run."""
        epoch = step / steps_per_epoch
        if epoch < self.warm_up:
            return self.learning_rate * (step + 1) / (self.warm_up * steps_per_epoch + 1)
        if isinstance(self.schedule, Staircase):
            return self.learning_rate * float(self.schedule.factor ** math.floor(epoch / self.schedule.every_epochs))
        done_share = (epoch - self.warm_up) / (self.epochs - self.warm_up)
        return self.learning_rate * (1 + math.cos(math.pi * done_share)) / 2

    def optimizer_for(self, net: nn.Module) -> torch.optim.Optimizer:
        """Returns the plan's optimizer over all trainable parameters of `net`, with and without weight decay."""
        trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
        groups = [
            {"params": [weight for weight in trained if _decays(weight)], "weight_decay": self.decay},
            {"params": [weight for weight in trained if not _decays(weight)], "weight_decay": 0.0},
        ]
        match self.optimizer:
            case AdamW(betas=betas):
                return torch.optim.AdamW(groups, lr=self.learning_rate, betas=betas)
            case StepAdam(weight_steps=steps, range_share=share, betas=betas):
                from qat.training.optimization.step_rates import (
                    groups_in_steps,  # it knows layers: float training does without torchao
                )

                in_steps = groups_in_steps(net, self.learning_rate, steps, share)
                return torch.optim.Adam(in_steps, lr=self.learning_rate, betas=betas)
            case NesterovSgd(momentum=momentum):
                return torch.optim.SGD(groups, lr=self.learning_rate, momentum=momentum, nesterov=True)
            case RmsProp(decay=decay, momentum=momentum, epsilon=epsilon):
                rate = self.learning_rate
                return TensorFlowRMSProp(groups, lr=rate, decay=decay, momentum=momentum, epsilon=epsilon)


def _decays(weight: nn.Parameter) -> bool:
    """Returns whether weight decay acts on a weight, by its shape, as captured nets have no layers.

    A depthwise filter is (channels, 1, height, width).
    """
    is_depthwise = weight.ndim == 4 and weight.shape[1] == 1
    return weight.ndim >= 2 and not is_depthwise


_RULES = (
    Rule("whole epochs, 1 or more", ("epochs",), lambda plan: _is_whole(plan.epochs, 1)),
    # Batch norm cannot learn from one picture.
    Rule("a batch of 2 or more", ("batch",), lambda plan: _is_whole(plan.batch, 2)),
    Rule("one of qat.training.plan's optimizers", ("optimizer",), lambda plan: isinstance(plan.optimizer, _OPTIMIZERS)),
    Rule("an optimizer whose settings are in range", ("optimizer",), lambda plan: _is_in_range(plan.optimizer)),
    Rule(
        "no range_share of StepAdam's without a phase that learns steps",
        ("optimizer", "phases"),
        lambda plan: (
            not isinstance(plan.optimizer, StepAdam)
            or plan.optimizer.range_share == StepAdam.range_share
            or any(phase.learns_steps for phase in plan.phases)
        ),
    ),
    Rule("a learning rate above 0", ("learning_rate",), lambda plan: 0 < plan.learning_rate < math.inf),
    Rule(
        "a schedule, Cosine or Staircase",
        ("schedule",),
        lambda plan: isinstance(plan.schedule, Cosine | Staircase),
    ),
    Rule(
        "a Staircase with a factor above 0, up to 1, every so many epochs above 0",
        ("schedule",),
        lambda plan: (
            isinstance(plan.schedule, Cosine)
            or (0 < plan.schedule.factor <= 1 and 0 < plan.schedule.every_epochs < math.inf)
        ),
    ),
    Rule(
        "a warm-up shorter than the run",
        ("warm_up_epochs", "epochs"),
        lambda plan: 0 <= plan.warm_up < plan.epochs,
    ),
    Rule("a weight decay of 0 or more", ("weight_decay",), lambda plan: 0 <= plan.decay < math.inf),
    Rule(
        "no weight decay beside StepAdam, which has none",
        ("weight_decay", "optimizer"),
        lambda plan: not (plan.decay and isinstance(plan.optimizer, StepAdam)),
    ),
    Rule("label smoothing from 0 to below 1", ("label_smoothing",), lambda plan: 0 <= plan.smoothing < 1),
    Rule(
        "an average's decay from 0 to below 1, or None",
        ("ema_decay",),
        lambda plan: plan.ema_decay is None or 0 <= plan.ema_decay < 1,
    ),
    Rule(
        "an Augmentation, DetectionAugmentation or SegmentationAugmentation, 'task', or None",
        ("augmentation",),
        lambda plan: isinstance(plan.augmentation, Augmenting | None) or plan.augmentation == "task",
    ),
    Rule("phases that begin at 0, one after the other", ("phases",), lambda plan: are_in_order(plan.phases)),
    Rule(
        "a Distillation, or None",
        ("distillation",),
        lambda plan: isinstance(plan.distillation, Distillation | None),
    ),
    Rule(
        "no label smoothing beside a distillation that weighs no labels",
        ("label_smoothing", "distillation"),
        lambda plan: not (plan.label_smoothing and plan.distillation and not plan.distillation.labels),
    ),
    Rule("class_balance True or False", ("class_balance",), lambda plan: isinstance(plan.class_balance, bool)),
    Rule(
        "no class_balance beside a distillation that weighs no labels",
        ("class_balance", "distillation"),
        lambda plan: not (plan.class_balance and plan.distillation and not plan.distillation.labels),
    ),
    Rule(f"a seed from 0 to {MOST_SEED}", ("seed",), lambda plan: is_seed(plan.seed)),
)


def _is_in_range(optimizer: AdamW | StepAdam | NesterovSgd | RmsProp) -> bool:
    match optimizer:
        case NesterovSgd(momentum=momentum):
            return 0 < momentum < 1
        case RmsProp(decay=decay, momentum=momentum, epsilon=epsilon):
            return 0 < decay < 1 and 0 <= momentum < 1 and 0 < epsilon < math.inf
        case AdamW(betas=(first, second)):
            return 0 <= first < 1 and 0 <= second < 1
        case StepAdam(weight_steps=steps, range_share=share, betas=(first, second)):
            return 0 <= first < 1 and 0 <= second < 1 and 0 < steps < math.inf and 0 < share < math.inf
    return False


_OPTIMIZERS = AdamW | StepAdam | NesterovSgd | RmsProp


def _is_whole(number: object, least: int) -> bool:
    return isinstance(number, int) and number >= least
