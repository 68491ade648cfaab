"""Runs the one loop of every search: rounds of candidates, each evaluated and recorded on disk."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from qat.nets.architecture import Architecture
from qat.progress import say, track
from qat.search.evaluation import Evaluate, Job, Parent
from qat.search.record import Candidate, SearchFolder, SearchRecord
from qat.search.target import target_line


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Holds a candidate before it has a number."""

    architecture: Architecture
    latency_ms: float
    parent: int | None
    change: str


class Method(Protocol):
    """Decides what to evaluate next and what to take, only by the candidates so far and its own seed."""

    @property
    def carries_weights(self) -> bool:
        """Returns whether candidates start from their parents' weights."""

    @property
    def target_ms(self) -> float:
        """Returns the latency that is to be reached."""

    def check(self, start: Architecture, start_ms: float) -> None:
        """Raises SettingError if a search from the start net cannot reach the target."""

    def propose(self, candidates: Sequence[Candidate]) -> Sequence[Proposal]:
        """Returns the next round, or none at the search's end."""

    def score(self, candidate: Candidate, accuracy_share: float, candidates: Sequence[Candidate]) -> float:
        """Returns the score that ranks a candidate: more is better."""

    def taken(self, candidates: Sequence[Candidate]) -> tuple[int, ...]:
        """Returns the candidates taken so far, in order, when all are evaluated; the last is the best."""


def search(
    method: Method, evaluate: Evaluate, folder: SearchFolder, start: Parent, start_ms: float, *, seed: int
) -> SearchRecord:
    """Continues the search in `folder` until `method` proposes no more; `start_ms` is the start net's latency.

    One seed gives one record, however many workers evaluate, in whatever order they finish, and however often the
    search is killed. Without carried weights every candidate, and the start net, is trained from nothing. Raises
    SettingError, before any evaluation, for a target that no net can reach.
    """
    if not folder.record.candidates:
        method.check(start.architecture, start_ms)
        first = Proposal(architecture=start.architecture, latency_ms=start_ms, parent=None, change="start")
        folder.add(_numbered([first], folder.record.candidates), ())
    while True:
        _evaluate_rest(method, evaluate, folder, start, seed)
        candidates = folder.record.candidates
        taken = method.taken(candidates)
        _report(candidates, taken)
        proposals = method.propose(candidates)
        if not proposals:
            folder.finish(taken)
            say(target_line(method.target_ms, candidates[taken[-1]].latency_ms, nets=len(candidates)))
            return folder.record
        folder.add(_numbered(proposals, candidates), taken)


def _numbered(proposals: Sequence[Proposal], candidates: Sequence[Candidate]) -> list[Candidate]:
    number = len(candidates)
    following = candidates[-1].round + 1 if candidates else 0
    return [
        Candidate(
            number=number + index,
            round=following,
            parent=proposal.parent,
            change=proposal.change,
            architecture=proposal.architecture,
            latency_ms=proposal.latency_ms,
        )
        for index, proposal in enumerate(proposals)
    ]


def _evaluate_rest(method: Method, evaluate: Evaluate, folder: SearchFolder, start: Parent, seed: int) -> None:
    missing = [candidate for candidate in folder.record.candidates if candidate.accuracy_share is None]
    if not missing:
        return
    parents: dict[int, Parent] = {}
    jobs = [_job(method, candidate, folder, start, parents, seed) for candidate in missing]
    started_s, total = time.monotonic(), len(folder.record.candidates)
    what = f"round {missing[0].round}, {total} candidates so far"
    for job, outcome in track(evaluate(jobs), what=what, total=len(jobs)):
        candidate = folder.record.candidates[job.number]
        score = method.score(candidate, outcome.accuracy_share, folder.record.candidates)
        folder.evaluated(job.number, outcome.accuracy_share, score, outcome.state)
    if len(jobs) > 1:
        say(f"round {missing[0].round}: {len(jobs)} candidates in {time.monotonic() - started_s:.0f} s")


def _job(
    method: Method, candidate: Candidate, folder: SearchFolder, start: Parent, parents: dict[int, Parent], seed: int
) -> Job:
    """Returns a candidate's job; candidates share one parent object, which then travels to the workers once."""
    parent = None
    if method.carries_weights and candidate.parent is None:
        parent = start
    elif method.carries_weights and candidate.parent is not None:
        number = candidate.parent
        if number not in parents:
            architecture = folder.record.candidates[number].architecture
            parents[number] = Parent(architecture=architecture, state=folder.state_of(number))
        parent = parents[number]
    return Job(
        number=candidate.number,
        architecture=candidate.architecture,
        parent=parent,
        seed=seed * 1_000_003 + candidate.number,
        is_trained=candidate.parent is None,
    )


def _report(candidates: Sequence[Candidate], taken: tuple[int, ...]) -> None:
    best, start = candidates[taken[-1]], candidates[0]
    share = best.latency_ms / start.latency_ms
    say(
        f"candidate {best.number} of round {best.round} ({best.change}): {best.latency_ms:.3f} ms, {share:.0%} of the "
        f"start net's, accuracy {best.accuracy_share:.2%}"
    )
