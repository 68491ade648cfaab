"""Loads a .tflite in tflite-runtime's own process."""

import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import BundleError, MachineError
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.input_array import input_array
from mobile_sdk.system.child_process import tied

_WORKER = Path(__file__).with_name("worker.py")


class LegacySession:
    """Sends pictures to the process and gets scores back over pipes; the model is loaded once."""

    def __init__(self, python: Path, path: Path, interface: Interface, *, threads: int) -> None:
        self._name, self._interface = path.name, interface
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self._process = subprocess.Popen(
            tied([str(python), "-I", str(_WORKER), str(path.resolve()), str(threads)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,  # Ctrl-C reaches this process alone, whose close() ends the other
            env={"PATH": os.defpath},
        )
        try:
            self._check(interface)
        except BaseException:
            self.close()
            raise

    def run(self, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Returns the output without its batch, or a record of several, for bytes (H, W, C)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # a dead process is reported when it does not reply
            self._process.stdin.write(np.ascontiguousarray(input_array(picture, self._interface.input)).tobytes())
            self._process.stdin.flush()
        wanted = self._interface.output_type().itemsize
        reply = self._process.stdout.read(wanted)
        if len(reply) < wanted:
            raise self._death()
        scores: NDArray[np.generic] = self._interface.read_outputs(reply)[0]
        return scores

    def close(self) -> None:
        """Ends the process; a second call does nothing."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._process.kill()
        self._process.wait()
        self._said.close()

    def _check(self, interface: Interface) -> None:
        """Raises BundleError unless the process says that the model takes and gives what `interface` says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._death()
        message = json.loads(line)
        if "refused" in message:
            raise BundleError(
                f"tflite-runtime 2.14.0 refuses {self._name}: {message['refused']}", hint="run it in LiteRT"
            )
        found = [(end["dtype"], tuple(end["shape"])) for end in (message["input"], *message["outputs"])]
        expected = [(interface.input.dtype, interface.input.shape)]
        expected += [(output.dtype, output.shape) for output in interface.outputs]
        if found != expected:
            raise BundleError(f"expected {expected} of {self._name}, found {found}", hint="export it again")

    def _death(self) -> MachineError:
        code = self._process.wait()
        self._said.seek(0)
        said = self._said.read().decode("utf-8", errors="replace").strip() or "no output"
        return MachineError(
            f"expected tflite-runtime's process to run, found exit code {code}: {said.splitlines()[-1]}",
            hint="delete its environment in the cache and make it again",
        )
