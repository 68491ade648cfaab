"""Runs models on a device that is reached over a connection: a phone over adb, a board over ssh.

A folder on it holds the runner, its libraries and the model. A keeper, a shell on the device that waits for the end of
its input, removes that folder when the session ends: normally, with this process, or with the connection.
"""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.devices.base import Pictures, Run
from mobile_sdk.devices.runner.build import Runners, make_runners
from mobile_sdk.devices.runner.staging import error_in, read_scores, stage, written_inputs
from mobile_sdk.devices.state import SCRIPT, DeviceState, read_state
from mobile_sdk.errors import MachineError
from mobile_sdk.runtimes.base import Interface, Runtime
from mobile_sdk.system.cache import Say
from mobile_sdk.system.commands import answer_of
from mobile_sdk.system.temporary_folder import scratch_folder

_ANSWER_S = 60.0
_START_S = 120.0
_PICTURE_S = 30.0  # a large net on an emulated core
_CLOSE_S = 10.0
_BUILD_DIGITS = 16  # of an identifier of 32 bytes
_MARK = "mobile-sdk exit "


class Connection(Protocol):
    """A connection reaches a device's shell and files. Any failure raises MachineError with one line."""

    @property
    def name(self) -> str:
        """Returns the name as `--device` takes it."""
        ...

    @property
    def folder(self) -> str:
        """Returns the folder on the device where programs may be put and run."""
        ...

    def unavailable(self) -> str | None:
        """Returns why the device cannot be reached now, or None."""
        ...

    def command(self, script: str) -> list[str]:
        """Returns the command of this host that runs `script` in the device's shell, its input and output connected."""
        ...

    def push(self, source: Path, target: str) -> None:
        """Copies a file, or a folder's content to a folder that does not exist yet; keeps the right to execute."""
        ...

    def pull(self, source: str, target: Path) -> None:
        """Copies a file from the device."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Session:
    """Names a folder on the device, and the command that starts the runner in it."""

    folder: str
    command: str

    def script(self, words: str) -> str:
        """Returns the script that runs the runner with these words."""
        return f"cd {self.folder} && exec {self.command} {words}"


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A remote device is at the other end of a connection."""

    connection: Connection
    measures_time: bool = True
    _told: dict[str, str] = field(default_factory=dict)  # by the runner that was started last

    @property
    def name(self) -> str:
        """Returns the name as `--device` takes it."""
        return self.connection.name

    def unavailable(self) -> str | None:
        """Returns why nothing can run there now, or None."""
        return self.connection.unavailable()

    def make_ready(self, say: Say) -> None:
        """Builds the runner for its processor if it is not built yet."""
        self._runners(say)

    def state(self) -> DeviceState:
        """Returns its properties and state. Raises MachineError if it does not answer."""
        return read_state(self._answer(SCRIPT))

    def versions(self, runtime: Runtime) -> Mapping[str, str]:
        """Returns the host's versions, as the runner has the same wheels' libraries, and the build that these told."""
        return {**runtime.versions(), **self._told}

    def shell(self, script: str) -> str:
        """Returns what `script` prints in the device's shell; raises MachineError if it fails."""
        return self._answer(script)

    @contextmanager
    def loaded(self, runtime: Runtime, model: Path, interface: Interface, *, threads: int = 1) -> Iterator[Run]:
        """Loads the model with the runtime's runner, which loads it anew for each call."""
        with self._session(runtime.name, model, ()) as session:
            yield lambda pictures: self._scores(session, runtime, interface, pictures, threads)

    @contextmanager
    def timed(
        self,
        runtime: str,
        model: Path,
        goldens: Sequence[tuple[bytes, bytes]],
        *,
        tolerances: Sequence[float],
        threads: int,
    ) -> Iterator[list[str]]:
        """Yields the command of this host that talks to a runner on the device as to a benchmark worker.

        `goldens` are inputs and expected outputs of one image each; outputs may differ by their `tolerances`.
        """
        with self._session(runtime, model, goldens) as session:
            listed = ",".join(map(str, tolerances))
            yield self.connection.command(session.script(f"time . {threads} {listed}"))

    @contextmanager
    def profiled(
        self, runtime: str, model: Path, goldens: Sequence[tuple[bytes, bytes]], *, threads: int, runs: int
    ) -> Iterator[list[str]]:
        """Yields the command of this host that times every kernel of the model in so many runs of `goldens`."""
        with self._session(runtime, model, goldens) as session:
            yield self.connection.command(session.script(f"layers . {threads} {runs}"))

    def _runners(self, say: Say) -> Runners:
        return make_runners(self.state().machine, say)

    @contextmanager
    def _session(self, runtime: str, model: Path, goldens: Sequence[tuple[bytes, bytes]]) -> Iterator["_Session"]:
        """Yields a folder on the device that holds everything a runner needs, once the runner has started there."""
        runners = self._runners(_say)
        runners.program(runtime)
        with self.kept_folder() as folder, scratch_folder() as scratch:
            staged = scratch / "staged"
            staged.mkdir()
            stage(staged, [*runners.files(runtime), model], goldens)
            self.connection.push(staged, f"{folder}/run")
            session = _Session(folder=f"{folder}/run", command=runners.command(runtime))
            self._told.clear()
            if build := json.loads(self._answer(session.script("check")).strip().splitlines()[-1])["xnnpack_build"]:
                self._told["xnnpack build"] = build[:_BUILD_DIGITS]
            yield session

    @contextmanager
    def kept_folder(self) -> Iterator[str]:
        """Yields a new folder on the device, for as long as the block runs and the connection holds."""
        folder = f"{self.connection.folder}/mobile-sdk-{uuid.uuid4().hex}"
        script = f"mkdir {folder} && echo made && cat > /dev/null; rm -rf {folder}"
        keeper = subprocess.Popen(
            self.connection.command(script),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C reaches only this process, which then closes the keeper's input
        )
        try:
            assert keeper.stdout is not None
            if (output := keeper.stdout.readline().strip()) != "made":
                raise self._silent(output)
            yield folder
        finally:
            try:
                keeper.communicate(timeout=_CLOSE_S)
            except subprocess.TimeoutExpired:
                keeper.kill()
                keeper.communicate()

    def _scores(
        self, session: "_Session", runtime: Runtime, interface: Interface, pictures: Pictures, threads: int
    ) -> NDArray[np.generic]:
        with scratch_folder() as scratch:
            given, computed = scratch / "pictures", scratch / "scores"
            given.write_bytes(written_inputs(interface, pictures))
            self.connection.push(given, f"{session.folder}/pictures")
            call = session.script(f"score . {threads} pictures scores")
            self._answer(call, timeout_s=_START_S + _PICTURE_S * len(pictures))
            self.connection.pull(f"{session.folder}/scores", computed)
            return read_scores(computed.read_bytes(), interface, len(pictures), self.name)

    def _answer(self, script: str, *, timeout_s: float = _ANSWER_S) -> str:
        """Returns the output of `script` on the device; raises the runner's own error, or MachineError if it fails."""
        # A mark in the last line tells a failed script from a broken connection.
        command = self.connection.command(f"( {script}\n); code=$?; echo; echo {_MARK}$code")
        done = _call(command, self.name, timeout_s)
        answer, mark, code = done.stdout.rpartition(_MARK)
        if not mark:
            raise self._silent(done.stderr or done.stdout)
        if error := error_in(answer, self.name):
            raise error
        if code.strip() != "0":
            last = (done.stderr.strip() or answer.strip() or "nothing").splitlines()[-1]
            raise MachineError(
                f"expected {self.name} to run a program, found exit code {code.strip()}: {last}",
                hint="look whether the device is of the architecture and system that it says it is",
            )
        return answer

    def _silent(self, output: str) -> MachineError:
        last = (output.strip() or "it did not answer").splitlines()[-1]
        return MachineError(
            f"expected {self.name} to answer, found: {last}", hint="look at what mobile-sdk devices lists"
        )


def call_or_fail(command: Sequence[str], device: str, timeout_s: float = _ANSWER_S) -> str:
    """Returns the output of a command of this host; raises MachineError with its last words if it fails."""
    done = _call(command, device, timeout_s)
    if done.returncode:
        raise MachineError(
            f"expected to reach {device}, found: {_cause(done.stderr or done.stdout)}",
            hint="look at its cable and its free space",
        )
    return done.stdout


def _cause(output: str) -> str:
    """Returns the last line of output that reports an error, not progress; without one, the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["nothing"]
    return next((line for line in reversed(lines) if "error" in line or "failed" in line), lines[-1])


def _call(command: Sequence[str], device: str, patience_s: float) -> subprocess.CompletedProcess[str]:
    hint = "look whether it hangs, and try again"
    return answer_of(command, patience_s=patience_s, late=f"{device} to answer", hint=hint)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
