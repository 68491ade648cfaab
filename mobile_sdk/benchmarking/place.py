"""Runs a benchmark's workers in processes of this host, or on a device at the other end of a connection."""

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.devices import Host, Remote, check_measures_time, open_device
from mobile_sdk.devices.state import DeviceState
from mobile_sdk.errors import MachineError
from mobile_sdk.system.environment import Environment, describe_environment

_COOL_C = 60.0  # above it a phone's big cores soon slow down; at rest they are at 30 to 45
_PATIENCE_S = 120.0
_LOOK_EVERY_S = 5.0


def worker_command(bundle: Path, threads: int) -> list[str]:
    """Returns the command with which this Python starts a worker for a bundle."""
    return [sys.executable, "-m", "mobile_sdk.benchmarking.worker", str(bundle), str(threads)]


class Place(Protocol):
    """A place gives `benchmarking` access to a device."""

    name: str
    heats_up: bool  # true if runs in a row may slow it down, as they do a phone

    def not_run(self, bundle: Bundle) -> str | None:
        """Returns why a bundle is not timed there, or None."""
        ...

    def command(self, bundle: Bundle, threads: int) -> AbstractContextManager[list[str]]:
        """Returns the command that starts a worker for the bundle; its files exist for as long as the block runs."""
        ...

    def state(self) -> DeviceState | None:
        """Returns the device's properties and state."""
        ...

    def environment(self, versions: Mapping[str, str]) -> Environment:
        """Returns the environment that is written beside the numbers."""
        ...


def open_place(device: str) -> Place:
    """Opens the place of that name. Raises SettingError if times would mean nothing, MachineError if it is missing."""
    opened = open_device(device)
    check_measures_time(opened)
    return _RemotePlace(opened) if isinstance(opened, Remote) else _HostPlace()


def wait_until_cool(
    state: Callable[[], DeviceState | None], say: Callable[[str], None], *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Returns once the device is neither hot nor slowed down; raises MachineError with the reason after two minutes."""
    waited_s = 0.0
    while reason := _why_too_warm(state()):
        if waited_s >= _PATIENCE_S:
            raise MachineError(
                f"expected a cool device, found that {reason} after {waited_s:.0f} s of rest",
                hint="take it off the charger and out of its case, or measure with quick",
            )
        say(f"waiting: {reason}")
        sleep(_LOOK_EVERY_S)
        waited_s += _LOOK_EVERY_S


def _why_too_warm(state: DeviceState | None) -> str | None:
    if state is None:
        return None
    if state.thermal_status:
        return f"it throttles (thermal status {state.thermal_status})"
    if state.temperature_c is not None and state.temperature_c > _COOL_C:
        return f"it is at {state.temperature_c:.0f} °C, above {_COOL_C:.0f}"
    return None


class _HostPlace:
    """Runs one Python process a bundle on this machine."""

    name = "host"
    heats_up = False

    def not_run(self, bundle: Bundle) -> str | None:
        return runtimes.get(bundle.manifest.runtime).not_timed(on_host=True)

    def command(self, bundle: Bundle, threads: int) -> AbstractContextManager[list[str]]:
        return nullcontext(worker_command(bundle.path, threads))

    def state(self) -> DeviceState | None:
        return Host().state()

    def environment(self, versions: Mapping[str, str]) -> Environment:
        return describe_environment(versions)


class _RemotePlace:
    """Runs one C++ runner a bundle on a device; it answers as the host's workers do."""

    heats_up = True

    def __init__(self, device: Remote) -> None:
        self.name = device.name
        self._device = device

    def not_run(self, bundle: Bundle) -> str | None:
        return runtimes.get(bundle.manifest.runtime).not_timed(on_host=False)

    def command(self, bundle: Bundle, threads: int) -> AbstractContextManager[list[str]]:
        manifest = bundle.manifest
        tolerances, golden = manifest.golden.of_outputs, bundle.path / "golden"
        return self._device.timed(manifest.runtime, bundle.model_path, golden, tolerances=tolerances, threads=threads)

    def state(self) -> DeviceState | None:
        return self._device.state()

    def environment(self, versions: Mapping[str, str]) -> Environment:
        host, state = describe_environment(versions), self._device.state()
        return host.model_copy(
            update={
                "processor": state.processor,
                "features": state.features,
                "architecture": state.machine,
                "cores": len(state.cores),
                "memory_mib": state.memory_mib,
                "system": state.system or "unknown",
                "kernel": state.kernel,
                "governor": state.cores[-1].governor if state.cores else None,
            }
        )
