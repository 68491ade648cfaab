"""Emulates Arm cores with qemu. A runtime's Arm kernels compute there as on a phone, but times mean nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.devices.base import Pictures, Run
from mobile_sdk.devices.emulated.cores import CORES, Core
from mobile_sdk.devices.emulated.machine import HOW_TO_GET, find_machine, make_machine, why_not_here
from mobile_sdk.devices.runner.build import find_runners, make_runners
from mobile_sdk.devices.runner.staging import error_in, read_scores, stage, written_inputs
from mobile_sdk.errors import MachineError
from mobile_sdk.runtimes.base import Interface, Runtime
from mobile_sdk.system.cache import Say
from mobile_sdk.system.child_process import tied
from mobile_sdk.system.temporary_folder import scratch_folder

ARCHITECTURE = "aarch64"
PREFIX = "emulated:"
_START_S = 120.0  # the longest start of a runtime under emulation, on a busy machine
_PICTURE_S = 30.0


@dataclass(frozen=True)
class EmulatedCore:
    """Emulates one of `CORES`, to check exactness of `.tflite` and `.pte` on the Arm kernels that phones choose.

    The runtime has the very version that is installed on this host, and the same program runs it as on phones. A file
    `instructions` gets every block of instructions that was executed, as qemu's `-d in_asm` writes it.
    """

    core: Core
    instructions: Path | None = None
    measures_time: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """Returns the name as `--device` takes it."""
        return f"{PREFIX}{self.core.name}"

    def unavailable(self) -> str | None:
        """Returns why it cannot run here now, or None."""
        if find_machine() is None or find_runners(ARCHITECTURE) is None:
            return why_not_here() or f"it has not been fetched yet ({HOW_TO_GET} does, about 150 MB)"
        return None

    def make_ready(self, say: Say) -> None:
        """Fetches qemu, an arm64 C library and both runtimes for arm64 into the cache, if they are not there yet."""
        make_machine(say)
        make_runners(ARCHITECTURE, say)

    def versions(self, runtime: Runtime) -> Mapping[str, str]:
        """Returns the host's versions: the core has the libraries of the same wheels."""
        return runtime.versions()

    @contextmanager
    def loaded(self, runtime: Runtime, model: Path, interface: Interface, *, threads: int = 1) -> Iterator[Run]:
        """Loads the model with the runtime's runner, which loads it anew for each call.

        Makes the device ready first.
        """
        machine, runners = make_machine(_say), make_runners(ARCHITECTURE, _say)
        with scratch_folder() as folder:
            program = str(runners.program(runtime.name))
            stage(folder, [model])

            def run(pictures: Pictures) -> NDArray[np.generic]:
                (folder / "pictures").write_bytes(written_inputs(interface, pictures))
                words = ["score", str(folder), str(threads), str(folder / "pictures"), str(folder / "scores")]
                told = ["-d", "in_asm", "-D", str(self.instructions)] if self.instructions else []
                _call([*machine.emulator(self.core), *told, program, *words], model.name, count=len(pictures))
                return read_scores((folder / "scores").read_bytes(), interface, len(pictures), self.name)

            yield run


def emulated_cores() -> tuple[EmulatedCore, ...]:
    """Returns all of them; what one needs is what all need."""
    return tuple(EmulatedCore(core) for core in CORES)


def _call(command: list[str], model: str, *, count: int) -> None:
    # The environment is its own: LD_PRELOAD and its like belong to the host.
    environment = {"PATH": os.defpath}
    timeout_s = _START_S + _PICTURE_S * count
    try:
        done = subprocess.run(
            tied(command), capture_output=True, text=True, check=False, env=environment, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        raise MachineError(
            f"expected {count} pictures on the emulated core within {timeout_s:.0f} s, found it still running",
            hint="give it fewer pictures, or a machine with nothing else to do",
        ) from None
    if error := error_in(done.stdout, f"the emulated core refuses {model}"):
        raise error
    if done.returncode:
        last = (done.stderr.strip() or "nothing").splitlines()[-1]
        raise MachineError(
            f"expected the emulated core to finish, found exit code {done.returncode}: {last}",
            hint="delete the cache of mobile-sdk and try again",
        )


def _say(line: str) -> None:
    print(line, file=sys.stderr)
