"""A Cortex-A76, emulated by qemu: the Arm kernels of a runtime compute there as on a phone. Its times mean nothing."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.cache import Say
from mobile_sdk.devices.base import Pictures
from mobile_sdk.devices.emulated.machine import HOW_TO_GET, Machine, find_machine, make_machine, why_not_here
from mobile_sdk.devices.emulated.runner import find_runner, make_runner
from mobile_sdk.errors import BundleError, DataError, MachineError, SettingError
from mobile_sdk.runtimes.base import Interface, Runtime

_WORKER = Path(__file__).with_name("worker.py")
_START_S = 120.0  # what Python and the runtime may take to start under emulation, on a busy machine
_PICTURE_S = 30.0
_REFUSED = 6  # the exit code for a model that the runtime refuses


class CortexA76:
    """The big core of the Snapdragon 855 (Pixel 4), for exactness: `.tflite` and `.pte` on XNNPACK's Arm kernels.

    A runtime is of the very version that is installed on this host: LiteRT in an arm64 Python, ExecuTorch in C++.
    """

    name = "emulated:cortex-a76"
    measures_time = False

    def unavailable(self) -> str | None:
        """Why it cannot run here now, or None."""
        if find_machine() is None or find_runner() is None:
            return why_not_here() or f"it has not been fetched yet ({HOW_TO_GET} does, about 140 MB)"
        return None

    def make_ready(self, say: Say) -> None:
        """Fetches qemu, an arm64 Python and both runtimes for arm64 into the cache, where they are not there yet."""
        make_machine(say)
        make_runner(say)

    def scores(self, runtime: Runtime, model: Path, interface: Interface, pictures: Pictures) -> NDArray[Any]:
        """Scores (pictures, classes) by the runtime's Arm kernels; makes the device ready first."""
        run = _RUN.get(runtime.name)
        if run is None:
            raise SettingError(
                f"expected a {' or '.join(_RUN)} bundle for {self.name}, found {runtime.name}",
                hint="verify this bundle on host",
            )
        _, *size = interface.input.shape
        if interface.input.layout != "NHWC" or pictures.dtype != np.uint8 or pictures.shape[1:] != tuple(size):
            raise DataError(
                f"expected pictures uint8 (pictures, {', '.join(map(str, size))}) for an input in NHWC, "
                f"found {pictures.dtype} {pictures.shape} for {interface.input.layout}",
                hint="prepare them with the contract's recipe",
            )
        machine = make_machine(_say)
        with tempfile.TemporaryDirectory(prefix="mobile-sdk-") as folder:
            return run(machine, model.resolve(), interface, pictures, Path(folder))


def _run_tflite(machine: Machine, model: Path, interface: Interface, pictures: Pictures, folder: Path) -> NDArray[Any]:
    np.save(folder / "pictures.npy", _as_the_app_writes(interface, pictures))
    files = [str(folder / "pictures.npy"), str(folder / "scores.npy")]
    python = [str(machine.python), "-P", str(_WORKER), str(model), *files]
    _run(machine, python, model, count=len(pictures))
    scores: NDArray[Any] = np.load(folder / "scores.npy")
    return scores


def _run_executorch(
    machine: Machine, model: Path, interface: Interface, pictures: Pictures, folder: Path
) -> NDArray[Any]:
    runner = make_runner(_say)
    _as_the_app_writes(interface, pictures).tofile(folder / "pictures")
    program = [str(runner.program), str(model), str(folder / "pictures"), str(folder / "scores")]
    _run(machine, program, model, count=len(pictures))
    return np.fromfile(folder / "scores", interface.output.dtype).reshape(len(pictures), -1)


_RUN: dict[str, Callable[[Machine, Path, Interface, Pictures, Path], NDArray[Any]]] = {
    "tflite": _run_tflite,
    "executorch": _run_executorch,
}


def _as_the_app_writes(interface: Interface, pictures: Pictures) -> NDArray[Any]:
    return (pictures.astype(np.int16) + interface.input.byte_offset).astype(interface.input.dtype)


def _run(machine: Machine, program: list[str], model: Path, *, count: int) -> None:
    # An environment of its own: LD_PRELOAD, PYTHONHOME and their like belong to the host.
    environment = {"PATH": os.defpath, "PYTHONPATH": str(machine.site), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*machine.emulator, *program]
    timeout_s = _START_S + _PICTURE_S * count
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise MachineError(
            f"expected {count} pictures on the emulated core within {timeout_s:.0f} s, found it still running",
            hint="give it fewer pictures, or a machine with nothing else to do",
        ) from None
    said = (done.stderr.strip() or "nothing").splitlines()[-1]
    if done.returncode == _REFUSED:
        raise BundleError(f"the emulated core refuses {model.name}: {said}", hint="export it again")
    if done.returncode:
        raise MachineError(
            f"expected the emulated core to finish, found exit code {done.returncode}: {said}",
            hint=f"delete {machine.folder} and try again",
        )


def _say(line: str) -> None:
    print(line, file=sys.stderr)
