"""Measures the same bundles on several devices at once; times are compared only within a device."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mobile_sdk.benchmarking.benchmark import BenchmarkStoppedError, benchmark
from mobile_sdk.benchmarking.iphone import benchmark_on_iphone
from mobile_sdk.benchmarking.measurements import Numbers
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.devices import Farm, open_device
from mobile_sdk.devices.ios.requests import is_iphone
from mobile_sdk.errors import MachineError
from mobile_sdk.system.progress import Report


def device_names(device: str) -> list[str]:
    """Returns the names of the devices that `--device` selects: those of a farm, or `device` itself."""
    if device == "adb" and isinstance(farm := open_device(device), Farm):
        return [member.name for member in farm.members]
    return [device]


def benchmark_each(
    bundles: Sequence[Bundle], devices: Sequence[str], *, progress: Report, **settings: Any
) -> list[Numbers | BenchmarkStoppedError]:
    """Returns the result of `benchmark` on each device, or the error that stopped it there; raises other errors.

    Progress is the first device's.
    """
    if len(devices) == 1:
        return [_benchmark(bundles, devices[0], progress, settings)]
    given_up = threading.Event()

    def measure(index: int) -> Numbers | BenchmarkStoppedError:
        def report(done_share: float, text: str) -> None:
            if given_up.is_set():
                raise MachineError("expected to measure to the end, found it given up", hint="measure again")
            if index == 0:
                progress(done_share, text)

        return _benchmark(bundles, devices[index], report, settings)

    with ThreadPoolExecutor(len(devices)) as pool:
        try:
            return list(pool.map(measure, range(len(devices))))
        except BaseException:  # Ctrl-C too must stop the other devices' threads
            given_up.set()
            raise


def _benchmark(
    bundles: Sequence[Bundle], device: str, progress: Report, settings: dict[str, Any]
) -> Numbers | BenchmarkStoppedError:
    if is_iphone(device):
        return benchmark_on_iphone(bundles, device, progress=progress, **settings)
    try:
        return benchmark(bundles, device=device, progress=progress, **settings)
    except BenchmarkStoppedError as stopped:
        return stopped
