"""Runs as the process that measures one bundle: `python -m mobile_sdk.benchmarking.worker BUNDLE THREADS`.

It reports once that it is ready, then runs as often as it is asked (`system.worker_process`). One bundle a process
keeps memory, load time and first run apart; it works only on request, so that bundles never compete.
"""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.benchmarking.big_cores import use_big_cores
from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.errors import SdkError
from mobile_sdk.runtimes.base import Session
from mobile_sdk.system.worker_process import Parent

Picture = NDArray[np.uint8]

_WARM_UP_RUNS = 5  # two groups of so many runs whose medians agree end the warm-up
_WARM_UP_AGREEMENT = 0.05
_WARM_UP_S = 2.0  # and this ends it in any case


def main(arguments: Sequence[str]) -> int:
    """Serves until standard input ends; it reports an SdkError as a line and returns the error's exit code."""
    parent = Parent()
    try:
        _serve(Path(arguments[0]), int(arguments[1]), parent)
    except SdkError as error:
        parent.fail(error)
        return error.exit_code
    return 0


def measure(session: Session, pictures: Sequence[Picture], runs: int) -> list[float]:
    """Returns the times of `runs` runs in ms, over the pictures in turn."""
    times_ms = []
    for index in range(runs):
        picture = pictures[index % len(pictures)]
        start_ns = time.perf_counter_ns()
        session.run(picture)
        times_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
    return times_ms


def warm_up(session: Session, pictures: Sequence[Picture]) -> list[float]:
    """Runs until two groups of five agree within 5 % in their medians, for 2 s at most; returns the times in ms."""
    deadline_s = time.perf_counter() + _WARM_UP_S
    times_ms = measure(session, pictures, _WARM_UP_RUNS)
    while time.perf_counter() < deadline_s:
        before = float(np.median(times_ms[-_WARM_UP_RUNS:]))
        times_ms += measure(session, pictures, _WARM_UP_RUNS)
        if abs(float(np.median(times_ms[-_WARM_UP_RUNS:])) / before - 1) < _WARM_UP_AGREEMENT:
            break
    return times_ms


def _serve(path: Path, threads: int, parent: Parent) -> None:
    load, pictures = _prepare(path, threads)
    cores = use_big_cores(threads)
    before_mib = _forget_peak_mib()
    start_ns = time.perf_counter_ns()
    session = load()
    load_ms = (time.perf_counter_ns() - start_ns) / 1e6
    first_run_ms = measure(session, pictures, 1)[0]
    warm_up_ms = warm_up(session, pictures)
    parent.reply({"load_ms": load_ms, "first_run_ms": first_run_ms, "warm_up_ms": warm_up_ms, "cores": cores})
    for request, _ in parent.requests():
        rewarm_ms, *times_ms = measure(session, pictures, 1 + int(request["runs"]))
        peak_mib = None if before_mib is None else _peak_mib() - before_mib
        parent.reply({"rewarm_ms": rewarm_ms, "times_ms": times_ms, "peak_mib": peak_mib})
    session.close()


def _prepare(path: Path, threads: int) -> tuple[Callable[[], Session], list[Picture]]:
    """Returns a function that loads the bundle's model, and its golden pictures.

    Imports the runtime's packages first, which takes seconds that an app on a phone does not spend.
    """
    bundle = open_bundle(path)
    runtime = bundle.runtime

    def load() -> Session:
        return runtime.load(bundle.model_path, bundle.interface, threads=threads)

    runtime.prepare()
    return load, [bundle.golden_picture(index) for index in range(len(bundle.manifest.golden.pictures))]


def _forget_peak_mib() -> float | None:
    """Resets the peak of resident memory to the present value, and returns that; None if it cannot be reset."""
    if sys.platform != "linux":
        return _peak_mib()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return None
    return _status_mib("VmRSS")


def _peak_mib() -> float:
    if sys.platform == "linux":
        return _status_mib("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


def _status_mib(field: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise OSError(f"no {field} in the process status")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
