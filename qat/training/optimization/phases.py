"""Names the phases of a fake-quantized net's run: what still moves besides its weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Describes a phase, from `begins_share` of the run (0..1) to where the next phase begins."""

    name: str
    begins_share: float
    observes: bool  # ranges follow their tensors
    batch_norm_follows: bool  # statistics follow the batches
    learns_steps: bool = False  # ranges and weights' steps are parameters, trained like weights


FREE = Phase(name="train", begins_share=0.0, observes=True, batch_norm_follows=True)
HELD = Phase(name="hold", begins_share=0.0, observes=False, batch_norm_follows=False)


@runtime_checkable
class Schedulable(Protocol):
    """Describes a net, such as a fake-quantized one, that can freeze what it learns besides its weights.

    During validation, and after the run, everything is frozen.
    """

    def learn_steps(self) -> None:
        """Makes parameters of the steps; it is called before a run in which a phase learns them."""
        ...

    def set_phase(self, *, freeze_observers: bool, freeze_batch_norm: bool, learn_steps: bool = False) -> None:
        """Sets what moves; it is called in train() mode at every epoch's start and end, and at changes within one."""
        ...


def are_in_order(phases: Sequence[Phase]) -> bool:
    """Returns whether the phases begin at the run's start and each after the one before; 1 is never reached."""
    shares = [phase.begins_share for phase in phases]
    return shares[:1] == [0.0] and all(before < after for before, after in pairwise(shares))


def phase_at(phases: Sequence[Phase], done_share: float) -> Phase:
    """Returns the phase at which that share of the run (0..1) is done."""
    return [phase for phase in phases if phase.begins_share <= max(done_share, 0.0)][-1]
