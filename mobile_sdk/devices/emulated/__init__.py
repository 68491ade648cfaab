"""A Cortex-A76, emulated by qemu: the Arm kernels of a runtime compute there as on a phone. Its times mean nothing."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.cache import Say
from mobile_sdk.devices.base import Pictures
from mobile_sdk.devices.emulated.machine import HOW_TO_GET, Machine, find_machine, make_machine, why_not_here
from mobile_sdk.errors import BundleError, MachineError, SettingError
from mobile_sdk.runtimes.base import Interface, Runtime

_WORKER = Path(__file__).with_name("worker.py")
_START_S = 120.0  # what Python and the runtime may take to start under emulation, on a busy machine
_PICTURE_S = 30.0
_REFUSED = 6  # the worker's exit code for a model that the runtime refuses


class CortexA76:
    """The big core of the Snapdragon 855 (Pixel 4), for exactness: it runs .tflite in LiteRT's wheel for arm64."""

    name = "emulated:cortex-a76"
    measures_time = False

    def unavailable(self) -> str | None:
        """Why it cannot run here now, or None."""
        if find_machine() is None:
            return why_not_here() or f"it has not been fetched yet ({HOW_TO_GET} does, about 60 MB)"
        return None

    def make_ready(self, say: Say) -> None:
        """Fetches qemu, an arm64 Python and LiteRT's arm64 wheels into the cache, where they are not there yet."""
        make_machine(say)

    def scores(self, runtime: Runtime, model: Path, interface: Interface, pictures: Pictures) -> NDArray[Any]:
        """Scores (pictures, classes) by LiteRT's Arm kernels; other runtimes raise SettingError."""
        if runtime.name != "tflite":
            raise SettingError(
                f"expected a tflite bundle for {self.name}, found {runtime.name}", hint="verify this bundle on host"
            )
        return run_tflite(model, pictures)


def run_tflite(model: Path, pictures: Pictures) -> NDArray[Any]:
    """Scores (pictures, classes) of a .tflite with byte input, computed on the emulated core; makes it ready first."""
    machine = make_machine(lambda line: print(line, file=sys.stderr))
    with tempfile.TemporaryDirectory(prefix="mobile-sdk-") as folder:
        given, computed = Path(folder, "pictures.npy"), Path(folder, "scores.npy")
        np.save(given, pictures)
        _run(machine, [str(_WORKER), str(model.resolve()), str(given), str(computed)], pictures=len(pictures))
        scores: NDArray[Any] = np.load(computed)
    return scores


def _run(machine: Machine, arguments: list[str], *, pictures: int) -> None:
    # An environment of its own: LD_PRELOAD, PYTHONHOME and their like belong to the host's Python.
    environment = {"PATH": os.defpath, "PYTHONPATH": str(machine.site), "PYTHONDONTWRITEBYTECODE": "1"}
    timeout_s = _START_S + _PICTURE_S * pictures
    try:
        done = subprocess.run(
            [*machine.python, "-P", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise MachineError(
            f"expected {pictures} pictures on the emulated core within {timeout_s:.0f} s, found it still running",
            hint="give it fewer pictures, or a machine with nothing else to do",
        ) from None
    said = (done.stderr.strip() or "nothing").splitlines()[-1]
    if done.returncode == _REFUSED:
        raise BundleError(f"LiteRT on the emulated core refuses {Path(arguments[1]).name}: {said}", hint="export again")
    if done.returncode:
        raise MachineError(
            f"expected the emulated core to finish, found exit code {done.returncode}: {said}",
            hint=f"delete {machine.folder} and try again",
        )
