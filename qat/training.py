"""The one training loop, for float nets and fake-quantized ones alike."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.dropout import _DropoutNd

from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from qat.average import WeightAverage
from qat.batch_norm import StatisticsWarmUp
from qat.batches import decode_ahead, epoch_seed, evaluation_batches, steps_per_epoch, training_batches
from qat.checkpoint import Fingerprint, State, fingerprint, load_checkpoint, save_checkpoint
from qat.data import Pictures
from qat.history import Epoch, History
from qat.phases import HELD, Phase, Schedulable, phase_at
from qat.picture_set import PictureSet
from qat.plan import TrainPlan
from qat.progress import say, track

if TYPE_CHECKING:
    from qat.lesson import Lesson


def fit(
    net: nn.Module,
    pictures: Pictures,
    plan: TrainPlan | None = None,
    *,
    teacher: nn.Module | None = None,
    contract: Contract | None = None,
    out: Path | str | None = None,
    resume: bool = True,
    progress: bool = True,
) -> History:
    """Trains `net` in place by `plan` (the default plan if None) and leaves it in eval() mode with the result.

    The net reads `(byte - mean_byte) / std_byte`, (batch, 3, size_px, size_px) float32, channels last, on the device
    where its parameters are. `contract` defaults to the attribute `contract` of the net. With a folder `out`, every
    epoch leaves a checkpoint there; the same call goes on from it, and ends, bit for bit on the same machine, where an
    undisturbed run would have, because each epoch draws from its own seed. A plan with `distillation` learns from
    `teacher`, the float net, which stays as it is, and needs no labels. SettingError: no contract, labels that differ
    from the pictures', neither labels nor a teacher, a teacher that does not fit, a loss that is not finite.
    """
    run = _Run.start(net, pictures, plan or TrainPlan(), contract or contract_of(net), teacher, progress)
    folder = None if out is None else Path(out)
    mark = fingerprint(net, pictures.train, run.plan, run.contract, teacher) if folder else {}
    if folder and resume:
        run.take_up(load_checkpoint(folder, mark))
    try:
        run.train(folder, mark)
    except KeyboardInterrupt as stopped:
        if folder and run.history.epochs:
            stopped.add_note(f"the same call goes on from epoch {len(run.history.epochs) + 1}")
        raise
    finally:
        run.statistics.end()
    run.hold_still()
    if run.average:
        run.average.apply()
    net.eval()
    return run.history


def evaluate(net: nn.Module, pictures: PictureSet, contract: Contract | None = None) -> float:
    """The share (0..1) of `pictures` whose highest score is their label's; leaves `net` in the mode that it was in."""
    winners = scores(net, pictures, contract or contract_of(net)).argmax(dim=1)
    return (winners == torch.tensor(pictures.targets)).sum().item() / len(pictures)


@torch.no_grad()
def scores(net: nn.Module, pictures: PictureSet, contract: Contract) -> torch.Tensor:
    """What `net` gives `pictures`, (pictures, classes) float32 on the processor; leaves its mode as it was."""
    device = next(net.parameters()).device
    was_training = net.training
    net.eval()
    batches = [net(rgb).cpu() for rgb, _ in evaluation_batches(pictures, contract.image, device)]
    net.train(was_training)
    return torch.cat(batches)


def finite(loss: float, epoch: int, step: int, plan: TrainPlan) -> float:
    """The loss of a step (both 0-based); SettingError where it is no number."""
    if not math.isfinite(loss):
        raise SettingError(
            f"expected a finite loss, found {loss} in epoch {epoch + 1}, step {step + 1}",
            hint=f"lower the learning rate of {plan.learning_rate:g}, or warm up for longer",
        )
    return loss


def contract_of(net: nn.Module) -> Contract:
    """The contract that a net of `qat.build_net` or `qat.prepare` carries; SettingError where it carries none."""
    contract = getattr(net, "contract", None)
    if not isinstance(contract, Contract):
        raise SettingError(
            f"expected a contract, found none on this {type(net).__name__}", hint="pass contract=Contract(…)"
        )
    return contract


