"""Makes a net faster step by step, by NetAdapt (Yang et al. 2018, arXiv 1804.03230; MobileNetV3, section 4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from mobile_sdk.errors import SettingError
from qat.nets.architecture import Architecture
from qat.search.record import Candidate
from qat.search.rounds import Proposal
from qat.search.space.widths import DIVISOR, Width, channels_of, resized, widths
from qat.search.target import Judge, check_target, rounded_up

_HALVINGS = 8  # how often δ is halved if no single width cuts it
_ORDERS = 20  # orders of narrowing that are tried before a target is called out of reach


@dataclass(frozen=True, kw_only=True)
class NetAdapt:
    """Proposes cuts of the latency by δ or more and takes the best ΔAcc / |ΔLat|, until the target is reached.

    `step_share` is δ in latencies of the start net (0.01 in the paper). A proposal narrows one width, an expansion or a
    bottleneck that blocks share, by as little as cuts δ. The last step asks only for the rest; if no width cuts δ any
    more, it is halved (NetAdapt's own steps shrink as well). If none cuts even that, the search ends above the target
    with its best net. `check` finds out before any training whether the target can be reached.
    """

    judge: Judge
    target_ms: float
    step_share: float = 0.01

    carries_weights = True

    def __post_init__(self) -> None:
        if not 0 < self.step_share < 1:
            raise SettingError(f"expected a step between 0 and 1, found {self.step_share:g}", hint="use 0.01")

    def check(self, start: Architecture, start_ms: float) -> None:
        """Raises SettingError if the target is not below the start net's latency, or cannot be reached."""
        check_target(self.target_ms)
        if not self.target_ms < start_ms:
            raise SettingError(
                f"expected a target below the start net's {start_ms:.3f} ms, found {self.target_ms:.3f} ms",
                hint="lower the target, or start from a larger net",
            )
        if self.target_ms < self.judge(narrowest(start, widths(start))):
            self._check_orders(start)

    def _check_orders(self, start: Architecture) -> None:
        """Raises SettingError if no order of narrowing reaches the target.

        A narrowed width may keep another from narrowing, so the lowest latency depends on the order.
        """
        random, in_order = Random(0), widths(start)
        orders = [in_order, in_order[::-1], *(random.sample(in_order, len(in_order)) for _ in range(_ORDERS))]
        least_ms = min(self.judge(narrowest(start, order)) for order in orders)
        if self.target_ms < least_ms:
            raise SettingError(
                f"expected a target that narrower layers can reach, {rounded_up(least_ms)} at the least, found "
                f"{self.target_ms:.3f} ms",
                hint="raise the target, or search by evolution, which also changes kernels and squeeze-and-excite",
            )

    def propose(self, candidates: Sequence[Candidate]) -> Sequence[Proposal]:
        """Returns a proposal for each width that can cut δ; none at the target, or if no width can shrink."""
        start, current = candidates[0], candidates[self.taken(candidates)[-1]]
        if current.latency_ms <= self.target_ms:
            return ()
        step_ms = min(self.step_share * start.latency_ms, current.latency_ms - self.target_ms)
        for _ in range(_HALVINGS):
            found = [self._narrowed(current, width, step_ms) for width in widths(current.architecture)]
            if proposals := [proposal for proposal in found if proposal is not None]:
                return proposals
            step_ms /= 2
        return ()

    def score(self, candidate: Candidate, accuracy_share: float, candidates: Sequence[Candidate]) -> float:
        """Returns ΔAcc / |ΔLat|, a share per millisecond, relative to the parent net; the start net's is 0."""
        if candidate.parent is None:
            return 0.0
        parent = candidates[candidate.parent]
        assert parent.accuracy_share is not None
        return (accuracy_share - parent.accuracy_share) / (parent.latency_ms - candidate.latency_ms)

    def taken(self, candidates: Sequence[Candidate]) -> tuple[int, ...]:
        """Returns the start net, then the best of every step; of equals the first."""
        best: dict[int, Candidate] = {}
        for candidate in candidates:
            before = best.get(candidate.round)
            if before is None or _score(candidate) > _score(before):
                best[candidate.round] = candidate
        return tuple(candidate.number for candidate in best.values())

    def _narrowed(self, current: Candidate, width: Width, step_ms: float) -> Proposal | None:
        """Returns the widest net that is faster by `step_ms`, found by bisection: fewer channels never take longer."""
        channels = range(DIVISOR, channels_of(current.architecture, width), DIVISOR)
        sizes = [new for count in channels if (new := resized(current.architecture, width, count)) is not None]
        enough: tuple[Architecture, float] | None = None
        low, high = 0, len(sizes)
        while low < high:
            middle = (low + high) // 2
            latency_ms = self.judge(sizes[middle])
            if current.latency_ms - latency_ms >= step_ms:
                enough, low = (sizes[middle], latency_ms), middle + 1
            else:
                high = middle
        if enough is None:
            return None
        architecture, latency_ms = enough
        change = current.architecture.differences(architecture)
        return Proposal(architecture=architecture, latency_ms=latency_ms, parent=current.number, change=change)


def narrowest(architecture: Architecture, order: Sequence[Width]) -> Architecture:
    """Returns the architecture with every width as narrow as possible, one after the other."""
    for width in order:
        for channels in range(DIVISOR, channels_of(architecture, width), DIVISOR):
            if (new := resized(architecture, width, channels)) is not None:
                architecture = new
                break
    return architecture


def _score(candidate: Candidate) -> float:
    assert candidate.score is not None
    return candidate.score
