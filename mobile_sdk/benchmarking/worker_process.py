"""Holds the parent's end of one benchmark worker: it starts the worker, sends requests, and leaves nothing behind."""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mobile_sdk import errors
from mobile_sdk.errors import MachineError, SdkError


class WorkerProcess:
    """Starts a worker that measures one bundle; `title` names the bundle and its runtime in errors.

    It runs in a session of its own: Ctrl-C reaches only the parent, whose `close` then ends the worker. If the parent
    is killed, the end of its standard input ends the worker.
    """

    def __init__(self, command: Sequence[str], *, title: str) -> None:
        self.title = title
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, start_new_session=True, bufsize=0
        )
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, request: dict[str, Any], *, timeout_s: float) -> dict[str, Any]:
        """Sends one request and waits for its reply; raises like `reply`."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # a dead worker is reported when it does not reply
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        return self.reply(timeout_s=timeout_s)

    def reply(self, *, timeout_s: float) -> dict[str, Any]:
        """Returns the worker's next line; raises its SdkError again, and MachineError if it died or took too long."""
        message = json.loads(self._line(timeout_s))
        if not isinstance(message, dict):
            raise MachineError(f"expected a report from {self.title}, found {message!r}", hint="report this as a bug")
        if "error" in message:
            kind = getattr(errors, str(message["error"]), SdkError)
            raise kind(f"{self.title}: {message['message']}", hint=message["hint"])
        return message

    def close(self) -> None:
        """Ends the worker, at once if it does not end by itself; nothing happens the second time."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.kill()
        process.wait()
        self._said.close()

    def _line(self, timeout_s: float) -> bytes:
        assert self._process.stdout is not None
        deadline_s = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, deadline_s - time.monotonic())):
                    raise MachineError(
                        f"expected a reply from {self.title} within {timeout_s:.0f} s, found none",
                        hint="look whether the machine is overloaded, and measure again",
                    )
                arrived = os.read(self._process.stdout.fileno(), 1 << 16)
                if not arrived:
                    raise self._death()
                self._buffer += arrived
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _death(self) -> MachineError:
        code = self._process.wait()
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        self._said.seek(0)
        said = self._said.read().decode("utf-8", errors="replace").strip() or "no output"
        return MachineError(
            f"expected {self.title} to run, found that its process ended with {cause}: {said.splitlines()[-1]}",
            hint="verify the bundle, and look for a lack of memory",
        )


def worker_command(bundle: Path, threads: int) -> list[str]:
    """Returns the command with which this Python starts a worker for a bundle."""
    return [sys.executable, "-m", "mobile_sdk.benchmarking.worker", str(bundle), str(threads)]