@dataclass(kw_only=True)
class _Run:
    """A run as it stands between two epochs: all of it is what a checkpoint holds."""

    net: nn.Module
    pictures: Pictures
    plan: TrainPlan
    contract: Contract
    progress: bool
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    statistics: StatisticsWarmUp
    lesson: "Lesson | None"
    is_labelled: bool
    history: History = field(default_factory=History)

    @classmethod
    def start(
        cls,
        net: nn.Module,
        pictures: Pictures,
        plan: TrainPlan,
        contract: Contract,
        teacher: nn.Module | None,
        progress: bool,
    ) -> "_Run":
        if contract.labels != pictures.labels:
            raise SettingError(
                f"expected pictures with the contract's {len(contract.labels)} labels, found others: "
                f"{', '.join(sorted(set(contract.labels) ^ set(pictures.labels))[:5]) or 'another order'}",
                hint="make the contract with labels=pictures.labels",
            )
        lesson, is_labelled = _lesson(net, teacher, plan, contract), _is_labelled(pictures)
        if not is_labelled:
            if lesson is None:
                raise SettingError("expected pictures with labels, or a teacher, found neither", hint="pass teacher=")
            pictures = replace(pictures, validation=_as_the_teacher_says(pictures.validation, lesson, net, contract))
        if isinstance(net, Schedulable) and any(phase.learns_steps for phase in plan.phases):
            net.learn_steps()
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = None if plan.ema_decay is None else WeightAverage(net, plan.ema_decay)
        return cls(
            net=net,
            pictures=pictures,
            plan=plan,
            contract=contract,
            progress=progress,
            optimizer=plan.optimizer_for(net),
            average=average,
            statistics=StatisticsWarmUp(net),
            lesson=lesson,
            is_labelled=is_labelled,
        )

    def take_up(self, state: State | None) -> None:
        if state is None:
            return
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.history = History.model_validate_json(state["history"])
        if self.progress:
            say(f"going on after epoch {len(self.history.epochs)} of {self.plan.epochs}")

    def state(self) -> State:
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average else {},
            "history": self.history.model_dump_json(),
        }

    def train(self, folder: Path | None, mark: Fingerprint) -> None:
        decode_ahead(self.pictures, self.contract.image, self.plan)
        for epoch in range(len(self.history.epochs), self.plan.epochs):
            with _seeded(epoch_seed(self.plan.seed, epoch)):
                result = self.one_epoch(epoch)
            self.history = History(epochs=(*self.history.epochs, result))
            if folder:
                save_checkpoint(folder, mark, self.state())
            if self.progress:
                say(result.line(self.plan.epochs))

    def one_epoch(self, epoch: int) -> Epoch:
        start_s = time.perf_counter()
        device = next(self.net.parameters()).device
        steps = steps_per_epoch(self.pictures.train, self.plan)
        batches = training_batches(self.pictures.train, self.contract.image, self.plan, epoch, device)
        if self.progress:
            batches = track(batches, what=f"epoch {epoch + 1}/{self.plan.epochs}", total=steps)
        self.net.train()
        if self.lesson:
            for module in self.net.modules():
                if isinstance(module, _DropoutNd):
                    module.eval()  # the teacher drops nothing: what is dropped would be all that is learned from
        losses, right, seen = 0.0, torch.zeros((), dtype=torch.int64, device=device), 0
        phases: dict[str, None] = {}
        for step, (rgb, targets) in enumerate(batches):
            phases[self.set_phase(epoch * steps + step, steps).name] = None
            loss, scores = self.one_step(rgb, targets, epoch, step)
            losses += loss
            right += (scores.argmax(dim=1) == targets).sum()
            seen += len(targets)
        validated = self.validate()
        return Epoch(
            epoch=epoch + 1,
            phases=tuple(phases),
            loss=losses / steps,
            train_accuracy_share=right.item() / seen if self.is_labelled else None,
            validation_accuracy_share=validated if self.is_labelled else None,
            validation_agreement_share=None if self.is_labelled else validated,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            duration_s=time.perf_counter() - start_s,
        )

    def set_phase(self, step: int, steps_per_epoch: int) -> Phase:
        for group in self.optimizer.param_groups:
            group["lr"] = group.get("rate_share", 1.0) * self.plan.learning_rate_at(step, steps_per_epoch)
        self.statistics.at(step)
        total = self.plan.epochs * steps_per_epoch
        now, before = (phase_at(self.plan.phases, at / total) for at in (step, step - 1))
        if isinstance(self.net, Schedulable) and (step % steps_per_epoch == 0 or now != before):
            self.net.at(
                freeze_observers=not now.observes,
                freeze_batch_norm=not now.batch_norm_follows,
                learn_steps=now.learns_steps,
            )
        return now

    def one_step(self, rgb: torch.Tensor, targets: torch.Tensor, epoch: int, step: int) -> tuple[float, torch.Tensor]:
        if self.lesson:
            loss, scores = self.lesson(rgb, targets, self.plan.label_smoothing)
        else:
            scores = self.net(rgb)
            loss = cross_entropy(scores, targets, label_smoothing=self.plan.label_smoothing, ignore_index=-1)
        value = finite(loss.item(), epoch, step, self.plan)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        if self.average:
            self.average.update()
        return value, scores.detach()

    def hold_still(self) -> None:
        """From here on pictures that the net sees, for validation above all, leave its ranges as they are."""
        if isinstance(self.net, Schedulable):
            self.net.at(freeze_observers=not HELD.observes, freeze_batch_norm=not HELD.batch_norm_follows)

    def validate(self) -> float:
        self.hold_still()
        with self.average.applied() if self.average else nullcontext():
            return evaluate(self.net, self.pictures.validation, self.contract)


def _lesson(net: nn.Module, teacher: nn.Module | None, plan: TrainPlan, contract: Contract) -> "Lesson | None":
    if (teacher is None) != (plan.distillation is None):
        found = "a teacher alone" if plan.distillation is None else "distillation alone"
        raise SettingError(
            f"expected a teacher and a plan with distillation, or neither, found {found}",
            hint="pass teacher=the float net, and TrainPlan.distil()",
        )
    if teacher is None or plan.distillation is None:
        return None
    from qat.lesson import Lesson  # it captures nets: float training does without torchao

    return Lesson(net, teacher, contract, plan.distillation)


def _is_labelled(pictures: Pictures) -> bool:
    return max(pictures.train.targets, default=-1) >= 0 and min(pictures.validation.targets, default=0) >= 0


def _as_the_teacher_says(pictures: PictureSet, lesson: "Lesson", net: nn.Module, contract: Contract) -> PictureSet:
    """The pictures, labelled by the teacher's winners: accuracy on them is agreement with it."""
    batches = evaluation_batches(pictures, contract.image, next(net.parameters()).device)
    winners = tuple(int(label) for rgb, _ in batches for label in lesson.winners(rgb))
    return replace(pictures, targets=winners)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seeds torch's own generators, which dropout draws from, and puts the caller's states back."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
