"""Times many small graphs on this host in one process, which loads the runtime once, in interleaved rounds."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from mobile_sdk import runtimes
from mobile_sdk.benchmarking.worker import Picture, measure, warm_up
from mobile_sdk.contract import Contract, stored_shape
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.base import Runtime, Session
from mobile_sdk.system.temporary_folder import scratch_folder

_ROUNDS = 21
_TURN_MS = 5.0
_MAX_TURN_RUNS = 200


def host_latencies_ms(graphs: Sequence[tuple[Graph, Contract]], *, runtime: str, threads: int) -> list[float]:
    """Returns the milliseconds of one run of every graph on a quiet machine.

    It takes the fastest of all runs, in turns that are spread over all rounds: other load makes runs slower and never
    faster, and a fitted model must not depend on the minute. Raises MachineError if the runtime cannot run here.
    """
    chosen, random = runtimes.get(runtime), np.random.default_rng(0)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch_folder())
        turns = []
        for index, (graph, contract) in enumerate(graphs):
            session = stack.enter_context(closing(_load(chosen, graph, contract, folder / f"{index}", threads)))
            shape = stored_shape(graph.input.shape)
            turns.append(_Turns(session, random.integers(0, 256, shape, np.uint8)))
        for first in range(_ROUNDS):
            for offset in range(len(turns)):
                turns[(first + offset) % len(turns)].take()
        return [turn.quiet_ms for turn in turns]


def _load(runtime: Runtime, graph: Graph, contract: Contract, folder: Path, threads: int) -> Session:
    folder.mkdir()
    file = folder / runtime.model_file
    return runtime.load(file, runtime.export(graph, contract, file), threads=threads)


class _Turns:
    """Holds one loaded graph and the times of its turns.

    The first run of a turn brings its weights back into the caches.
    """

    def __init__(self, session: Session, picture: Picture) -> None:
        self._session, self._pictures = session, [picture]
        typical_ms = float(np.median(warm_up(session, self._pictures)[-5:]))
        self._runs = int(np.clip(round(_TURN_MS / typical_ms), 1, _MAX_TURN_RUNS))
        self._least_ms = float("inf")

    @property
    def quiet_ms(self) -> float:
        return self._least_ms

    def take(self) -> None:
        self._least_ms = min(self._least_ms, *measure(self._session, self._pictures, 1 + self._runs)[1:])
