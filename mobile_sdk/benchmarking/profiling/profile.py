"""Measures how long each layer of a bundle takes, with the profiler of its runtime, on this host or on a device.

A profiled run is a little slower than another one, so that these times share out a latency and do not replace it.
"""

import json
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mobile_sdk import runtimes
from mobile_sdk.arguments import NOTHING, expect
from mobile_sdk.benchmarking.profiling.kernels import operators_of
from mobile_sdk.bundle.bundle import OPEN_IT, Bundle
from mobile_sdk.devices import DemoApp, Device, Remote, check_measures_time, open_device
from mobile_sdk.devices.runner.build import make_runners
from mobile_sdk.devices.runner.staging import error_in, stage
from mobile_sdk.document import Document
from mobile_sdk.errors import BundleError, MachineError, SettingError
from mobile_sdk.graph.operators import Graph, Operator
from mobile_sdk.memory.limit import executed
from mobile_sdk.program.program import LOAD_IT, Program
from mobile_sdk.system.cache import Say
from mobile_sdk.system.child_process import tied
from mobile_sdk.system.progress import Progress, reported
from mobile_sdk.system.temporary_folder import scratch_folder

RUNS = 200
_TRIMMED = 0.25  # of the runs at either end
_TIMEOUT_S = 600.0
Microseconds = Annotated[float, Field(ge=0)]


class KernelTime(Document):
    """Holds the time of a kernel, the mean of the middle half of the runs, and the layers that it computes.

    `layers` are module paths and `operators` the graph's operators there; both are empty for a kernel that the graph
    does not know, as a copy of the input. `expected_us` is what a latency model expects of these operators.
    """

    kernel: str
    layers: tuple[str, ...]
    operators: tuple[str, ...]
    us: Microseconds
    expected_us: Microseconds | None = None

    @property
    def title(self) -> str:
        """Returns the layers, or the kernel's own name where it has none."""
        return ", ".join(self.layers) or self.kernel


class Profile(Document):
    """Holds the times of a bundle's kernels in the order of execution; `run_us` is that of a whole profiled run."""

    bundle: str
    runtime: str
    device: str
    threads: Annotated[int, Field(ge=1)]
    runs: Annotated[int, Field(ge=1)]
    run_us: Microseconds
    kernels: tuple[KernelTime, ...]
    expected_by: str | None = None

    def slowest(self, count: int) -> list[KernelTime]:
        """Returns the slowest kernels, the slowest first."""
        return sorted(self.kernels, key=lambda each: each.us, reverse=True)[:count]

    @property
    def kernels_us(self) -> float:
        """Returns what all kernels of a run take together."""
        return sum(each.us for each in self.kernels)

    @property
    def rest_us(self) -> float:
        """Returns what a run takes beside its kernels: copies, calls, and the parts of microseconds that are cut."""
        return max(0.0, self.run_us - self.kernels_us)


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """Holds what somebody expects of a kernel that computes some operators, in microseconds, and who that is."""

    by: str
    us: Callable[[Sequence[Operator]], float]


def profile(
    bundle: Bundle,
    program: Program,
    *,
    device: str = "host",
    threads: int = 1,
    runs: int = RUNS,
    expected: Expectation | None = None,
    progress: Progress = True,
) -> Profile:
    """Measures every kernel of a bundle's model in `runs` runs of its golden images, and names the layers of `program`.

    Both runtimes' profilers count whole microseconds. With `expected` each kernel has the time that is expected of its
    operators. Raises SettingError for a runtime without a profiler, a device whose times mean
    nothing, or another program than the bundle's; MachineError if the device or a compiler for its runner is missing.

    Example: `slowest = max(sdk.profile(bundle, program).kernels, key=lambda kernel: kernel.us)`
    """
    expect("bundle", bundle, Bundle, hint=OPEN_IT)
    expect("program", program, Program, hint=LOAD_IT)
    expect("device", device, str)
    expect("threads", threads, int)
    expect("runs", runs, int)
    expect("expected", expected, Expectation, NOTHING)
    check_profiled(bundle, program)
    for name, value in (("threads", threads), ("runs", runs)):
        if value < 1:
            raise SettingError(f"expected {name} of 1 or more, found {value}", hint=f"leave {name} out")
    with reported(progress, f"profile {bundle.path.name}") as report:
        report(0.0, f"profiling {bundle.path.name}")
        answer = _ask(bundle, device, threads, runs, lambda line: report(0.0, line))
    graph = executed(program.graph, bundle.manifest.activation_limit_kib)
    times_us = _trimmed_mean(np.array(answer["times_us"], np.float64).reshape(runs, -1))
    return Profile(
        bundle=bundle.path.name,
        runtime=bundle.manifest.runtime,
        device=device,
        threads=threads,
        runs=runs,
        run_us=float(_trimmed_mean(np.array(answer["runs_us"], np.float64))),
        kernels=_kernels(answer["operators"], times_us.tolist(), graph, expected),
        expected_by=None if expected is None else expected.by,
    )


