"""Runs the one training loop, for every task, for float nets and fake-quantized ones alike."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from mobile_sdk.tasks.class_quality import ByClass, never_right
from qat.data.content_hash import Fingerprint
from qat.distributed.processes import Processes, current_processes
from qat.event_log import log_epoch
from qat.layers.convolution import safe_gradients
from qat.layers.memory_format import lay_out
from qat.progress import Following, say, track
from qat.training.batches import epoch_seed
from qat.training.checkpoint import (
    alone_in,
    begins_anew,
    fingerprint,
    is_shorter,
    leave,
    load_checkpoint,
    save_checkpoint,
    saved_epochs,
    taking_up,
)
from qat.training.checkpoint_file import CHECKPOINT_FILE, State, drop_former
from qat.training.history import Epoch, History, Validation
from qat.training.optimization.batch_norm_warm_up import StatisticsWarmUp, several_values
from qat.training.optimization.phases import HELD, Phase, Schedulable, phase_at
from qat.training.optimization.weight_average import WeightAverage
from qat.training.plan import TrainPlan

Batch = TypeVar("Batch")
RANK_STRIDE = 7_368_787  # between processes' seeds, so that each drops out other units


class Objective(Protocol[Batch]):
    """Describes to the loop what a net learns: its batches, its loss and its validation. Every task has an objective.

    It holds the net and the pictures. `gradient_limit` is the norm to which the gradients of a step are clipped. If
    several processes train together, `batches` returns this process's part of each.
    """

    gradient_limit: float | None

    def fingerprint(self) -> Fingerprint:
        """Returns a hash for each ingredient that determines a run's result besides net, plan and contract."""
        ...

    def batches(self, epoch: int) -> tuple[int, Iterator[Batch]]:
        """Returns the number of steps of the 0-based `epoch`, and their batches, equal whenever it is run again.

        It is called with the net in train() mode.
        """
        ...

    def loss(self, batch: Batch) -> Tensor:
        """Returns the loss of a step, with gradients: a mean over the labelled part of the batch, 0 if there is none.

        Each of several processes returns its part's contribution: their mean is the whole batch's.
        """
        ...

    def validate(self) -> Validation:
        """Returns an epoch's validation results; the net is frozen and has the averaged weights, if there are any.

        It is called after the epoch's last step; the results include the training batches' accuracy.
        """
        ...


def train(
    net: nn.Module,
    objective: Objective[Any],
    plan: TrainPlan,
    contract: Contract,
    *,
    out: Path | None,
    resume: bool = True,
    overwrite: bool = False,
) -> History:
    """Trains `net` in place by `plan` and leaves it in eval() mode with the result.

    With a folder `out`, every epoch leaves a checkpoint there, from which the same call continues; each epoch draws
    from its own seed. If the run is finished there with fewer epochs, the further ones are a run of their own: from the
    finished weights, by the plan's schedule over that many epochs. Processes that `torchrun` started train together;
    the main one reads and writes the checkpoint. Raises SettingError for a loss that is not finite, or another run's
    checkpoint in `out` without `overwrite`, and MachineError if another process trains in `out`.
    """
    run = _Run.start(net, objective, plan)
    processes = run.processes
    mark: Fingerprint = {}
    try:
        with alone_in(out) if out and processes.rank == 0 else nullcontext():
            if out:
                folder = out
                mark = processes.from_main(lambda: fingerprint(net, plan, contract, objective.fingerprint(), folder))
                state = processes.from_main(
                    lambda: load_checkpoint(folder, mark, overwrite=overwrite) if resume else None
                )
                if state is None:
                    mark = begins_anew(mark, net)
                else:
                    with taking_up(folder):
                        run = run.going_on(state)
            with processes.training(net, plan.batch), several_values(net), safe_gradients(net):
                run.train(out, mark)
    except KeyboardInterrupt as stopped:
        if out and mark and (saved := saved_epochs(out, mark)):
            stopped.add_note(f"the same call goes on from epoch {saved + 1}")
        raise
    finally:
        run.statistics.end()
        if out and mark:
            leave(net, mark, out)
    run.finish()
    if out and mark:
        leave(net, mark, out)
    net.eval()
    if missed := never_right(contract.labels, run.history.by_label):
        say(missed)
    return run.history


