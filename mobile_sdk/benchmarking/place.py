"""Runs a benchmark's workers in processes of this host, or on a device at the other end of a connection."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.devices import AppState, DemoApp, Host, Remote, check_measures_time, open_device
from mobile_sdk.devices.state import DeviceState
from mobile_sdk.errors import MachineError, SettingError
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

    def shell(self, script: str) -> str:
        """Returns what `script` prints in the device's shell; raises MachineError if it fails."""
        ...

    def app(self) -> AppState | None:
        """Returns what the app that measures said of itself; None without an app."""
        ...

    def environment(self, versions: Mapping[str, str]) -> Environment:
        """Returns the environment that is written beside the numbers; `versions` are this host's."""
        ...


def open_place(device: str) -> Place:
    """Opens the place of that name. Raises SettingError if times would mean nothing, MachineError if it is missing."""
    opened = open_device(device)
    check_measures_time(opened)
    if isinstance(opened, DemoApp):
        return _AppPlace(opened)
    if isinstance(opened, Remote):
        return _RemotePlace(opened)
    if isinstance(opened, Host):
        return _HostPlace()
    raise SettingError(
        f"expected a device that takes turns, found {device}", hint="measure there with mobile-sdk bench"
    )


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
        return bundle.runtime.not_timed(on_host=True)

    def command(self, bundle: Bundle, threads: int) -> AbstractContextManager[list[str]]:
        return nullcontext(worker_command(bundle.path, threads))

    def state(self) -> DeviceState | None:
        return Host().state()

    def shell(self, script: str) -> str:
        return Host().shell(script)

    def app(self) -> AppState | None:
        return None

    def environment(self, versions: Mapping[str, str]) -> Environment:
        return describe_environment(versions)


class _RemotePlace:
    """Runs one C++ runner a bundle on a device; it answers as the host's workers do."""

    heats_up = True

    def __init__(self, device: Remote) -> None:
        self.name = device.name
        self._device = device

    def not_run(self, bundle: Bundle) -> str | None:
        return bundle.runtime.not_timed(on_host=False)

    def command(self, bundle: Bundle, threads: int) -> AbstractContextManager[list[str]]:
        manifest = bundle.manifest
        tolerances, goldens = manifest.golden.of_outputs, bundle.golden_tensors()
        return self._device.timed(manifest.runtime, bundle.model_path, goldens, tolerances=tolerances, threads=threads)

    def state(self) -> DeviceState | None:
        return self._device.state()

    def shell(self, script: str) -> str:
        return self._device.shell(script)

    def app(self) -> AppState | None:
        return None

    def environment(self, versions: Mapping[str, str]) -> Environment:
        return _environment_there(versions, self._device.state())


class _AppPlace:
    """Serves the bundles in the demo app on a phone, one process with a model each; it answers as workers do."""

    heats_up = True

    def __init__(self, device: DemoApp) -> None:
        self.name = device.name
        self._device = device
        self._app, self._versions = device.ask()
        self._served = 0

    def not_run(self, bundle: Bundle) -> str | None:
        runtime = bundle.manifest.runtime
        return None if runtime in runtimes.in_apps("android") else f"Android has no runtime for {runtime}"

    @contextmanager
    def command(self, bundle: Bundle, threads: int) -> Iterator[list[str]]:
        self._served += 1
        try:
            with self._device.timed(bundle.path, threads=threads) as command:
                yield command
        finally:
            self._served -= 1
            if not self._served:
                self._device.stop()

    def state(self) -> DeviceState | None:
        return self._device.state()

    def shell(self, script: str) -> str:
        return self._device.remote.shell(script)

    def app(self) -> AppState | None:
        return self._app

    def environment(self, versions: Mapping[str, str]) -> Environment:
        return _environment_there(self._versions, self._device.state())


def _environment_there(versions: Mapping[str, str], state: DeviceState) -> Environment:
    return describe_environment(versions).model_copy(
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
