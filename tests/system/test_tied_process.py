"""Whatever a process has started ends with it, also where it was killed and could end nothing itself."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mobile_sdk.system.child_process import tied
from tests.support import child_process
from tests.support.child_process import finished, is_running, wait_until, workers_of
from tests.support.command_line import SmallRun, start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")

PARENT = """
import json, subprocess, sys
from mobile_sdk.system.child_process import tied
process = subprocess.Popen(tied(json.loads(sys.argv[1])))
print(process.pid, flush=True)
process.wait()
"""
WORKER = """
import sys, time
from mobile_sdk.system.child_process import end_with_input
end_with_input()
print(sys.stdin.readline(), flush=True)
while True:
    pass
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_benchmark_worker_ends_with_the_command_however_it_is_stopped(
    number: signal.Signals, small: SmallRun, tmp_path: Path
) -> None:
    process = start("bench", small.bundle("tflite"), "--out", str(tmp_path / "bench.json"))
    wait_until(lambda: bool(workers_of(process.pid)), process=process)
    (worker,) = workers_of(process.pid)
    process.send_signal(number)
    finished(process)
    assert process.returncode in (-signal.SIGKILL, 128 + number)
    wait_until(lambda: not is_running(int(worker)))


def test_a_program_that_was_started_ends_with_the_process_that_started_it() -> None:
    command = [sys.executable, "-c", PARENT, json.dumps(["sleep", "3600"])]
    parent = child_process.start(command)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    wait_until(lambda: not is_running(child))


def test_a_tied_command_is_the_command() -> None:
    done = subprocess.run(tied(["sh", "-c", "cat; echo $0 >&2; exit 7"]), input=b"in", capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"in", b"sh\n")
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        tied(["no-such-program"])


def test_the_end_of_its_input_ends_a_worker_that_is_busy_and_takes_nothing_of_it() -> None:
    command = [sys.executable, "-c", WORKER]
    worker = child_process.start(command, stdin=subprocess.PIPE)
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write("a request\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == "a request\n"
    worker.stdin.close()
    assert worker.wait() == 1