@dataclass(kw_only=True)
class _Run:
    """Holds a run's state between two epochs; a checkpoint holds all of it."""

    net: nn.Module
    objective: Objective[Any]
    plan: TrainPlan
    processes: Processes
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    statistics: StatisticsWarmUp
    history: History = field(default_factory=History)
    by_label: ByClass | None = None
    begun: int = 0  # epochs of the history that belong to a shorter, finished run
    loss: nn.Module | None = None
    steps: int = 0  # of the last epoch

    @classmethod
    def start(cls, net: nn.Module, objective: Objective[Any], plan: TrainPlan) -> "_Run":
        if isinstance(net, Schedulable) and any(phase.learns_steps for phase in plan.phases):
            net.learn_steps()
        processes = current_processes()
        processes.start_alike(net)
        lay_out(net)
        average = None if plan.ema_decay is None else WeightAverage(net, plan.ema_decay)
        return cls(
            net=net,
            objective=objective,
            plan=plan,
            processes=processes,
            optimizer=plan.optimizer_for(net),
            average=average,
            statistics=StatisticsWarmUp(net),
        )

    @property
    def schedule(self) -> TrainPlan:
        """Returns the plan whose rates and phases apply, over this run's own epochs."""
        return self.plan.over(self.plan.epochs - self.begun) if self.begun else self.plan

    def going_on(self, state: State) -> "_Run":
        """Returns the run in the state, or, if that is a shorter one's end, the run that follows."""
        self.take_up(state)
        if not is_shorter(state, self.plan):
            say(f"going on after epoch {len(self.history.epochs)} of {self.plan.epochs}")
            return self
        self.finish()
        longer = _Run.start(self.net, self.objective, self.plan)
        longer.history, longer.begun = self.history, len(self.history.epochs)
        more = self.plan.epochs - longer.begun
        say(f"the training of {longer.begun} epochs is finished: {more} more begin from its weights")
        return longer

    def finish(self) -> None:
        """Gives the net the result: frozen, and with the averaged weights, if there are any."""
        self.statistics.end()
        self.hold_still()
        if self.average:
            self.average.apply()

    def take_up(self, state: State) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        _check_shapes(self.optimizer)
        if self.average:
            self.average.load_state_dict(state["average"])
        self.history = History.model_validate_json(state["history"])
        self.begun = int(state["begun"])
        if not 0 <= self.begun <= len(self.history.epochs) <= self.plan.epochs:
            raise ValueError(f"{self.begun} and {len(self.history.epochs)} epochs of {self.plan.epochs}")
        self.statistics = StatisticsWarmUp(self.net, state["untrained_norms"])

    def state(self) -> State:
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average else {},
            "history": self.history.model_dump_json(),
            "begun": self.begun,
            "untrained_norms": self.statistics.paths,
        }

    def train(self, folder: Path | None, mark: Fingerprint) -> None:
        for epoch in range(len(self.history.epochs), self.plan.epochs):
            with _seeded(epoch_seed(self.plan.seed, epoch) + RANK_STRIDE * self.processes.rank, self.net):
                result = self.one_epoch(epoch)
            self.history = History(epochs=(*self.history.epochs, result), by_label=self.by_label)
            if folder and self.processes.rank == 0:
                save_checkpoint(folder, mark, self.state())
            self.log(result)
            say(result.line(self.plan.epochs, pictures=self.steps * self.plan.batch, left_s=self.left_s))
        if folder and self.processes.rank == 0:
            drop_former(folder / CHECKPOINT_FILE)

    @property
    def left_s(self) -> float:
        """Returns how long the epochs that are left may take, and what follows the training."""
        own = self.history.epochs[self.begun :]
        mean_s = sum(epoch.duration_s for epoch in own) / len(own)
        return mean_s * (self.plan.epochs - len(self.history.epochs) + Following.get())

    def log(self, result: Epoch) -> None:
        values = result.model_dump(exclude={"epoch", "phases", "duration_s"}, exclude_none=True)
        log_epoch("int8" if isinstance(self.net, Schedulable) else "float", result.epoch, values)

    def one_epoch(self, epoch: int) -> Epoch:
        start_s, losses = time.perf_counter(), 0.0
        self.net.train()
        steps, batches = self.objective.batches(epoch)
        self.steps = steps
        batches = track(batches, what=f"epoch {epoch + 1}/{self.plan.epochs}", total=steps)
        phases: dict[str, None] = {}
        for step, batch in enumerate(batches):
            phases[self.set_phase((epoch - self.begun) * steps + step, steps).name] = None
            losses += self.one_step(batch, epoch, step)
        self.hold_still()
        with self.average.applied() if self.average else nullcontext():
            found = self.objective.validate()
        self.by_label = found.by_label
        return Epoch(
            epoch=epoch + 1,
            phases=tuple(phases),
            loss=self.processes.total(losses)[0] / self.processes.count / steps,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            duration_s=time.perf_counter() - start_s,
            **found.shares,
        )

    def set_phase(self, step: int, steps_per_epoch: int) -> Phase:
        for group in self.optimizer.param_groups:
            group["lr"] = group.get("rate_share", 1.0) * self.schedule.learning_rate_at(step, steps_per_epoch)
        self.statistics.set_step(step)
        total = self.schedule.epochs * steps_per_epoch
        now, before = (phase_at(self.plan.phases, at / total) for at in (step, step - 1))
        if isinstance(self.net, Schedulable) and (step % steps_per_epoch == 0 or now != before):
            self.net.set_phase(
                freeze_observers=not now.observes,
                freeze_batch_norm=not now.batch_norm_follows,
                learn_steps=now.learns_steps,
            )
        if self.loss is None or now.learns_steps != before.learns_steps:
            self.loss = self.processes.joined(_Loss(self.net, self.objective))  # of what now gets gradients
        return now

    def one_step(self, batch: object, epoch: int, step: int) -> float:
        assert self.loss is not None
        loss: Tensor = self.loss(batch)
        value = _finite(float(loss.detach()), epoch, step, self.plan)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if step == 0:
            self.processes.check_gradients(self.net)
        if self.objective.gradient_limit is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.objective.gradient_limit)
        self.optimizer.step()
        self.processes.agree(self.net)
        if self.average:
            self.average.update()
        return value

    def hold_still(self) -> None:
        """Freezes the net's ranges and statistics, so that pictures, above all for validation, do not move them."""
        if isinstance(self.net, Schedulable):
            self.net.set_phase(freeze_observers=not HELD.observes, freeze_batch_norm=not HELD.batch_norm_follows)


