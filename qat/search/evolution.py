"""Runs random search, or evolution that drops the oldest (Real et al. 2019, arXiv 1802.01548), by MnasNet's reward."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from qat.nets.architecture import Architecture
from qat.search.record import Candidate
from qat.search.reward import Reward
from qat.search.rounds import Proposal
from qat.search.space.space import Space
from qat.search.target import Judge, check_reachable, fastest

_SALT = 7_919  # keeps the numbers of seeds apart
_TRIES = 50  # to find a net that is new


@dataclass(frozen=True, kw_only=True)
class Rewarded:
    """Proposes `count` candidates, each trained from nothing, and takes the best reward at or below the target.

    At random (`population` None) they are drawn from the space, all in one round. By evolution the first `population`
    are drawn; then every round has `children`, each a mutation of the best of `sample` drawn from the `population`
    youngest. A child depends only on finished rounds and its own number.

    Training a net that is too slow to be taken is lost time. So a net that is drawn above the target is brought below
    it: as few of its genes as needed, in random order, become those of the space's fastest net. A mutation above the
    target is drawn again. `check` finds out before any training whether the space has nets on both sides of the target.
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

    @property
    def target_ms(self) -> float:
        """Returns the reward's target."""
        return self.reward.target_ms

    def check(self, start: Architecture, start_ms: float) -> None:
        """Raises SettingError if no net of the space meets the target, or none is slower than it."""
        check_reachable(self.space, self.judge, self.target_ms)

    def propose(self, candidates: Sequence[Candidate]) -> Sequence[Proposal]:
        """Returns the next round, none beyond `count`; the start net is one more."""
        missing, done = self.count + 1 - len(candidates), len(candidates)
        is_first = self.population is None or done <= self.population
        wanted = min(missing, (self.population or missing) + 1 - done if is_first else self.children)
        seen, proposals = {candidate.architecture for candidate in candidates}, []
        for number in range(done, done + max(0, wanted)):
            proposal = self._new(number, () if is_first else candidates, seen)
            seen.add(proposal.architecture)
            proposals.append(proposal)
        return proposals

    def score(self, candidate: Candidate, accuracy_share: float, candidates: Sequence[Candidate]) -> float:
        """Returns the reward."""
        return self.reward.of(accuracy_share, candidate.latency_ms)

    def taken(self, candidates: Sequence[Candidate]) -> tuple[int, ...]:
        """Returns every candidate that was better than all before it, from the start net on.

        Below the target the better reward is better; above it the lower latency, but worse than any net below.
        """
        path = [candidates[0]]
        for candidate in candidates[1:]:
            if self._rank(candidate) > self._rank(path[-1]):
                path.append(candidate)
        return tuple(candidate.number for candidate in path)

    def _rank(self, candidate: Candidate) -> tuple[bool, float]:
        assert candidate.score is not None
        is_met = candidate.latency_ms <= self.target_ms
        return is_met, candidate.score if is_met else -candidate.latency_ms

    def _new(self, number: int, candidates: Sequence[Candidate], seen: set[Architecture]) -> Proposal:
        """Returns the first of some tries that is new and meets the target, else the fastest of them."""
        random, tried = Random(self.seed * _SALT + number), []
        for _ in range(_TRIES):
            proposal = self._mutated(random, candidates) if candidates else self._drawn(random)
            if proposal.architecture not in seen and proposal.latency_ms <= self.target_ms:
                return proposal
            tried.append(proposal)
        return min(tried, key=lambda proposal: (proposal.architecture in seen, proposal.latency_ms))

    def _mutated(self, random: Random, candidates: Sequence[Candidate]) -> Proposal:
        youngest = candidates[-(self.population or 0) :]
        parent = max((random.choice(youngest) for _ in range(self.sample)), key=self._rank)
        architecture = self.space.mutated(parent.architecture, random)
        return Proposal(
            architecture=architecture,
            latency_ms=self.judge(architecture),
            parent=parent.number,
            change=parent.architecture.differences(architecture),
        )

    def _drawn(self, random: Random) -> Proposal:
        architecture = self.space.draw(random)
        latency_ms = self.judge(architecture)
        if latency_ms > self.target_ms:
            architecture, latency_ms = self._brought_below(architecture, random)
        return Proposal(architecture=architecture, latency_ms=latency_ms, parent=0, change="drawn")

    def _brought_below(self, drawn: Architecture, random: Random) -> tuple[Architecture, float]:
        """Finds by bisection the fewest genes of the fastest net that meet the target: more never take longer.

        Returns the fastest net itself if nothing else meets it.
        """
        genes = self.space.genes
        order = random.sample(genes, len(genes))
        low, high, found = 1, len(genes), self._fastest
        while low < high:
            middle = (low + high) // 2
            architecture = self.space.towards(drawn, self._fastest[0], order[:middle])
            latency_ms = self.judge(architecture)
            if latency_ms <= self.target_ms:
                found, high = (architecture, latency_ms), middle
            else:
                low = middle + 1
        return found

    @cached_property
    def _fastest(self) -> tuple[Architecture, float]:
        """Returns the narrowest net of the space and its latency, or the fastest if that misses the target."""
        net = self.space.narrowest
        if self.judge(net) > self.target_ms:
            net = fastest(self.space, self.judge)
        return net, self.judge(net)
