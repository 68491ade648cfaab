"""A mistake on the command line gives one line, one hint and an exit code, and leaves nothing half done."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from mobile_sdk.cli import failures
from mobile_sdk.cli.app import call
from mobile_sdk.errors import CompileError
from qat.distributed.processes import current_processes
from tests.support.child_process import run
from tests.support.command_line import COMMAND, ENVIRONMENT, SETTINGS, SmallRun, save_pictures
from tests.support.written_here import WRITTEN_HERE

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def wrong(small: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of things that are not what they should be."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "garbage.pt2").write_bytes(b"PK\3\4 garbage")
    (folder / "empty").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "photo.jpg")
    torch.save({"weight": torch.zeros(2)}, folder / "net.pth")
    save_pictures(folder / "one_label", ("cat",))
    save_pictures(folder / "other_labels", ("cat", "dog"))
    shutil.copytree(small.bundle("tflite"), folder / "damaged.tflite")
    with (folder / "damaged.tflite" / "model.tflite").open("r+b") as file:
        file.seek(100)
        file.write(b"damage")
    shutil.copy(small.program, folder / "alone.pt2")
    return folder


CASES = {
    "verb": ("verfy", 2, "expected a verb (run, train", "did you mean verify?"),
    "option": ("run --epoch 3", 2, "an option of mobile-sdk run, found --epoch", "did you mean --epochs"),
    "batch": ("train --batch 8", 2, "found --batch", "did you mean --batch-size?"),
    "rate": ("run --lr 0.1", 2, "found --lr", "did you mean --learning-rate?"),
    "rate in int8": ("quantize --lr 0.1", 2, "found --lr", "TrainPlan(batch=…, learning_rate=…)"),
    "option of no verb": ("--jsn", 2, "found --jsn", "see mobile-sdk --help"),
    "short option": ("nets -x", 2, "found -x", "see mobile-sdk nets --help"),
    "value": ("run --epochs three", 2, "--epochs to be a valid integer, found 'three'", "see mobile-sdk run --help"),
    "range": ("train --epochs 0", 2, "--epochs to be greater than or equal to 1, found '0'", "see mobile-sdk train"),
    "no value": ("run --epochs", 2, "found: Option '--epochs' requires an argument", "--help"),
    "too many": ("nets extra", 2, "found: Got unexpected extra argument", "see mobile-sdk nets --help"),
    "no bundle": ("verify --program p --data d", 2, "expected BUNDLE…, found none", "see mobile-sdk verify --help"),
    "no program": ("verify {tflite} --data d", 2, "expected --program, found none", "see mobile-sdk verify"),
    "no data": ("verify {tflite} --program {program} --min-accuracy 0.9", 2, "--min-accuracy without --data", "leave"),
    "net": ("run --net mobilnet_v2 --out {new}", 2, "found 'mobilnet_v2'", "did you mean mobilenet_v2?"),
    "size": ("run --size 5 --out {new}", 2, "expected --size of 8 to 4096 px, found '5'", "--help"),
    "size of a net": ("train --size 20 --out {new}", 2, "at least 32 px", "give --size 32 or more"),
    "width": ("train --width nan --out {new}", 2, "a width above 0", "use 1.0"),
    "seed": ("train --data digits --seed 4294967296 --out {new}", 2, "a seed from 0 to 4294967295", "correct seed"),
    "recipe": ("train --recipe mobilenet_v3 --out {new}", 2, "a recipe", "did you mean mobilenet-v3?"),
    "name": ("train --data {pictures} --name a/b --out {new}", 2, "a --name of up to 64", "write a plain one"),
    "data": ("run --data {wrong}/nowhere --out {new}", 3, "a folder of pictures, found none", "lay the pictures out"),
    "data file": ("run --data {program} --out {new}", 3, "a folder of pictures", "lay the pictures out"),
    "one label": ("run --data {wrong}/one_label --out {new}", 3, "two labels or more", "lay the pictures out"),
    "out is a file": ("train --data {pictures} --out {program}", 2, "a folder or nothing", "name another --out"),
    "out below a file": ("train --data {pictures} --out {program}/x", 2, "a folder or nothing", "name another --out"),
    "no net": ("quantize --data {pictures}", 2, "one of --weights and --model, found neither", "name the net"),
    "two nets": ("quantize --data {pictures} --weights w --model m:f", 2, "found both", "name the net"),
    "weights": ("quantize --data {pictures} --weights {wrong}/no.pth", 3, "found nothing", "check the path"),
    "weights folder": ("quantize --data {pictures} --weights {wrong}/empty", 3, "found a folder", "name the file"),
    "weights of no net": (
        "quantize --data {pictures} --weights {program}",
        *(3, "found a zip archive of something else", "name the file of weights"),
    ),
    "weights damaged": (
        "quantize --data {pictures} --weights {wrong}/garbage.pt2 --net mobilenet_v1 --out {new}",
        *(3, "a file that is damaged", "fetch the file again"),
    ),
    "another net": (
        "quantize --data {pictures} --weights {net} --net mobilenet_v1",
        2,
        "expected --net",
        "leave --net",
    ),
    "another size": ("quantize --data {pictures} --weights {net} --size 64", 2, "expected --size 32", "leave --size"),
    "labels to quantize": ("quantize --data {wrong}/other_labels --weights {net}", 3, "found others: cat", "name the"),
    "model": ("quantize --data {pictures} --model nets", 2, "MODULE:FUNCTION, found 'nets'", "package.module"),
    "model missing": ("quantize --data {pictures} --model no_such:net", 2, "ModuleNotFoundError", "run from the"),
    "model function": ("quantize --data {pictures} --model math:pi", 2, "found float", "returns the net"),
    "model no net": ("quantize --data {pictures} --model os:getcwd", 4, "found str", "return the net itself"),
    "model raises": ("quantize --data {pictures} --model math:sqrt", 4, "found TypeError", "no arguments"),
    "program": ("export {wrong}/no.pt2 --out {new}", 3, "wrong0/no.pt2, found nothing", "check the path"),
    "program folder": ("export {wrong}/empty --out {new}", 3, "found a folder", "name the file: program.pt2"),
    "program of a bundle": ("export {tflite} --out {new}", 3, "found a bundle", "that the bundle came from"),
    "a float net to export": ("export {net} --out {new}", 3, "found a float net", "mobile-sdk quantize --weights /"),
    "a float net to inspect": ("inspect {net}", 3, "found a float net", "mobile-sdk quantize --weights /"),
    "a float net to verify with": ("verify {tflite} --program {net} --data {pictures}", 3, "a float net", "quantize"),
    "a picture to predict": ("predict {photo}", 3, "photo.jpg, found a picture", "mobile-sdk classify BUNDLE"),
    "a checkpoint to export": ("export {wrong}/net.pth --out {new}", 3, "a checkpoint of PyTorch", "--net NAME"),
    "program garbage": ("export {wrong}/garbage.pt2 --out {new}", 6, "garbage.pt2 damaged", "copy it again"),
    "runtime": ("export {program} --to tflit --out {new}", 2, "found 'tflit'", "did you mean tflite?"),
    "runtime's other name": ("export {program} --to android --out {new}", 2, "found 'android'", "did you mean tflite?"),
    "runtime in capitals": ("export {program} --to TFLit --out {new}", 2, "found 'TFLit'", "did you mean tflite?"),
    "no runtime of ours": ("export {program} --to paddle --out {new}", 2, "found 'paddle'", "choose one of these"),
    "runtime that reads": ("export {program} --to tflite-runtime --out {new}", 2, "expected runtimes", "tflite?"),
    "no runtime": ("export {program} --to , --out {new}", 2, "found none", "name each once"),
    "no twin": ("export {wrong}/alone.pt2 --float --out {new}", 2, "float.pt2 beside", "leave --float out"),
    "twin of a twin": ("export {twin} --float --out {new}", 2, "an int8 program", "leave --float out"),
    "labels to export": ("export {program} --data {wrong}/other_labels --out {new}", 3, "found others", "name the"),
    "labels to verify": ("verify {tflite} --program {program} --data {wrong}/other_labels", 3, "others: cat", "name"),
    "bundle": ("verify {wrong}/no.tflite --program {program} --data {pictures}", 6, "a bundle folder", "name a"),
    "a model in a bundle": (
        "verify {tflite}/model.tflite --program {program} --data {pictures}",
        *(6, "found a file", "name the bundle's folder: /"),
    ),
    "a program to bench": ("bench {program} --out {new}", 6, "found a file", "export it first: mobile-sdk export"),
    "a folder of bundles": ("inspect {bundles}", 6, "expected bundle.json in '/", "name one of the bundles in it: /"),
    "a run's folder": ("classify {run} {photo}", 6, "expected bundle.json in '/", "name one of the bundles in it: /"),
    "bundle damaged": ("verify {wrong}/damaged.tflite --program {program} --data {pictures}", 6, "sha256", "again"),
    "accuracy": ("verify {tflite} --program {program} --data {pictures} --min-accuracy 2", 2, "found '2'", "--help"),
    "device": ("verify {tflite} --program {program} --data {pictures} --device hst", 2, "'hst'", "mean host?"),
    "device of no name": (
        "verify {tflite} --program {program} --data {pictures} --device phone",
        *(2, "found 'phone'", "a phone on USB is adb"),
    ),
    "verify runtime": (
        "verify {tflite} --program {program} --data {pictures} --runtime tflite-rntime --out {new}",
        *(2, "found 'tflite-rntime'", "did you mean tflite-runtime?"),
    ),
    "out is a folder": (
        "verify {tflite} --program {program} --data {pictures} --out {wrong}/empty",
        *(2, "a file or nothing", "name another file to write"),
    ),
    "bench damaged": ("bench {wrong}/damaged.tflite --out {new}", 6, "sha256", "export the bundle again"),
    "bench twice": ("bench {tflite} {tflite} --out {new}", 2, "every bundle once", "name every bundle once"),
    "bench device": (
        "bench {tflite} --device emulated:cortex-a76 --out {new}",
        2,
        "times mean something",
        "adb:SERIAL",
    ),
    "budget": ("bench {tflite} --max-ms 0 --out {new}", 2, "--max-ms above 0, found 0", "in milliseconds"),
    "inspect": ("inspect {wrong}/empty", 6, "bundle.json", "name a bundle"),
    "inspect garbage": ("inspect {wrong}/garbage.pt2", 6, "garbage.pt2 damaged", "copy it again"),
    "report of nothing": ("report --out {new}.html", 2, "something to report", "verify or measure"),
    "options of a file": ("predict {program} --width 0.5", 2, "expected no --width beside", "the file says it"),
    "shards beside pictures": ("shard {pictures} --out {pictures}", 2, "another --out than", "name a new folder"),
    "verdicts": ("report --verify {wrong}/garbage.pt2 --out {new}.html", 6, "expected verdicts", "name verify.json"),
    "numbers": ("report --bench {wrong}/garbage.pt2 --out {new}.html", 3, "numbers of bench", "run bench again"),
    "redraw": ("report --from {wrong}/garbage.pt2 --out {new}.html", 3, "a report.json", "write the report again"),
    "page": ("report {tflite} --out {new}.json", 2, "a page such as report.html", "name an .html file"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_one_line_a_hint_and_an_exit_code(
    case: str, small: SmallRun, wrong: Path, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command, code, message, hint = CASES[case]
    arguments = [word.format(**places(small, wrong, tmp_path)) for word in str(command).split()]
    assert call(arguments) == code
    said = capfd.readouterr()
    *news, error, advice = said.err.splitlines()
    assert (error[:7], advice[:6]) == ("error: ", "hint: ")
    assert message in error and hint in advice
    assert not any(line.startswith(("error", "Traceback")) for line in news)
    assert said.out == ""
    assert not [path for path in tmp_path.rglob("*") if path.is_file()], "half a result was left"


def places(small: SmallRun, wrong: Path, tmp_path: Path) -> dict[str, str]:
    """Returns the paths that stand in braces in a case."""
    return {
        "program": small.program,
        "twin": str(small.folder / "float.pt2"),
        "net": str(small.folder / "net.safetensors"),
        "tflite": small.bundle("tflite"),
        "pictures": small.pictures,
        "photo": str(wrong / "photo.jpg"),
        "bundles": str(Path(small.bundle("tflite")).parent),
        "run": str(small.folder),
        "wrong": str(wrong),
        "new": str(tmp_path / "new"),
    }


@pytest.mark.parametrize(
    ("line", "option"),
    [(["train", "--out", ""], "--out"), (["train", "--out="], "--out"), (["shard", "", "--out", "o"], "shard")],
)
def test_an_empty_argument_is_refused_and_is_never_the_folder_where_one_stands(
    line: list[str], option: str, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(line) == 2
    error, hint = capfd.readouterr().err.splitlines()
    assert error == f"error: expected a value after {option}, found an empty one"
    assert hint.startswith("hint: leave the option out")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_the_machines_error(small: SmallRun, capfd: Capture) -> None:
    if not Path("/proc").is_dir():
        pytest.skip("this system has no /proc, where nobody can make folders")
    assert call(["train", "--data", small.pictures, "--out", "/proc/mobile-sdk"]) == 7
    assert "error: expected a folder that can be written at /proc/mobile-sdk" in capfd.readouterr().err


SPECIAL = {
    "report --bench {fifo} --out {new}.html": (3, "the numbers of bench at {fifo}, found: a FIFO instead of a file"),
    "report --from /dev/zero --out {new}.html": (3, "found a device instead of a file"),
    "report --verify /dev/zero --out {new}.html": (6, "found a device instead of a file"),
    "report --search {fifo} --out {new}.html": (3, "found: a FIFO instead of a file"),
    "report --program {fifo} --out {new}.html": (3, "expected a program at {fifo}, found a FIFO"),
    "report {tflite} --out {fifo}": (2, "a file or nothing at {fifo}, found a FIFO"),
    "report {tflite} --out {null}": (2, "a file or nothing at {null}, found a device"),
    "verify {tflite} --program {program} --data {pictures} --out /dev/null": (2, "at /dev/null, found a device"),
    "bench {tflite} --out {null}": (2, "a file or nothing at {null}, found a device"),
    "export {program} --out /dev/null": (2, "a folder or nothing at /dev/null, found a file"),
    "export {fifo} --out {new}": (3, "expected a program at {fifo}, found a FIFO"),
    "quantize --weights {fifo} --net mobilenet_v2 --data {pictures}": (3, "weights at {fifo}, found a FIFO"),
    "quantize --weights /dev/zero --net mobilenet_v2 --data {pictures}": (3, "weights at /dev/zero, found a device"),
}


@pytest.mark.parametrize("command", SPECIAL)
def test_special_files_are_never_waited_for_nor_replaced(
    command: str, small: SmallRun, wrong: Path, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    there = {"fifo": str(tmp_path / "fifo.html"), "null": str(tmp_path / "null.html")}
    os.mkfifo(there["fifo"])
    Path(there["null"]).symlink_to("/dev/null")
    code, message = SPECIAL[command]
    arguments = [word.format(**places(small, wrong, tmp_path), **there) for word in command.split()]
    assert call(arguments) == code
    assert message.format(**there) in capfd.readouterr().err
    assert Path(there["fifo"]).is_fifo() and Path(there["null"]).is_char_device() and Path("/dev/null").is_char_device()


@pytest.mark.parametrize("runtime", WRITTEN_HERE)
def test_a_full_disk_is_the_machines_error_and_is_named(
    runtime: str, small: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mobile_sdk.system.atomic_files._flush", full)
    out = tmp_path / "new"
    assert call(["export", small.program, "--to", runtime, "--out", str(out)]) == 7
    assert f"at {out}/sides.{runtime}" in capfd.readouterr().err
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("verb", ["export --to coreml", "quantize", "train", "embed"])
def test_where_no_more_than_some_bytes_can_be_written_every_verb_ends_in_one_line(
    verb: str, small: SmallRun, tmp_path: Path
) -> None:
    """A limit on the size of files, which libraries meet in their own code, as they meet a disk's."""
    (tmp_path / "App.xcodeproj").mkdir()
    arguments = {
        "export --to coreml": ["export", small.program, "--to", "coreml", "--out", str(tmp_path / "new")],
        "quantize": [
            *("quantize", "--data", small.pictures, "--weights", str(small.folder / "net.safetensors")),
            *("--calibration", "ranges", "--epochs", "0", "--out", str(tmp_path / "new")),
        ],
        "train": ["train", "--data", small.pictures, *SETTINGS, "--out", str(tmp_path / "new")],
        "embed": ["embed", small.bundle("executorch"), "--ios", str(tmp_path)],
    }[verb]
    limited = 'ulimit -f 64; exec "$@"'  # blocks of 512 or 1024 bytes
    done = run(["sh", "-c", limited, "sh", *COMMAND, *arguments], env=ENVIRONMENT)
    assert done.returncode == 7, done.stderr
    assert next(line for line in done.stderr.splitlines() if line.startswith("error: ")).endswith("File too large")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()], "half a result was left"


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"WORLD_SIZE": "y"}, "WORLD_SIZE, found 'y'"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE, found '0'"),
        ({"WORLD_SIZE": "2", "RANK": "x"}, "RANK, found 'x'"),
        ({"WORLD_SIZE": "2", "RANK": "2"}, "a number below 2 in the variable RANK, found '2'"),
        ({"WORLD_SIZE": "2", "LOCAL_RANK": "-1"}, "LOCAL_RANK, found '-1'"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "expected MASTER_ADDR beside the variable WORLD_SIZE"),
    ],
)
def test_variables_that_no_torchrun_sets_are_a_setting_that_is_wrong(
    variables: dict[str, str],
    found: str,
    small: SmallRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Capture,
) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", "RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"LOCAL_RANK": "0"} | variables).items():
        monkeypatch.setenv(name, value)
    current_processes.cache_clear()
    assert call(["train", "--data", small.pictures, *SETTINGS, "--out", str(tmp_path)]) == 2
    assert found in capfd.readouterr().err


