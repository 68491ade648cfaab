"""Holds a small start net, a judge, and candidates that are evaluated without training, for the tests of search."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import torch

from mobile_sdk.latency.choice import choose_models
from qat.nets.architecture import Architecture
from qat.nets.classifiers.mobilenet_v3 import architecture_of
from qat.search.evaluation import Job, Outcome, Parent
from qat.search.record import SearchFolder, SearchRecord
from qat.search.rounds import Method, search
from qat.search.space.architecture_graph import drawn_graph

START = architecture_of("mobilenet_v3_small", 0.5)
SIZE_PX, CLASSES = 32, 3
(MODEL,) = choose_models("pixel-1", "int8")


def latency_ms(architecture: Architecture) -> float:
    """Predicted for Pixel 1."""
    return MODEL.predict_graph_ms(drawn_graph(architecture, classes=CLASSES, size_px=SIZE_PX))


def pretended(job: Job) -> Outcome:
    """An accuracy that only the architecture and the seed decide, and weights of one number."""
    digest = hashlib.sha256(f"{job.seed} {job.architecture}".encode()).digest()
    return Outcome(accuracy_share=digest[0] / 255, state={"weight": torch.tensor([float(digest[1])])})


def in_order(jobs: Sequence[Job]) -> Iterator[tuple[Job, Outcome]]:
    """One worker."""
    return ((job, pretended(job)) for job in jobs)


class Shuffled:
    """Many workers, which finish in any order, and are interrupted after `results` of them."""

    def __init__(self, seed: int, results: int | None = None) -> None:
        self._random, self._left = Random(seed), results

    def __call__(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Outcome]]:
        """Evaluates jobs."""
        for job in self._random.sample(jobs, len(jobs)):
            if self._left == 0:
                raise KeyboardInterrupt
            self._left = None if self._left is None else self._left - 1
            yield job, pretended(job)


def searched(method: Method, folder: Path, evaluate: object = in_order, seed: int = 0) -> SearchRecord:
    """The record of a search in `folder`."""
    start = Parent(architecture=START, state={"weight": torch.tensor([0.0])})
    return search(method, evaluate, SearchFolder(folder, {"asked": "it"}), start, latency_ms(START), seed=seed)  # type: ignore[arg-type]
