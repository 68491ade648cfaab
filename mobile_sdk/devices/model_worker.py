"""Runs as the process that opens model files for another one: `python -m mobile_sdk.devices.model_worker`.

It may die of any file. It has limits: memory as the machine has, and no dump of it. It tells of its progress every
second, so that a slow model is no hang.
"""

import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mobile_sdk import runtimes
from mobile_sdk.errors import BundleError, MachineError, SdkError
from mobile_sdk.graph.outputs import separated
from mobile_sdk.runtimes.base import Interface, Session
from mobile_sdk.runtimes.reader import SaysWhatIsTaken
from mobile_sdk.system.worker_process import Parent

_TELL_EVERY_S = 1.0

Request = Mapping[str, Any]


def main() -> int:
    """Serves until standard input ends."""
    parent = Parent()
    _limit()
    parent.reply({"ready": os.getpid()})
    models = _Models(parent)
    for request, data in parent.requests():
        try:
            models.answer(request, data)
        except SdkError as error:
            parent.fail(error)
    return 0


class _Models:
    """Holds the open sessions; each method answers the request of its name."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent
        self._sessions: dict[int, tuple[Session, Interface]] = {}
        self._opened = 0

    def answer(self, request: Request, data: bytearray) -> None:
        """Replies to one request. Whatever a file makes a runtime raise is a BundleError."""
        answers: dict[str, Callable[[Request, bytearray], None]] = {
            "prepare": self._prepare,
            "structure": self._structure,
            "load": self._load,
            "run": self._run,
            "close": self._close,
        }
        try:
            answers[request["do"]](request, data)
        except SdkError:
            raise
        except ImportError as error:
            raise MachineError(f"{request['runtime']} cannot run here: {error}", hint="install it again") from error
        except Exception as error:
            traceback.print_exc()
            said = (str(error).splitlines() or ["no reason"])[0]
            raise BundleError(
                f"{request['runtime']} fails on {Path(request['model']).name}: {type(error).__name__}: {said}",
                hint="export the bundle again",
            ) from error

    def _prepare(self, request: Request, data: bytearray) -> None:
        with suppress(ImportError, SdkError):  # the request that needs it tells
            runtimes.get(request["runtime"]).prepare()

    def _structure(self, request: Request, data: bytearray) -> None:
        structure = runtimes.get(request["runtime"], request["form"]).structure(Path(request["model"]))
        self._parent.reply({"structure": asdict(structure)})

    def _load(self, request: Request, data: bytearray) -> None:
        interface = Interface.model_validate(request["interface"])
        runtime = runtimes.get(request["runtime"], request["form"])
        if request["arithmetic"] is not None:
            runtime = runtime.in_arithmetic(request["arithmetic"])
        session = runtime.load(Path(request["model"]), interface, threads=request["threads"])
        self._opened += 1
        self._sessions[self._opened] = session, interface
        taken = asdict(session.taken) if isinstance(session, SaysWhatIsTaken) else None
        self._parent.reply({"session": self._opened, "taken": taken})

    def _run(self, request: Request, data: bytearray) -> None:
        session, interface = self._sessions[request["session"]]
        told_s, found = time.monotonic(), []
        for picture in np.frombuffer(data, np.uint8).reshape(request["shape"]):
            found.append(session.run(picture))
            if time.monotonic() - told_s > _TELL_EVERY_S:
                self._parent.reply({"working": len(found)})
                told_s = time.monotonic()
        scores = np.stack(found)
        expected, outputs = [(spec.dtype, spec.shape[1:]) for spec in interface.outputs], separated(scores)
        if (given := [(each.dtype.name, each.shape[1:]) for each in outputs]) != expected:
            raise BundleError(f"expected the outputs {expected}, found {given}", hint="export it again")
        self._parent.reply({"bytes": scores.nbytes}, scores.tobytes())

    def _close(self, request: Request, data: bytearray) -> None:
        session, _ = self._sessions.pop(request["session"])
        session.close()


def _limit() -> None:
    """Limits memory to the machine's, dumps none of it, and asks Linux to end this process first if memory runs out."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


if __name__ == "__main__":
    sys.exit(main())
