"""Latencies that can be compared: contenders take turns in one process, so that bursts of the machine hit all alike."""

import time
from collections.abc import Callable, Mapping

import numpy as np

Run = Callable[[], object]

ROUNDS, RUNS = 40, 10


def interleaved_ms(contenders: Mapping[str, Run]) -> dict[str, float]:
    """The median milliseconds of every contender's run, over rounds that begin with another one each."""
    names = list(contenders)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for round_index in range(ROUNDS + 1):
        first = round_index % len(names)
        for name in names[first:] + names[:first]:
            taken = _turn(contenders[name])
            if round_index:  # the first round warms up
                samples[name] += taken
    return {name: float(np.median(taken)) for name, taken in samples.items()}


def _turn(run: Run) -> list[float]:
    """The milliseconds of one turn's runs; one run before them brings the contender's weights back into the caches."""
    run()
    taken = []
    for _ in range(RUNS):
        started = time.perf_counter()
        run()
        taken.append(1000 * (time.perf_counter() - started))
    return taken
