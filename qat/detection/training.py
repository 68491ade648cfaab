"""Trains detectors, float and fake-quantized ones alike, by the same plans as classifiers."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn

from mobile_sdk.average_precision import AveragePrecision, average_precision
from mobile_sdk.contract import Contract
from mobile_sdk.detections import Truth
from mobile_sdk.errors import SettingError
from qat.average import WeightAverage
from qat.batch_norm import StatisticsWarmUp
from qat.batches import epoch_seed
from qat.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from qat.detection.decoder import Decoder
from qat.detection.loss import MultiboxLoss
from qat.detection.pictures import DetectionPictures, DetectionSet
from qat.history import Epoch, History
from qat.phases import HELD, Schedulable, phase_at
from qat.picture_set import normalised
from qat.plan import TrainPlan
from qat.progress import say
from qat.training import contract_of, finite

EVALUATION_BATCH = 100
Composer = Callable[[int], DetectionSet]
"""Gives the training pictures of an epoch (0-based)."""


def fit_detector(
    net: nn.Module,
    pictures: DetectionPictures,
    plan: TrainPlan | None = None,
    *,
    compose: Composer | None = None,
    out: Path | None = None,
) -> History:
    """Trains a net of `build_detector`, or a `prepare`d one, in place by `plan` and leaves it in eval() mode.

    `compose` makes fresh pictures for every epoch in place of `pictures.train`. With a folder `out` every epoch leaves
    a checkpoint there, from which the same call goes on. SettingError: no detector, other labels than the pictures', a
    loss that is not finite.
    """
    plan, contract = plan or TrainPlan.detector(), contract_of(net)
    if contract.labels != pictures.labels:
        raise SettingError("expected pictures with the contract's labels, found others", hint="use pictures.labels")
    run = _Run(net, pictures, plan, contract, compose)
    mark = fingerprint(net, pictures.validation.pictures, plan, contract) if out else {}
    if out and (state := load_checkpoint(out, mark)):
        run.take_up(state)
    while len(run.history.epochs) < plan.epochs:
        run.one_epoch(len(run.history.epochs))
        if out:
            save_checkpoint(out, mark, run.state())
    run.finish()
    return run.history


def evaluate_detector(net: nn.Module, pictures: DetectionSet) -> AveragePrecision:
    """COCO's average precision of `net` on `pictures`; leaves it in eval() mode."""
    contract = contract_of(net)
    outputs = torch.cat(list(_outputs(net.eval(), pictures, contract)))
    return average_precision(outputs.numpy(), pictures.truths_in(contract.image), contract)


def decoder_of(net: nn.Module) -> Decoder:
    """The net's box decoder; SettingError where it has none."""
    found = next((module for module in net.modules() if isinstance(module, Decoder)), None)
    if found is None:
        raise SettingError(f"expected a detector, found {type(net).__name__}", hint="use build_detector")
    return found


@torch.no_grad()
def _outputs(net: nn.Module, pictures: DetectionSet, contract: Contract) -> Iterator[Tensor]:
    rows = pictures.bytes(contract.image)
    for start in range(0, len(rows), EVALUATION_BATCH):
        batch = torch.tensor(rows[start : start + EVALUATION_BATCH]).permute(0, 3, 1, 2)
        yield net(normalised(batch, contract.image))


class _Run:
    """A run as it stands between two epochs."""

    def __init__(
        self,
        net: nn.Module,
        pictures: DetectionPictures,
        plan: TrainPlan,
        contract: Contract,
        compose: Composer | None,
    ) -> None:
        self.net, self.pictures, self.plan, self.contract, self.compose = net, pictures, plan, contract, compose
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = MultiboxLoss(decoder_of(net))
        self.optimizer = plan.optimizer_for(net)
        self.average = None if plan.ema_decay is None else WeightAverage(net, plan.ema_decay)
        self.statistics = StatisticsWarmUp(net)
        self.history = History()

    def take_up(self, state: dict[str, object]) -> None:
        self.net.load_state_dict(state["net"])  # type: ignore[arg-type]
        self.optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type]
        if self.average:
            self.average.load_state_dict(state["average"])  # type: ignore[arg-type]
        self.history = History.model_validate_json(str(state["history"]))
        say(f"going on after epoch {len(self.history.epochs)} of {self.plan.epochs}")

    def state(self) -> dict[str, object]:
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average else {},
            "history": self.history.model_dump_json(),
        }

    def one_epoch(self, epoch: int) -> None:
        start_s, losses = time.perf_counter(), 0.0
        train = self.compose(epoch) if self.compose else self.pictures.train
        steps = max(1, len(train) // self.plan.batch)
        phases: dict[str, None] = {}
        self.net.train()
        for step, (rgb, truths) in enumerate(self._batches(train, epoch, steps)):
            phases[self._set_phase(epoch * steps + step, steps)] = None
            loss = self.loss(self.net(rgb), truths)
            losses += finite(loss.item(), epoch, step, self.plan)
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
            self.optimizer.step()
            if self.average:
                self.average.update()
        self._hold_still()
        with self.average.applied() if self.average else nullcontext():
            precision = evaluate_detector(self.net, self.pictures.validation)
        result = Epoch(
            epoch=epoch + 1,
            phases=tuple(phases),
            loss=losses / steps,
            validation_accuracy_share=precision.at_half_share,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            duration_s=time.perf_counter() - start_s,
        )
        self.history = History(epochs=(*self.history.epochs, result))
        say(result.line(self.plan.epochs))

    def finish(self) -> None:
        self.statistics.end()
        self._hold_still()
        if self.average:
            self.average.apply()
        self.net.eval()

    def _batches(self, train: DetectionSet, epoch: int, steps: int) -> Iterator[tuple[Tensor, list[Truth]]]:
        random = torch.Generator().manual_seed(epoch_seed(self.plan.seed, epoch))
        order = torch.randperm(len(train), generator=random)
        rows, truths = train.bytes(self.contract.image), train.truths_in(self.contract.image)
        for group in torch.split(order[: steps * self.plan.batch], self.plan.batch):
            rgb = torch.from_numpy(rows[group.numpy()]).permute(0, 3, 1, 2)
            yield normalised(rgb, self.contract.image), [truths[index] for index in group.tolist()]

    def _set_phase(self, step: int, steps: int) -> str:
        for group in self.optimizer.param_groups:
            group["lr"] = group.get("rate_share", 1.0) * self.plan.learning_rate_at(step, steps)
        self.statistics.at(step)
        now = phase_at(self.plan.phases, step / (self.plan.epochs * steps))
        if isinstance(self.net, Schedulable):
            self.net.at(freeze_observers=not now.observes, freeze_batch_norm=not now.batch_norm_follows)
        return now.name

    def _hold_still(self) -> None:
        if isinstance(self.net, Schedulable):
            self.net.at(freeze_observers=not HELD.observes, freeze_batch_norm=not HELD.batch_norm_follows)
