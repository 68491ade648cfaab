"""Evaluates a candidate: trains it shortly, and measures its accuracy on pictures kept from that training."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mobile_sdk.contract import Contract
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.nets.architecture import Architecture
from qat.nets.classifiers.mobilenet_v3 import build_for
from qat.search.space.weight_transfer import State, carried
from qat.tasks.classification.training import evaluate, fit
from qat.training.plan import TrainPlan


@dataclass(frozen=True, kw_only=True, eq=False)
class CandidateTraining:
    """Holds the data, contract and plan by which every candidate of a search is trained and evaluated.

    `pictures.train` is for training, `pictures.validation` for evaluation: both are parts of the training pictures, so
    that the search never sees the pictures that its result is evaluated on. A candidate that starts from weights takes
    `steps` steps, one that starts from nothing all epochs of the plan.
    """

    pictures: Pictures
    contract: Contract
    plan: TrainPlan
    steps: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Parent:
    """Holds the net that a candidate is cut from."""

    architecture: Architecture
    state: State


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """Holds a candidate to evaluate; `seed` decides its batches, and its first weights if it has no parent."""

    number: int
    architecture: Architecture
    parent: Parent | None
    seed: int
    is_trained: bool = False  # it is the start net with its own weights


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """Holds a candidate's accuracy, and its weights if it had a parent."""

    accuracy_share: float
    state: dict[str, Tensor] | None


Evaluate = Callable[[Sequence[Job]], Iterator[tuple[Job, Outcome]]]
"""Evaluates jobs, in any order."""


def held_apart(pictures: Pictures, share: float = 0.2) -> Pictures:
    """Returns the training pictures, divided again: `share` of them evaluate candidates."""
    count = max(1, round(share * len(pictures.train)))
    return replace(pictures, train=pictures.train[count:], validation=pictures.train[:count])


def run_job(job: Job, training: CandidateTraining) -> Outcome:
    """Trains and evaluates one candidate, on one thread: the result is equal on every machine of a kind."""
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(job.seed)
        net = build_for(job.architecture, training.contract)
    if job.parent is None:
        return Outcome(
            accuracy_share=_trained(net, training.pictures, replace(training.plan, seed=job.seed)), state=None
        )
    net.load_state_dict(carried(job.parent.state, job.parent.architecture, job.architecture))
    if job.is_trained or not training.steps:
        return Outcome(accuracy_share=evaluate(net, training.pictures.validation), state=_state(net))
    return Outcome(accuracy_share=_fine_tuned(net, training, job.seed), state=_state(net))


def _fine_tuned(net: nn.Module, training: CandidateTraining, seed: int) -> float:
    """Fine-tunes the net and returns its accuracy.

    Batch-norm statistics start again, as sums with fewer terms have others; a few steps have to suffice.
    """
    for module in net.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
    train, wanted = training.pictures.train, training.steps * training.plan.batch
    plan = replace(
        training.plan,
        epochs=max(1, round(wanted / len(train))),
        learning_rate=training.plan.learning_rate / 3,  # the weights are good already
        warm_up_epochs=0.0,
        ema_decay=None,
        seed=seed,
    )
    return _trained(net, replace(training.pictures, train=_drawn(train, wanted, seed)), plan)


def _trained(net: nn.Module, pictures: Pictures, plan: TrainPlan) -> float:
    last = fit(net, pictures, plan, progress=False).epochs[-1].validation_accuracy_share
    assert last is not None
    return last


def _drawn(pictures: PictureSet, count: int, seed: int) -> PictureSet:
    """Returns `count` of the pictures by chance, or all if there are no more."""
    if count >= len(pictures):
        return pictures
    chosen = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(seed))[:count].tolist()
    return replace(
        pictures,
        sources=tuple(pictures.sources[index] for index in chosen),
        targets=tuple(pictures.targets[index] for index in chosen),
    )


def _state(net: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().contiguous() for key, value in net.state_dict().items()}
