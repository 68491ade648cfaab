"""Holds both ends of one worker process: `WorkerProcess` is the parent's, `Parent` the worker's.

Messages are lines of JSON, requests on the worker's standard input and replies on its standard output; `"bytes": N` in
a message says that N raw bytes follow it.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO, Any, Self

from mobile_sdk import errors
from mobile_sdk.errors import MachineError, SdkError
from mobile_sdk.system.child_process import end_with_input

_CHUNK_BYTES = 1 << 20
_HINT = "verify the bundle, and look for a lack of memory"


class WorkerEndedError(MachineError):
    """It says that a worker ended without a reply; `cause` names the signal or the exit code, `said` its last line."""

    def __init__(self, title: str, cause: str, said: str) -> None:
        super().__init__(f"expected {title} to run, found that its process ended with {cause}: {said}", hint=_HINT)
        self.cause, self.said = cause, said


class WorkerSilentError(MachineError):
    """It says that a worker gave no reply in time."""

    def __init__(self, title: str, timeout_s: float) -> None:
        super().__init__(
            f"expected a reply from {title} within {timeout_s:.0f} s, found none",
            hint="look whether the machine is overloaded, and measure again",
        )
        self.timeout_s = timeout_s


class WorkerProcess:
    """Starts a worker, sends requests, and leaves nothing behind.

    `title` says in errors what it works on; without one the worker's own errors are repeated as they are. It runs in a
    session of its own: Ctrl-C reaches only the parent, whose `close` then ends the worker. If the parent is killed, the
    end of its standard input ends the worker.
    """

    def __init__(self, command: Sequence[str], *, title: str = "") -> None:
        self.title = title
        self._whom = title or "a worker"
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, start_new_session=True, bufsize=0
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self._stdin.fileno(), False)
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Returns the number of the process."""
        return self._process.pid

    def ask(self, request: dict[str, Any], *, timeout_s: float) -> dict[str, Any]:
        """Sends one request and waits for its reply; raises like `reply`."""
        self.send(request, timeout_s=timeout_s)
        return self.reply(timeout_s=timeout_s)

    def send(self, request: dict[str, Any], data: bytes | memoryview = b"", *, timeout_s: float) -> None:
        """Sends one request, and the data that its `bytes` counts; raises WorkerSilentError if it is not taken."""
        deadline_s = time.monotonic() + timeout_s
        with contextlib.suppress(BrokenPipeError):  # a dead worker is reported when it does not reply
            for part in (memoryview(json.dumps(request).encode() + b"\n"), memoryview(data).cast("B")):
                sent = 0
                while sent < len(part):
                    self._wait(self._stdin, selectors.EVENT_WRITE, deadline_s, timeout_s)
                    sent += os.write(self._stdin.fileno(), part[sent : sent + _CHUNK_BYTES])

    def reply(self, *, timeout_s: float) -> dict[str, Any]:
        """Returns the worker's next line.

        Raises its SdkError again, WorkerEndedError if it died, WorkerSilentError if it took too long.
        """
        deadline_s = time.monotonic() + timeout_s
        while b"\n" not in self._buffer:
            self._read_more(deadline_s, timeout_s)
        line, _, self._buffer = self._buffer.partition(b"\n")
        message = json.loads(line)
        if not isinstance(message, dict):
            raise MachineError(f"expected a report from {self._whom}, found {message!r}", hint="report this as a bug")
        if "error" in message:
            kind = getattr(errors, str(message["error"]), SdkError)
            title = f"{self.title}: " if self.title else ""
            raise kind(f"{title}{message['message']}", hint=message["hint"])
        return message

    def data(self, count: int, *, timeout_s: float) -> bytes:
        """Returns the `count` bytes that follow a reply; raises like `reply`."""
        deadline_s = time.monotonic() + timeout_s
        while len(self._buffer) < count:
            self._read_more(deadline_s, timeout_s)
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def close(self) -> None:
        """Ends the worker, at once if it does not end by itself; nothing happens the second time."""
        self._stdin.close()
        self._stdout.close()
        self._process.kill()
        self._process.wait()
        self._said.close()

    def leave(self) -> None:
        """Lets go of the worker in a fork of its parent, to whom alone it belongs."""
        self._stdin.close()
        self._stdout.close()
        self._process.returncode = 0  # else it would be waited for

    def _read_more(self, deadline_s: float, timeout_s: float) -> None:
        self._wait(self._stdout, selectors.EVENT_READ, deadline_s, timeout_s)
        arrived = os.read(self._stdout.fileno(), _CHUNK_BYTES)
        if not arrived:
            raise self._end()
        self._buffer += arrived

    def _wait(self, pipe: IO[bytes], event: int, deadline_s: float, timeout_s: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            if not selector.select(max(0.0, deadline_s - time.monotonic())):
                raise WorkerSilentError(self._whom, timeout_s)

    def _end(self) -> WorkerEndedError:
        code = self._process.wait()
        cause = _signal_name(-code) if code < 0 else f"exit code {code}"
        self._said.seek(0)
        said = self._said.read().decode("utf-8", errors="replace").strip() or "no output"
        return WorkerEndedError(self._whom, cause, said.splitlines()[-1])


def _signal_name(number: int) -> str:
    names = {each.value: each.name for each in signal.Signals}
    return f"signal {number} ({names.get(number, 'without a name')})"


class Parent:
    """Takes requests from the worker's parent, and replies; whatever else is printed goes to standard error.

    The end of standard input ends the worker at once, as it means that its parent has ended.
    """

    def __init__(self) -> None:
        self._requests = os.fdopen(sys.stdin.fileno(), "rb", closefd=False)
        self._replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        end_with_input()

    def requests(self) -> Iterator[tuple[dict[str, Any], bytearray]]:
        """Yields every request with the data that follows it."""
        for line in self._requests:
            request = json.loads(line)
            data = bytearray(request.get("bytes", 0))
            self._requests.readinto(data)
            yield request, data

    def reply(self, message: dict[str, Any], data: bytes = b"") -> None:
        """Sends one reply, and the data that its `bytes` counts."""
        self._replies.write(json.dumps(message).encode() + b"\n")
        self._replies.write(data)
        self._replies.flush()

    def fail(self, error: SdkError) -> None:
        """Sends an error, by the nearest name that the parent knows."""
        known = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == SdkError.__module__)
        self.reply({"error": known, "message": error.message, "hint": error.hint})
