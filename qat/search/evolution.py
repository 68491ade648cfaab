"""Search by MnasNet's reward: at random, or by evolution that drops the oldest (Real et al. 2019, arXiv 1802.01548)."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from qat.nets.architecture import Architecture
from qat.search.record import Candidate
from qat.search.reward import Reward
from qat.search.rounds import Judge, Proposal
from qat.search.space import Space

_SALT = 7_919  # numbers of one seed do not meet another's
_TRIES = 50  # for a net that was not there before


@dataclass(frozen=True, kw_only=True)
class Rewarded:
    """`count` candidates, each trained from nothing, and of all the one with the best reward.

    At random (`population` None) they are drawn from the space, all in one round. By evolution the first `population`
    are drawn; then every round gives `children`, each a mutation of the best of `sample` drawn from the `population`
    youngest. A child depends on finished rounds and its own number alone.
    """

    judge: Judge
    space: Space
    reward: Reward
    count: int
    seed: int
    population: int | None = None
    children: int = 8
    sample: int = 5

    carries_weights = False

    def propose(self, candidates: Sequence[Candidate]) -> Sequence[Proposal]:
        """The next round, none beyond `count`; the start net is one more."""
        missing, done = self.count + 1 - len(candidates), len(candidates)
        is_first = self.population is None or done <= self.population
        wanted = min(missing, (self.population or missing) + 1 - done if is_first else self.children)
        seen, proposals = {candidate.architecture for candidate in candidates}, []
        for number in range(done, done + max(0, wanted)):
            proposal = self._new(number, candidates, seen)
            seen.add(proposal.architecture)
            proposals.append(proposal)
        return proposals

    def score(self, candidate: Candidate, accuracy_share: float, candidates: Sequence[Candidate]) -> float:
        """The reward."""
        return self.reward.of(accuracy_share, candidate.latency_ms)

    def taken(self, candidates: Sequence[Candidate]) -> tuple[int, ...]:
        """Every candidate that was better than all before it, from the start net on."""
        path = [candidates[0]]
        for candidate in candidates[1:]:
            if _score(candidate) > _score(path[-1]):
                path.append(candidate)
        return tuple(candidate.number for candidate in path)

    def _new(self, number: int, candidates: Sequence[Candidate], seen: set[Architecture]) -> Proposal:
        random = Random(self.seed * _SALT + number)
        parent, architecture = None, self.space.start
        for _ in range(_TRIES):
            if self.population is None or len(candidates) <= self.population:
                parent, architecture = None, self.space.draw(random)
            else:
                youngest = candidates[-self.population :]
                parent = max((random.choice(youngest) for _ in range(self.sample)), key=_score)
                architecture = self.space.mutated(parent.architecture, random)
            if architecture not in seen:
                break
        return Proposal(
            architecture=architecture,
            latency_ms=self.judge(architecture),
            parent=parent.number if parent else 0,
            change=parent.architecture.differences(architecture) if parent else "drawn",
        )


def _score(candidate: Candidate) -> float:
    assert candidate.score is not None
    return candidate.score