class _Loss(nn.Module):
    """Wraps an objective's loss as a module over the net, as averaging gradients needs the whole step."""

    def __init__(self, net: nn.Module, objective: Objective[Any]) -> None:
        super().__init__()
        self.net = net
        self._objective = objective

    def forward(self, batch: object) -> Tensor:
        loss: Tensor = self._objective.loss(batch)
        return loss


def _check_shapes(optimizer: torch.optim.Optimizer) -> None:
    """Raises ValueError unless each tensor that the optimizer keeps of a weight is a number or shaped as the weight."""
    for weight, kept in optimizer.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape not in (torch.Size(), weight.shape):
                raise ValueError(f"{name} of shape {tuple(value.shape)} for a weight of {tuple(weight.shape)}")


def _finite(loss: float, epoch: int, step: int, plan: TrainPlan) -> float:
    """Returns the loss of a step (both 0-based); raises SettingError if it is not finite."""
    if not math.isfinite(loss):
        raise SettingError(
            f"expected a finite loss, found {loss} in epoch {epoch + 1}, step {step + 1}",
            hint=f"lower the learning rate of {plan.learning_rate:g}, or warm up for longer",
        )
    return loss


@contextmanager
def _seeded(seed: int, net: nn.Module) -> Iterator[None]:
    """Seeds torch's own generators, which dropout draws from, and restores the caller's states."""
    devices = {value.device for value in net.parameters() if value.is_cuda}
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
