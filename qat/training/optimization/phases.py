"""The named phases of a fake-quantized net's run: what still moves besides its weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class Phase:
    """From `begins_share` of the run (0..1) to where the next phase begins."""

    name: str
    begins_share: float
    observes: bool  # ranges follow the tensors that they are of
    batch_norm_follows: bool  # statistics follow the batches
    learns_steps: bool = False  # ranges and weights' steps are parameters, trained like weights


FREE = Phase(name="train", begins_share=0.0, observes=True, batch_norm_follows=True)
HELD = Phase(name="hold", begins_share=0.0, observes=False, batch_norm_follows=False)


@runtime_checkable
class Schedulable(Protocol):
    """A net, such as a fake-quantized one, that can hold still what it learns besides its weights.

    During validation, and after the run, everything is held still.
    """

    def learn_steps(self) -> None:
        """Called before the run where a phase learns steps: makes parameters of them."""
        ...

    def at(self, *, freeze_observers: bool, freeze_batch_norm: bool, learn_steps: bool = False) -> None:
        """Called in train() mode: at the start of every epoch, within one where any changes, and at its end."""
        ...


def are_in_order(phases: Sequence[Phase]) -> bool:
    """Whether the phases begin at the run's start and each after the one before; a share of 1 is never reached."""
    shares = [phase.begins_share for phase in phases]
    return shares[:1] == [0.0] and all(before < after for before, after in pairwise(shares))


def phase_at(phases: Sequence[Phase], done_share: float) -> Phase:
    """The phase in which so much of the run (0..1) is done."""
    return [phase for phase in phases if phase.begins_share <= max(done_share, 0.0)][-1]