@pytest.mark.parametrize("closed", [">&-", "<&- >&-", ">/dev/full", "1</dev/null"])
def test_a_result_that_nobody_can_read_is_one_line(closed: str) -> None:
    done = run(["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, "--version"], env=ENVIRONMENT)
    assert (done.returncode, done.stdout) == (7, "")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", "2</dev/null"])
def test_an_error_that_nobody_can_read_is_still_an_exit_code(closed: str) -> None:
    for arguments, code in (("inspect no-such-bundle", 6), ("--version", 0)):
        command = ["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, *arguments.split()]
        assert run(command, env=ENVIRONMENT).returncode == code


def test_an_error_that_a_full_disk_led_to_is_the_machines() -> None:
    error = RuntimeError("unknown")
    error.__cause__ = KeyError("within")
    error.__cause__.__context__ = OSError(errno.EMFILE, "Too many open files")
    assert failures.explain(error).exit_code == 7 and "Too many open files" in failures.explain(error).message
    error.__cause__.__context__ = OSError(errno.ENOENT, "No such file")
    assert failures.explain(error).exit_code == 70
    assert failures.explain(MemoryError()).exit_code == 7


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_shows_the_traceback_wherever_it_stands(place: str, capfd: Capture) -> None:
    arguments = ["export", "no.pt2"]
    assert call(["--debug", *arguments] if place == "before" else [*arguments, "--debug"]) == 3
    said = capfd.readouterr().err
    assert "Traceback" in said and said.splitlines()[-1].startswith("hint: ")


def test_an_error_nobody_meant_is_called_a_bug_in_one_line() -> None:
    failure = failures.explain(RuntimeError("first\n  second"))
    assert failure.exit_code == 70
    assert failure.message == "expected no bug in mobile-sdk, found RuntimeError: first second"
    assert "--debug" in failure.hint


def test_a_compilers_refusal_is_exit_code_5(small: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise CompileError("expected an operator\nthat it knows", hint="write\nanother")

    monkeypatch.setattr("mobile_sdk.runtimes.tflite.TfliteRuntime.export", refuse)
    assert call(["export", small.program, "--to", "tflite", "--out", str(tmp_path)]) == 5
    assert list(tmp_path.iterdir()) == []


def test_a_benchmark_worker_reports_the_nearest_error_that_its_parent_knows(wrong: Path) -> None:
    command = [sys.executable, "-m", "mobile_sdk.benchmarking.worker", str(wrong / "damaged.tflite"), "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 6
    assert json.loads(done.stdout)["error"] == "BundleError"  # a BundleRefusalError, which mobile_sdk.errors has not


def test_errors_of_a_real_process_go_to_standard_error(wrong: Path) -> None:
    command = [*COMMAND, "inspect", str(wrong / "damaged.tflite"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert (done.returncode, done.stdout) == (6, "")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]
