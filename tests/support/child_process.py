"""How tests start processes, wait for them and stop them: for an event, never for a time that a busy machine needs.

Only a hang ends the waiting, after `HANG_S`, which no test sets for itself. A Python process that hangs is asked where
it stands, and its answer is in the failure. `faulthandler_timeout` in pyproject.toml does so for the tests themselves.
"""

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

HANG_S = 1800.0  # the longest step takes two minutes on a quiet machine, and eleven beside eight others
_LOOK_EVERY_S = 0.02
_started: list[subprocess.Popen[str]] = []


def run(command: Sequence[str | Path], *, given: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, `given` on its standard input, and returns what it said; `options` as `start`'s."""
    process = start(command, stdin=subprocess.PIPE, **options)
    out, err = finished(process, given=given)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def start(command: Sequence[str | Path], **options: Any) -> subprocess.Popen[str]:
    """Starts a command in a session of its own, what it says in pipes; `options` are those of subprocess.Popen.

    It takes Ctrl-C, and it is killed at the end of the test that started it.
    """
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**(options.pop("env", None) or os.environ), "PYTHONFAULTHANDLER": "1"}
    with _interruptible():
        process = subprocess.Popen(command, **pipes | options, env=environment, text=True, start_new_session=True)
    _started.append(process)
    return process


def finished(process: subprocess.Popen[str], *, given: str | None = None) -> tuple[str, str]:
    """Waits for a process and returns its output."""
    try:
        return process.communicate(given, timeout=HANG_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # Python then says where each of its threads is
        process.wait()
        _kill_group(process)
        out, err = process.communicate()
        raise AssertionError(f"{process.args} hangs\n{out}\n{err}") from None


def wait_until(is_true: Callable[[], bool], *, process: subprocess.Popen[str] | None = None) -> None:
    """Returns once it is true; fails where the `process` that is to make it true ends before."""
    end_s = time.monotonic() + HANG_S
    while not is_true():
        if process is not None and process.poll() is not None:
            out, err = process.communicate()
            raise AssertionError(f"{process.args} ended before, with exit code {process.returncode}\n{out}\n{err}")
        assert time.monotonic() < end_s, "what was waited for did not come"
        time.sleep(_LOOK_EVERY_S)


def is_running(pid: int) -> bool:
    """Tells whether a process runs; one that has ended and waits for its parent does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def cpu_s(command: Sequence[str | Path], **options: Any) -> float:
    """The processor time of a command that must end well, and of the processes that it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(command, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def end_all() -> None:
    """Kills what still runs of all that was started, and closes its pipes."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            _kill_group(process)
            process.wait()
        for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
            pipe.close()


def _kill_group(process: subprocess.Popen[str]) -> None:
    """Kills a process with those that it has started, but for those in sessions of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Processes started within take Ctrl-C. A shell without job control has a script's background ignore it for all."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def workers_of(pid: int, module: str = "mobile_sdk.benchmarking.worker") -> list[int]:
    """The workers that a process has started by that module, a benchmark's if none is named."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split())
    commands = {child: Path(f"/proc/{child}/cmdline") for child in children}
    return [
        child for child, command in commands.items() if command.exists() and module.encode() in command.read_bytes()
    ]
