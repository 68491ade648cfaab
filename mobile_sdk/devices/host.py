"""Runs models on this machine."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mobile_sdk.devices.base import Run
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.devices.state import SCRIPT, DeviceState, read_state
from mobile_sdk.runtimes.base import Interface, Runtime
from mobile_sdk.system.cache import Say
from mobile_sdk.system.commands import run_command


class Host:
    """The host is the machine that this process runs on; each runtime says whether it runs here."""

    name = "host"
    measures_time = True

    def unavailable(self) -> str | None:
        """Returns None always."""
        return None

    def make_ready(self, say: Say) -> None:
        """Does nothing: nothing is missing."""

    def state(self) -> DeviceState | None:
        """Returns its properties and state; None outside Linux."""
        if sys.platform != "linux":
            return None
        return read_state(run_command(["sh", "-c", SCRIPT], hint="look whether sh is on the path"))

    def shell(self, script: str) -> str:
        """Returns what `script` prints in a shell; raises MachineError if it fails."""
        return run_command(["sh", "-c", script], hint="look whether sh is on the path")

    def versions(self, runtime: Runtime) -> Mapping[str, str]:
        """Returns the installed packages."""
        return runtime.versions()

    @contextmanager
    def loaded(self, runtime: Runtime, model: Path, interface: Interface, *, threads: int = 1) -> Iterator[Run]:
        """Opens a session of the runtime's own Python interface, in a process that the model may end."""
        with MODELS.loaded(runtime, model, interface, threads=threads) as session:
            yield session