def _trimmed_mean(runs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean over the runs (runs, …), without the least and the greatest of them."""
    cut = int(_TRIMMED * len(runs))
    mean: NDArray[np.float64] = np.sort(runs, axis=0)[cut : len(runs) - cut].mean(axis=0)
    return mean


def check_profiled(bundle: Bundle, program: Program) -> None:
    """Raises SettingError unless the bundle's runtime has a profiler here and the bundle is the program's."""
    if bundle.manifest.runtime not in runtimes.on_devices():
        raise SettingError(
            f"expected a bundle of {' or '.join(runtimes.on_devices())} to profile, found {bundle.manifest.runtime}",
            hint="name a bundle of one of these",
        )
    if bundle.manifest.graph_sha256 != program.graph.digest():
        raise SettingError(
            f"expected the program that {bundle.path.name} was exported from, found another",
            hint="name the program.pt2 that it was exported from",
        )


def check_profiles(device: str) -> Device:
    """Returns the opened device; raises SettingError if no kernels can be timed there."""
    opened = open_device(device)
    check_measures_time(opened)
    if isinstance(opened, DemoApp):
        raise SettingError(
            f"expected a device that times kernels, found {device}: apps ship no profiler",
            hint=f"use adb{':' * (':' in device)}{device.partition(':')[2]}",
        )
    return opened


def _ask(bundle: Bundle, device: str, threads: int, runs: int, say: Say) -> dict[str, Any]:
    opened = check_profiles(device)
    name, goldens = bundle.manifest.runtime, bundle.golden_tensors()
    if isinstance(opened, Remote):
        with opened.profiled(name, bundle.model_path, goldens, threads=threads, runs=runs) as command:
            return _answer(command, bundle)
    runners = make_runners(platform.machine(), say)
    with scratch_folder() as folder:
        stage(folder, [bundle.model_path], goldens)
        return _answer([str(runners.program(name)), "layers", str(folder), str(threads), str(runs)], bundle)


def _answer(command: Sequence[str], bundle: Bundle) -> dict[str, Any]:
    try:
        done = subprocess.run(
            tied(list(command)), capture_output=True, text=True, check=False, timeout=_TIMEOUT_S, errors="replace"
        )
    except subprocess.TimeoutExpired:
        found = f"expected a profile of {bundle.path.name} within {_TIMEOUT_S:.0f} s, found it still running"
        raise MachineError(found, hint="ask for fewer runs") from None
    if error := error_in(done.stdout, f"the profiler refuses {bundle.path.name}"):
        raise error
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip() or "nothing").splitlines()[-1]
        raise MachineError(
            f"expected a profile of {bundle.path.name}, found exit code {done.returncode}: {last}",
            hint="run `mobile-sdk verify` on it first",
        ) from None
    if not answer["operators"]:
        raise BundleError(
            f"expected the runtime to tell of its kernels in {bundle.path.name}, found none", hint="export it again"
        )
    return answer


def _kernels(
    names: Sequence[str], times_us: Sequence[float], graph: Graph, expected: Expectation | None
) -> tuple[KernelTime, ...]:
    return tuple(
        KernelTime(
            kernel=name,
            layers=tuple(dict.fromkeys(operator.path for operator in computed)),
            operators=tuple(type(operator).__name__ for operator in computed),
            us=us,
            expected_us=None if expected is None or not computed else expected.us(computed),
        )
        for name, us, computed in zip(names, times_us, operators_of(names, graph), strict=True)
    )
