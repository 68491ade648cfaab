"""Opens model files in a process of its own: a file that crashes or hangs its runtime does no harm to this one.

The process (`devices.model_worker`) is started once, serves one model after another, and ends with this process. Its
death or its silence is the file's fault, and so a BundleError; the next model gets a new process.
"""

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import BundleError, SdkError
from mobile_sdk.runtimes.base import Interface, Runtime, Structure
from mobile_sdk.runtimes.reader import Taken
from mobile_sdk.system.child_process import tied
from mobile_sdk.system.worker_process import WorkerEndedError, WorkerProcess, WorkerSilentError

PATIENCE_S = 300.0
"""The process replies within this time, and a second for each MiB of the file: it tells of every second's progress."""
_HINT = "trust this file no more: export the bundle again"


class ModelProcess:
    """Holds the process, if it has been started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: WorkerProcess | None = None
        self._is_ready = False

    @property
    def pid(self) -> int | None:
        """Returns the number of the process; None before it is started."""
        return None if self._worker is None else self._worker.pid

    def prepare(self, *runtimes: Runtime) -> None:
        """Starts the process, which imports what these runtimes need; returns at once."""
        with self._lock:
            worker = self._started()
            for runtime in runtimes:
                worker.send({"do": "prepare", "runtime": runtime.name}, timeout_s=PATIENCE_S)

    def structure(self, runtime: Runtime, model: Path) -> Structure:
        """Returns the runtime's `structure(model)`. Raises BundleError if the file is damaged."""
        reply, _ = self.ask({"do": "structure"}, runtime, model, to="read")
        content: dict[str, Any] = reply["structure"]
        left = tuple((operator, why) for operator, why in content.pop("not_delegated"))
        return Structure(**content, not_delegated=left)

    @contextmanager
    def loaded(self, runtime: Runtime, model: Path, interface: Interface, *, threads: int) -> Iterator["ModelSession"]:
        """Yields the runtime's session, in the process; raises MachineError and BundleError as its `load` does."""
        request = {"do": "load", "interface": interface.model_dump(mode="json"), "threads": threads}
        reply, worker = self.ask(request, runtime, model, to="open")
        taken = None if reply["taken"] is None else Taken.read(reply["taken"])
        session = ModelSession(self, worker, reply["session"], runtime, model, interface, taken)
        try:
            yield session
        finally:
            self._forget(worker, reply["session"])

    def ask(
        self,
        request: dict[str, Any],
        runtime: Runtime,
        model: Path,
        *,
        to: str,
        data: bytes | memoryview = b"",
        worker: WorkerProcess | None = None,
    ) -> tuple[dict[str, Any], WorkerProcess]:
        """Returns the reply, its data as `data`, and the process that gave it, which must be `worker` if that is given.

        Raises the process's SdkError, and BundleError if it dies or stays silent.
        """
        patience_s = PATIENCE_S + _size_bytes(model) / 2**20
        with self._lock:
            asked = self._started()
            if worker not in (None, asked):
                raise BundleError(f"expected {model.name} to be open, found its process ended", hint=_HINT)
            try:
                self._await_ready(asked)
                of = {"runtime": runtime.name, "form": runtime.form, "arithmetic": runtime.arithmetic}
                whole = {**of, "model": str(model.absolute()), **request, "bytes": len(data)}
                asked.send(whole, data, timeout_s=patience_s)
                while "working" in (reply := asked.reply(timeout_s=patience_s)):
                    pass
                if count := reply.get("bytes"):
                    reply["data"] = asked.data(count, timeout_s=patience_s)
            except (WorkerEndedError, WorkerSilentError) as error:
                is_ready = self._is_ready
                self._close()
                if not is_ready:
                    raise  # the machine's fault
                raise BundleError(
                    f"expected {runtime.name} to {to} {model.name}, found {_why(error)}", hint=_HINT
                ) from error
            except SdkError:
                raise
            except BaseException:  # an interrupt leaves a reply on its way
                self._close()
                raise
            return reply, asked

    def close(self) -> None:
        """Ends the process."""
        with self._lock:
            self._close()

    def leave(self) -> None:
        """Lets go of the process in a fork of this one."""
        self._lock = threading.Lock()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.leave()

    def _started(self) -> WorkerProcess:
        if self._worker is None:
            self._is_ready = False
            command = [sys.executable, "-m", "mobile_sdk.devices.model_worker"]
            lasts = threading.current_thread() is threading.main_thread()  # what a thread ties ends with that thread
            self._worker = WorkerProcess(tied(command) if lasts else command)
        return self._worker

    def _await_ready(self, worker: WorkerProcess) -> None:
        if not self._is_ready:
            worker.reply(timeout_s=2 * PATIENCE_S)
            self._is_ready = True

    def _forget(self, worker: WorkerProcess, session: int) -> None:
        with self._lock:
            if worker is self._worker:
                worker.send({"do": "close", "session": session}, timeout_s=PATIENCE_S)

    def _close(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()


class ModelSession:
    """Runs one model in the process; `taken` is what the runtime says of it, if it says anything."""

    def __init__(
        self,
        process: ModelProcess,
        worker: WorkerProcess,
        number: int,
        runtime: Runtime,
        model: Path,
        interface: Interface,
        taken: Taken | None,
    ) -> None:
        self._process, self._worker, self._number, self.taken = process, worker, number, taken
        self._runtime, self._model, self._interface = runtime, model, interface

    def run(self, picture: NDArray[np.uint8]) -> NDArray[Any]:
        """Returns the output without its batch, or a record of several, for bytes (H, W, C)."""
        scores: NDArray[Any] = self.run_each(picture[np.newaxis])[0]
        return scores

    def __call__(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        """Runs each, as a device does."""
        return self.run_each(pictures)

    def run_each(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        """Returns the outputs (pictures, …) for bytes (pictures, H, W, C), as `mobile_sdk.graph.outputs` has them."""
        request = {"do": "run", "session": self._number, "shape": pictures.shape}
        data = np.ascontiguousarray(pictures, np.uint8).reshape(-1).data
        reply, _ = self._process.ask(request, self._runtime, self._model, to="run", data=data, worker=self._worker)
        return self._interface.read_outputs(reply["data"]).copy()


def _size_bytes(model: Path) -> int:
    files = [model] if model.is_file() else model.rglob("*")
    return sum(file.stat().st_size for file in files)


def _why(error: WorkerEndedError | WorkerSilentError) -> str:
    if isinstance(error, WorkerSilentError):
        return f"that it hangs: no reply within {error.timeout_s:.0f} s"
    return f"that it ended with {error.cause}"


MODELS = ModelProcess()
"""All models that this process verifies are opened in one other."""

atexit.register(MODELS.close)
os.register_at_fork(after_in_child=MODELS.leave)
