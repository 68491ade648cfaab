"""The command line as a newcomer meets it: help that teaches, JSON that parses, quiet terminals, every verb at work."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.benchmarking import statistics as stats
from mobile_sdk.cli.app import EXAMPLES, call
from mobile_sdk.workflow.choices import RECIPES
from mobile_sdk.workflow.tasks.classification import Classification
from tests.support.command_line import COMMAND, ENVIRONMENT, SmallRun, in_terminal

VERBS = tuple(verb.__name__ for verb in EXAMPLES)
NOISE = re.compile(r"W\d{4} |Failed to load|[Ww]arning(?!: never right)|INFO:|Traceback|scikit-learn|not been tested")
PROGRESS = re.compile(
    r"\d+ labels: |pictures: |\d+ tensors from |epoch \d+/|calibration: |reconstruction: |going on after|"
    r"decoding pictures|checking pictures|hashing |warning: never right|export|float\.pt2"
)


@pytest.mark.parametrize("verb", VERBS)
def test_help_names_every_option_with_its_meaning(verb: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert call([verb, "--help"]) == 0
    said = capfd.readouterr().out
    assert f"Usage: mobile-sdk {verb}" in said
    assert "--json" in said
    rows = [line.strip("│ ") for line in said.splitlines() if re.match(r"│[ *]{1,6}--", line)]
    assert rows and all(len(row.split()) > 2 for row in rows)


@pytest.mark.parametrize(("verb", "examples"), [(verb.__name__, given) for verb, given in EXAMPLES.items() if given])
def test_examples_are_shown_and_take_options_that_exist(
    verb: str, examples: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    call([verb, "--help"])
    words = " ".join(capfd.readouterr().out.split())
    for example in examples:
        assert example.startswith(f"mobile-sdk {verb}") and example in words
        assert all(f" {option} " in words for option in re.findall(r"--[a-z-]+", example))


def test_without_a_verb_all_verbs_are_shown(capfd: pytest.CaptureFixture[str]) -> None:
    assert call([]) == 2
    said = capfd.readouterr().out
    assert all(f" {verb} " in said for verb in VERBS)
    assert "Start with: mobile-sdk run" in said


def test_the_script_and_the_module_are_the_same_command() -> None:
    script = Path(sys.executable).with_name("mobile-sdk")
    for arguments in (["--version"], ["verify", "--help"], ["verfy"]):
        by_script, by_module = (
            subprocess.run([*command, *arguments], check=False, capture_output=True, text=True, env=ENVIRONMENT)
            for command in ((script,), COMMAND)
        )
        assert (by_script.stdout, by_script.stderr) == (by_module.stdout, by_module.stderr)
        assert by_script.returncode == by_module.returncode


def test_training_says_only_its_progress_and_json_alone_on_standard_output(small: SmallRun) -> None:
    trained, quantized, exported = (done.json for done in small.said)
    assert [epoch["stage"] for epoch in trained["history"]] == ["float"] * 2
    assert (quantized["quantized"], [epoch["stage"] for epoch in quantized["history"]][-1]) == ("qat", "qat")
    assert {each["precision"] for each in exported} == {"int8", "float32"} and len(exported) == 4
    for done in small.said:
        assert all(PROGRESS.match(line) for line in done.err.splitlines()), done.err


def test_a_terminal_gets_bars_and_nothing_that_libraries_say(small: SmallRun, tmp_path: Path) -> None:
    said = in_terminal([*COMMAND, "export", small.program, "--out", str(tmp_path)])
    assert "━" in said and "sides.coreml" in said
    assert not NOISE.search(said), said


def test_a_finished_training_is_taken_up_and_gives_the_same_program(small: SmallRun, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small.folder, tmp_path / "copy"))
    arguments = ("quantize", "--weights", f"{folder}/net.safetensors", "--data", small.pictures, "--epochs", "1")
    said = in_terminal([*COMMAND, *arguments, "--out", str(folder), "--json"])
    assert "going on after epoch 1 of 1" in said and small.said[1].json["digest"] in said
    assert not NOISE.search(said), said
    assert (folder / "program.pt2").read_bytes() == Path(small.program).read_bytes()


def test_every_bundle_verifies_and_float_twins_are_held_against_float_pt2(
    small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundles = [small.bundle(runtime, precision) for runtime in ("tflite", "executorch") for precision in ("", "-float")]
    base = ["verify", *bundles, "--program", small.program, "--data", small.pictures, "--out", str(tmp_path / "v.json")]
    assert call([*base, "--json", "--bisect"]) == 0
    verdicts = json.loads(capfd.readouterr().out)
    assert [verdict["status"] for verdict in verdicts] == ["pass"] * 4
    assert [verdict["comparison"]["max_steps"] for verdict in verdicts if verdict["precision"] == "int8"] == [0, 0]
    assert verdicts[0]["bisection"] == {"said": "nothing to bisect"}
    assert len(json.loads((tmp_path / "v.json").read_text())["verdicts"]) == 4


def test_verify_fails_with_1_and_says_which_check(
    small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = str(small.folder / "float.pt2")
    arguments = ["verify", small.bundle("tflite"), "--program", other, "--data", small.pictures]
    assert call([*arguments, "--out", str(tmp_path / "v.json")]) == 1
    said = capfd.readouterr().out
    assert re.search(r"sides\.tflite: FAIL: program: ", said)
    assert "sides.tflite: FAIL on 6 pictures" in said


def test_a_verdict_that_did_not_run_on_pictures_exits_with_7(
    small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobile_sdk.runtimes.tflite_legacy.find_python", lambda: None)
    options = ["--data", small.pictures, "--program", small.program, "--out", str(tmp_path / "v.json")]
    options += ["--runtime", "tflite-runtime"]
    assert call(["verify", small.bundle("tflite"), *options]) == 7
    assert "found that it did not run" in capfd.readouterr().err


def without_seal(path: Path) -> Any:
    """The document, without the hash of itself that it ends with."""
    content = json.loads(path.read_text())
    assert list(content)[-1] == "sha256"
    return {name: value for name, value in content.items() if name != "sha256"}


def test_bench_measures_and_holds_a_budget(
    small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "STEADY_CV_SHARE", math.inf)  # a busy machine's times are judged as well,
    monkeypatch.setattr(stats, "THROTTLED_RATIO", math.inf)  # and those of one that drifts, or has two speeds
    out = str(tmp_path / "bench.json")
    assert call(["bench", small.bundle("tflite"), "--quick", "--json", "--out", out]) == 0
    numbers = json.loads(capfd.readouterr().out)
    assert numbers["measurements"][0]["summary"]["median_ms"] > 0
    assert without_seal(Path(out)) == numbers
    assert call(["bench", small.bundle("tflite"), "--max-ms", "0.0001", "--out", out]) == 1
    said = capfd.readouterr().out
    assert "FAIL" in said and "against a budget of 0.0001 ms" in said


@pytest.mark.parametrize("what", ["bundle", "program"])
def test_inspect_shows_a_bundle_and_a_program(what: str, small: SmallRun, capfd: pytest.CaptureFixture[str]) -> None:
    path = small.bundle("tflite") if what == "bundle" else small.program
    assert call(["inspect", path]) == 0
    said = capfd.readouterr().out
    assert "operator" in said and ("partitions: 1" if what == "bundle" else "int8 reference: ") in said
    assert call(["inspect", path, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["structure"]["partitions"] == 1 if what == "bundle" else len(found["digest"]) == 64


def test_a_report_is_drawn_and_drawn_again_from_its_json(
    small: SmallRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    page, again = tmp_path / "r.html", tmp_path / "again.html"
    assert call(["report", small.bundle("tflite"), "--program", small.program, "--out", str(page), "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == without_seal(page.with_suffix(".json"))
    assert call(["report", "--from", str(page.with_suffix(".json")), "--out", str(again)]) == 0
    assert again.read_text() == page.read_text()


@pytest.mark.parametrize("verb", ["nets", "devices", "doctor"])
def test_lists_come_as_tables_and_as_json(verb: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert call([verb, "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert call([verb]) == 0
    table = capfd.readouterr().out
    names = [row.get("name") or row["device"] for row in rows]
    assert len(names) >= 2 and all(name in table for name in names)


def test_nets_of_all_tasks_are_listed_with_their_cost(capfd: pytest.CaptureFixture[str]) -> None:
    assert call(["nets", "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert {row["task"] for row in rows} == {"classification", "detection", "segmentation"}
    assert all(row["params_m"] > 0.1 and row["madds_m"] > 30 for row in rows)
    assert len({(row["task"], row["name"]) for row in rows}) == len(rows)


def test_a_pipe_whose_reader_is_gone_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*COMMAND, "devices"], check=False, stdout=writing, stderr=subprocess.PIPE, env=ENVIRONMENT)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_is_the_machines_error() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        pipe = subprocess.PIPE
        done = subprocess.run([*COMMAND, "devices"], check=False, stdout=full, stderr=pipe, text=True, env=ENVIRONMENT)
    assert done.returncode == 7
    assert done.stderr.splitlines()[0] == "error: expected to read and write files, found: No space left on device"


def test_plain_terminals_get_plain_letters() -> None:
    done = subprocess.run(
        [*COMMAND, "run", "--help"], check=False, capture_output=True, env={**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_may_be_cut_to_one_epoch(recipe: str) -> None:
    plan = Classification().plan(recipe, "photos", 1, seed=3)
    assert (plan.epochs, plan.seed) == (1, 3) and plan.warm_up_epochs <= 0.5
    assert Classification().plan(recipe, "photos", None, seed=0).warm_up_epochs in (0, 1, 5), "the recipe's own"


def test_the_version_is_the_packages(capfd: pytest.CaptureFixture[str]) -> None:
    from importlib import metadata

    assert call(["--version"]) == 0
    assert capfd.readouterr().out == f"mobile-sdk {metadata.version('mobile-sdk')}\n"
