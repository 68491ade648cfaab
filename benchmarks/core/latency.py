"""Measures comparable latencies: contenders take turns in one process, so that the machine's bursts hit all alike."""

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Run = Callable[[], object]

ROUNDS, RUNS = 40, 10


def interleaved_ms(contenders: Mapping[str, Run]) -> dict[str, float]:
    """Returns the median milliseconds of every contender's run, over rounds that start with a different one each."""
    taken = interleaved_rounds(contenders, rounds=ROUNDS, runs=RUNS)
    return {name: float(np.median(ms)) for name, ms in taken.items()}


def interleaved_rounds(contenders: Mapping[str, Run], *, rounds: int, runs: int) -> dict[str, NDArray[np.float64]]:
    """Returns the milliseconds (rounds, runs) of every contender, without the first round, which only warms up."""
    names = list(contenders)
    taken: dict[str, list[list[float]]] = {name: [] for name in names}
    for index in range(rounds + 1):
        first = index % len(names)
        for name in names[first:] + names[:first]:
            turn = _turn(contenders[name], runs)
            if index:
                taken[name].append(turn)
    return {name: np.array(turns) for name, turns in taken.items()}


def _turn(run: Run, runs: int) -> list[float]:
    """Returns the milliseconds of one turn's runs.

    One run before them brings the contender's weights into the caches.
    """
    run()
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        run()
        taken.append(1000 * (time.perf_counter() - started))
    return taken
