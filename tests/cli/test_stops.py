"""A command that is stopped, politely or not, leaves nothing half done, and the same command goes on."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from mobile_sdk.program.program import Program
from tests.support import child_process
from tests.support.child_process import finished, is_running, wait_until, workers_of
from tests.support.command_line import COMMAND, ENVIRONMENT, SETTINGS, SmallRun, mobile_sdk, start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_training_is_one_line_and_the_same_command_goes_on(
    number: signal.Signals, small: SmallRun, tmp_path: Path
) -> None:
    arguments = ("train", "--data", small.pictures, *SETTINGS[:-1], "400", "--out", str(tmp_path))
    process = start(*arguments)
    wait_until((tmp_path / "train" / "checkpoint.pt").exists, process=process)
    lines = interrupted(process, number)
    assert lines[-1].startswith("interrupted: the same call goes on from epoch ")
    assert not (tmp_path / "net.safetensors").exists()
    again = start(*arguments)
    assert again.stderr is not None
    assert again.stderr.readline().startswith("3 labels: ")
    assert again.stderr.readline().startswith("going on after epoch ")
    interrupted(again)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("library", ["_pydantic_core", "_multiarray_umath", "libtorch_cpu"])
def test_a_signal_while_modules_are_loaded_is_one_line(number: signal.Signals, library: str, small: SmallRun) -> None:
    process = start("verify", small.bundle("tflite"), *against(small), "--json")
    wait_until(lambda: library in maps_of(process.pid), process=process)
    assert interrupted(process, number) == ["interrupted: the same command begins this step again"]


def test_a_signal_that_comes_twice_is_said_once(small: SmallRun, tmp_path: Path) -> None:
    process = start("train", "--data", small.pictures, *SETTINGS[:-1], "400", "--out", str(tmp_path))
    wait_until((tmp_path / "train" / "checkpoint.pt").exists, process=process)
    for number in 3 * [signal.SIGTERM]:
        os.kill(process.pid, number)
    assert len([line for line in interrupted(process, signal.SIGTERM) if "interrupted" in line]) == 1


def test_nohup_keeps_a_command_going_when_its_terminal_ends(small: SmallRun) -> None:
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *COMMAND, "inspect", small.bundle("executorch"), "--json"]
    process = child_process.start(command, env=ENVIRONMENT)
    wait_until(lambda: "_multiarray_umath" in maps_of(process.pid), process=process)
    os.kill(process.pid, signal.SIGHUP)
    out, err = finished(process)
    assert process.returncode == 0 and json.loads(out), err


def test_ctrl_c_in_verify_leaves_no_verdict(small: SmallRun, tmp_path: Path) -> None:
    out = tmp_path / "verify.json"
    process = start("verify", small.bundle("tflite"), *against(small), "--out", str(out))
    wait_until(lambda: "libtorch_cpu" in maps_of(process.pid), process=process)
    assert interrupted(process)[-1].startswith("interrupted: ")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_bench_leaves_no_worker(small: SmallRun, tmp_path: Path) -> None:
    process = start("bench", small.bundle("tflite"), small.bundle("executorch"), "--out", str(tmp_path / "bench.json"))
    wait_until(lambda: bool(workers_of(process.pid)), process=process)
    workers = workers_of(process.pid)
    assert interrupted(process)[-1].startswith("interrupted: ")
    wait_until(lambda: not any(map(is_running, workers)))  # one that was just being started finds its parent gone
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_with_the_program_of_its_steps(
    small: SmallRun, tmp_path: Path
) -> None:
    """The undisturbed way is `train` and `quantize` one after the other: `run` is those, and so is a killed `run`."""
    arguments = ("run", "--data", small.pictures, *SETTINGS, "--qat-epochs", "1", "--out", str(tmp_path), "--json")
    for file in ("train/checkpoint.pt", "net.safetensors", "qat/checkpoint.pt", "program.pt2"):
        process = start(*arguments)
        wait_until((tmp_path / file).exists, process=process)
        process.kill()
        process.communicate()
    last = start(*arguments)
    out, err = finished(last)
    assert last.returncode == 0, err
    assert "going on after epoch 2 of 2" in err and "going on after epoch 1 of 1" in err
    report = json.loads(out)
    undisturbed = Program.load(small.program)
    assert report["program_sha256"] == Program.load(tmp_path / "program.pt2").digest() == undisturbed.digest()
    assert {line["outcome"] for line in report["bundles"]} == {"pass"} and len(report["bundles"]) == 5
    assert not list(tmp_path.rglob(".*")), "a killed process's drafts were left"
    before = untimed_files(tmp_path)
    again = mobile_sdk(*arguments)
    assert again.code == 0 and "loss" not in again.err, "a finished run trains nothing again"
    assert untimed_files(tmp_path) == before


def untimed_files(folder: Path) -> dict[Path, bytes]:
    """Returns the files that must be the same in every run: nets, programs, bundles, verdicts.

    No times, nor their report.
    """
    timed = {"bench.json", "report.json", "report.html"}
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name not in timed}
    assert len(files) > 40
    return files


def against(small: SmallRun) -> tuple[str, ...]:
    return ("--program", small.program, "--data", small.pictures)


def interrupted(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> list[str]:
    """Sends a signal (Ctrl-C's), and gives what the command then said; it must end by it, without a traceback."""
    os.kill(process.pid, number)
    out, err = finished(process)
    assert (process.returncode, out) == (128 + number, ""), err
    lines = err.splitlines()
    assert sum(line.startswith("interrupted") for line in lines) == 1 and "Traceback" not in err
    return lines


def maps_of(pid: int) -> str:
    """The libraries that a process has loaded."""
    return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
