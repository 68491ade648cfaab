"""The command line has what people try first: help, version, quiet, verbose, completion, and the names they know."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_sdk.cli.app import COMPLETING, call
from mobile_sdk.cli.learning.stages import EXTREMES, STAGES
from mobile_sdk.errors import SettingError
from mobile_sdk.runtimes import called, names, readers
from mobile_sdk.workflow.choices import DIGITS, RECIPES
from mobile_sdk.workflow.settings import RunSettings
from mobile_sdk.workflow.sources.start import choose_start
from mobile_sdk.workflow.tasks import TASKS
from mobile_sdk.workflow.tasks.classification import PLANS, Classification
from mobile_sdk.workflow.training import choose_plan
from qat.calibration.calibration import SQNR_SAID
from qat.progress import duration_text
from qat.training.history import Epoch
from qat.training.plan import TrainPlan
from tests.support.command_line import COMMAND, ENVIRONMENT, SETTINGS, SmallRun, in_terminal

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("line", [["-V"], ["--version"], ["version"]])
def test_the_version_has_three_names(line: list[str], capfd: Capture) -> None:
    assert call(line) == 0
    assert capfd.readouterr().out.startswith("mobile-sdk ")


@pytest.mark.parametrize(
    ("line", "same"), [(["help"], ["--help"]), (["help", "run"], ["run", "--help"]), (["run", "-h"], ["run", "--help"])]
)
def test_help_is_a_word_too(line: list[str], same: list[str], capfd: Capture) -> None:
    shown = []
    for each in (line, same):
        assert call(each) == 0
        shown.append(capfd.readouterr().out)
    assert shown[0] == shown[1] and "Usage: mobile-sdk" in shown[0]


def test_quiet_shows_results_alone(small: SmallRun, tmp_path: Path, capfd: Capture) -> None:
    train = ["train", "--data", small.pictures, *SETTINGS, "--epochs", "1", "--out", str(tmp_path)]
    assert call([*train, "--quiet"]) == 0
    said = capfd.readouterr()
    assert said.err == "" and "net.safetensors: mobilenet_v3_small" in said.out
    assert call(["--quiet", *train, "--epochs", "x"]) == 2
    assert capfd.readouterr().err.startswith("error: ")


def test_training_says_its_labels_their_counts_its_rate_and_the_time_left(small: SmallRun) -> None:
    said = small.said[0].err
    assert "3 labels: dark (8+2), left (8+2), right (8+2)" in said
    first, last = (line for line in said.splitlines() if line.startswith("epoch "))
    assert " pictures/s, about " in first and first.endswith(" left")
    assert " pictures/s" in last and "left" not in last


def test_an_epochs_line_has_no_more_than_is_known() -> None:
    epoch = Epoch(
        epoch=3, phases=("hold",), loss=0.5, validation_accuracy_share=0.25, learning_rate=0.1, duration_s=20.0
    )
    assert epoch.line(4) == "epoch 3/4 (hold): loss 0.5000, validation 25.00%; 20 s"
    assert epoch.line(4, pictures=1000, left_s=190.0).endswith("; 20 s, 50 pictures/s, about 3 min left")


@pytest.mark.parametrize(("seconds", "text"), [(4.24, "4.2 s"), (38.4, "38 s"), (720.0, "12 min"), (12_600.0, "3.5 h")])
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_completion_offers_verbs_and_options(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMPLETING, "complete_bash")
    for typed, offered in (("mobile-sdk ver", "verify"), ("mobile-sdk run --rec", "--recipe")):
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
        assert call([]) == 0
        assert capfd.readouterr().out.split() == [offered]


def test_the_completion_script_is_shown(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")
    assert call(["--show-completion"]) == 0
    assert COMPLETING in capfd.readouterr().out


def test_no_color_is_heeded() -> None:

    assert "\x1b[1m" in in_terminal([*COMMAND, "nets"])
    plain = in_terminal([*COMMAND, "doctor"], {**ENVIRONMENT, "NO_COLOR": "1"})
    assert not any(f"\x1b[{code}m" in plain for code in ("31", "32", "33", "1;31"))


@pytest.mark.parametrize("word", ["litert", "LiteRT", "TFLite", "tflite", "TF-Lite"])
def test_a_runtime_has_the_names_that_people_use(word: str) -> None:
    assert called(word) == "tflite"


def test_other_words_stay_as_they_are() -> None:
    assert all(called(name) == name for name in (*names(), *readers()))
    assert called("paddle") == "paddle"


@pytest.mark.parametrize("option", ["--runtime", "--to"])
def test_the_word_for_runtimes_is_one_and_the_old_one_is_accepted(
    option: str, small: SmallRun, tmp_path: Path, capfd: Capture
) -> None:
    assert call(["export", small.program, option, "litert", "--out", str(tmp_path), "--json"]) == 0
    assert [bundle["runtime"] for bundle in json.loads(capfd.readouterr().out)] == ["tflite"]


def test_batch_rate_and_recipe_are_those_of_the_plan() -> None:
    plan = choose_plan(Classification(), RunSettings(recipe="mobilenet-v2", batch_size=8, learning_rate=0.01), epochs=2)
    assert (plan.batch, plan.learning_rate, plan.epochs) == (8, 0.01, 2)
    assert plan.augmentation == PLANS["mobilenet-v2"]().augmentation
    assert choose_plan(Classification(), RunSettings(), epochs=None).batch == TrainPlan.digits().batch
    assert "--batch-size 8 --learning-rate 0.01" in RunSettings(batch_size=8, learning_rate=0.01).command()


def test_help_says_the_defaults_that_act(capfd: Capture) -> None:
    def words(verb: str) -> str:
        call([verb, "--help"])
        return " ".join(capfd.readouterr().out.replace("│", " ").split())

    sizes = {name: (task.others_px, task.digits_px) for name, task in TASKS.items()}
    said = words("train")
    assert f"Default: {sizes['classification'][0]}, detection {sizes['detection'][0]}, segmentation" in said
    assert f"segmentation {sizes['segmentation'][0]}; of 'digits' {sizes['classification'][1]}" in said
    assert sizes["detection"][1] == sizes["segmentation"][1] and f"segmentation {sizes['detection'][1]}." in said
    epochs = {recipe: PLANS[recipe]().epochs for recipe in RECIPES}
    v1, v2, v3 = (epochs[f"mobilenet-{version}"] for version in ("v1", "v2", "v3"))
    annotated = {TASKS[name]().plan(None, "photos", None, 0).epochs for name in ("detection", "segmentation")}
    assert v1 == v2 and annotated == {40}
    assert f"{epochs['default']} of default, {epochs['digits']} of digits, {v1} of mobilenet-v1 and -v2" in said
    assert f"{v3} of mobilenet-v3; 40 for detection and segmentation." in said
    run = words("run")
    assert f"({epochs['default']} of default), {Classification().epochs_of_run(DIGITS)} for the digits; 40 for" in run
    assert f"Default: {Classification.epochs_in_int8} for classification, else 0." in run
    assert f"Default: {Classification.epochs_in_int8} for classification; 0 for other tasks" in words("quantize")
    assert {TASKS[name].epochs_in_int8 for name in ("detection", "segmentation")} == {0}
    rates = {name: TASKS[name]().plan(None, "photos", None, 0) for name in ("classification", "detection")}
    assert f"{rates['classification'].learning_rate}, of 'digits', boxes and masks 0.003" in run
    assert {PLANS["digits"]().learning_rate, rates["detection"].learning_rate} == {0.003}
    assert f"of 'default' and 'digits' {rates['classification'].batch}; boxes and masks 32" in run
    assert rates["detection"].batch == 32 and PLANS["digits"]().batch == rates["classification"].batch


def test_calibration_speaks_of_its_stages_as_the_option_does(small: SmallRun, capfd: Capture, tmp_path: Path) -> None:
    arguments = ["quantize", "--data", small.pictures, "--weights", str(small.folder / "net.safetensors")]
    arguments += ["--calibration", ",".join(STAGES), "--epochs", "0", "--out", str(tmp_path)]
    assert call(arguments) == 0
    said = capfd.readouterr()
    rows = [line for line in said.out.splitlines() if "all in int8" in line or "int8 activations alone" in line]
    shown = [line.split("  ")[0].partition(",")[0] for line in rows]
    assert set(shown) <= {EXTREMES, *STAGES} and shown[0] == EXTREMES
    assert SQNR_SAID in said.out and "signal-to-quantization-noise" in said.err
    for line in rows[1:]:
        before, _, after = line.rpartition("  ")
        figures = [float(each) for each in line.split() if each.replace(".", "", 1).replace("-", "", 1).isdigit()]
        assert "no gain, undone" in after or figures[-1] > figures[-2], "no figure that is kept shows a loss"
        assert before


def test_a_larger_validation_share_is_held_out_and_every_verb_s_share_stays_in_it() -> None:
    usual, more = (choose_start(RunSettings(validation_share=share)).pictures for share in (None, 0.3))
    assert (len(more.train), len(more.validation)) == (3500, 1500)
    pairs = zip(usual.validation.sources, more.validation.sources, strict=False)
    assert all(one is other or np.array_equal(one, other) for one, other in pairs)
    assert Counter(more.validation.targets) == dict.fromkeys(range(10), 150)
    assert "--validation-share 0.3" in RunSettings(validation_share=0.3).command()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"validation_share": 0.1}, "expected a validation share of 0.2 or more.*found 0.1"),
        ({"validation_share": 1.0}, "expected a validation share between 0 and 1, found 1"),
        ({"validation_share": 0.3, "task": "detection"}, "expected no --validation-share for detection"),
    ],
)
def test_a_validation_share_that_cannot_be_is_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        choose_start(RunSettings(**asked))
