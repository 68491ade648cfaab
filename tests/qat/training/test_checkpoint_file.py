"""A damaged checkpoint is never taken up: training goes on from the one before it, to the same result."""

import io
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mobile_sdk.errors import DataError, SettingError
from qat.tasks.classification.training import fit
from qat.training.checkpoint import alone_in
from qat.training.checkpoint_file import CHECKPOINT_FILE, read_state, write_state
from qat.training.history import History
from qat.training.plan import TrainPlan
from tests.support.training.small_task import CONTRACT, PLAN, figures, pictures, same, tiny_net

STEPS = 7  # of an epoch, whose last batch is not full
BEFORE = "checkpoint-before.pt"
AVERAGED = replace(PLAN, ema_decay=0.9)
STATE = {"net": {"weight": torch.arange(60, dtype=torch.float32)}, "history": '{"epochs": []}', "begun": 0}


def interrupted(folder: Path, epochs: int, plan: TrainPlan = PLAN) -> Path:
    """Trains until `epochs` epochs are saved; returns the folder."""
    net = tiny_net()

    def interrupt(*_: object) -> None:
        if net.steps == epochs * STEPS + 2:
            raise KeyboardInterrupt

    net.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(net, pictures(), plan, contract=CONTRACT, out=folder, progress=False)
    return folder


def flip(path: Path, place: int, bit: int = 0) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 1 << bit
    path.write_bytes(damaged)


def trained(folder: Path) -> tuple[nn.Module, History, int]:
    net = tiny_net()
    history = fit(net, pictures(), PLAN, contract=CONTRACT, out=folder)
    return net, history, net.steps


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return interrupted(tmp_path_factory.mktemp("stopped"), 2)


@pytest.fixture(scope="module")
def whole() -> tuple[nn.Module, History]:
    net = tiny_net()
    return net, fit(net, pictures(), PLAN, contract=CONTRACT, progress=False)


DAMAGES = {
    "flipped": lambda path: flip(path, path.stat().st_size // 2),
    "cut": lambda path: os.truncate(path, path.stat().st_size - 100),
    "empty": lambda path: os.truncate(path, 0),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_training_goes_on_from_the_checkpoint_before_a_damaged_one_to_the_same_result(
    damage: str,
    stopped: Path,
    whole: tuple[nn.Module, History],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = shutil.copytree(stopped, tmp_path / "run")
    assert sorted(os.listdir(folder)) == [BEFORE, CHECKPOINT_FILE]
    DAMAGES[damage](folder / CHECKPOINT_FILE)
    net, history, steps = trained(folder)
    said = capsys.readouterr().err
    assert "checkpoint.pt is damaged and will be replaced, training goes on from the checkpoint before it" in said
    assert steps == 3 * STEPS, "one epoch of the two was lost"
    assert same(net, whole[0]) and figures(history) == figures(whole[1])
    assert os.listdir(folder) == [CHECKPOINT_FILE], "a finished training keeps one"


def test_training_starts_over_where_both_checkpoints_are_damaged(
    stopped: Path, whole: tuple[nn.Module, History], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(stopped, tmp_path / "run")
    for name in os.listdir(folder):
        flip(folder / name, 300)
    net, history, steps = trained(folder)
    assert "is damaged and will be replaced, training starts over" in capsys.readouterr().err
    assert steps == 4 * STEPS and same(net, whole[0]) and figures(history) == figures(whole[1])


def test_a_sign_bit_in_any_storage_is_found(stopped: Path, tmp_path: Path) -> None:
    """PyTorch reads such a file without a word: it leaves the checksums of its zip file aside."""
    state = read_state(stopped / CHECKPOINT_FILE)
    assert state is not None
    path = tmp_path / CHECKPOINT_FILE
    for tensor in state["net"].values():
        if tensor.is_floating_point():
            shutil.copy(stopped / CHECKPOINT_FILE, path)
            place = path.read_bytes().find(tensor.numpy().tobytes())
            flip(path, place + 3, bit=7)
            torch.load(path, weights_only=True)
            assert read_state(path) is None


def test_one_flipped_bit_anywhere_is_found(tmp_path: Path) -> None:
    path, draw = tmp_path / CHECKPOINT_FILE, random.Random(1)
    write_state(path, STATE, keep_former=False)
    intact = path.read_bytes()
    for place in [*draw.sample(range(len(intact)), 60), *range(len(intact) - 90, len(intact))]:
        path.write_bytes(intact)
        flip(path, place, draw.randrange(8))
        assert read_state(path) is None, place


def test_a_sealed_checkpoint_is_a_file_of_pytorch(tmp_path: Path) -> None:
    write_state(tmp_path / CHECKPOINT_FILE, STATE, keep_former=False)
    state = torch.load(tmp_path / CHECKPOINT_FILE, weights_only=True)
    assert state.keys() == STATE.keys() and torch.equal(state["net"]["weight"], STATE["net"]["weight"])  # type: ignore[index]


def test_a_checkpoint_from_before_seals_goes_on(
    stopped: Path, whole: tuple[nn.Module, History], tmp_path: Path
) -> None:
    state = read_state(stopped / CHECKPOINT_FILE)
    file = io.BytesIO()
    torch.save(state, file)
    (tmp_path / CHECKPOINT_FILE).write_bytes(file.getvalue())
    net, _, steps = trained(tmp_path)
    assert steps == 2 * STEPS and same(net, whole[0])


def test_the_checkpoint_of_another_run_is_never_kept_as_the_one_before(tmp_path: Path) -> None:
    write_state(tmp_path / CHECKPOINT_FILE, STATE, keep_former=False)
    write_state(tmp_path / CHECKPOINT_FILE, STATE, keep_former=True)
    assert (tmp_path / BEFORE).exists()
    write_state(tmp_path / CHECKPOINT_FILE, STATE, keep_former=False)
    assert os.listdir(tmp_path) == [CHECKPOINT_FILE]


def test_a_run_that_is_taken_up_removes_the_drafts_of_the_killed_one(tmp_path: Path) -> None:
    (tmp_path / ".mobile-sdk-abcd_123").mkdir()
    with alone_in(tmp_path):
        assert not list(tmp_path.iterdir())


def test_the_one_before_is_kept_on_a_file_system_without_links_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    write_state(tmp_path / CHECKPOINT_FILE, STATE, keep_former=False)
    first = (tmp_path / CHECKPOINT_FILE).read_bytes()
    write_state(tmp_path / CHECKPOINT_FILE, {**STATE, "begun": 1}, keep_former=True)
    assert (tmp_path / BEFORE).read_bytes() == first != (tmp_path / CHECKPOINT_FILE).read_bytes()
    assert sorted(os.listdir(tmp_path)) == [BEFORE, CHECKPOINT_FILE]


def first(state: dict[str, Any], part: str) -> Any:
    """The first weight's entry of a part of the state."""
    values = state[part]["state"] if part == "optimizer" else state[part]
    return values, next(key for key, value in values.items() if part == "optimizer" or getattr(value, "ndim", 0) > 1)


def reshaped(state: dict[str, Any], part: str) -> None:
    values, key = first(state, part)
    if part == "optimizer":
        values[key] = {name: torch.zeros(2, 3, 5) for name in values[key]}
    else:
        values[key] = torch.zeros(2, 3, 5)


FORGERIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "weights of another shape": lambda state: reshaped(state, "net"),
    "a weight missing": lambda state: state["net"].pop(first(state, "net")[1]),
    "text as weights": lambda state: state.update(net="weights"),
    "momenta of another shape": lambda state: reshaped(state, "optimizer"),
    "an optimizer without groups": lambda state: state["optimizer"].update(param_groups=[]),
    "text as an optimizer": lambda state: state.update(optimizer="none"),
    "an average of another shape": lambda state: reshaped(state, "average"),
    "an average missing": lambda state: state.update(average={"": 1}),
    "no history": lambda state: state.pop("history"),
    "an epoch that is none": lambda state: state.update(history='{"epochs": [7]}'),
    "a number as history": lambda state: state.update(history=7),
    "a beginning that is no number": lambda state: state.update(begun="soon"),
    "a beginning after the end": lambda state: state.update(begun=9),
    "norms that are none": lambda state: state.update(untrained_norms=7),
    "a fingerprint of another kind": lambda state: state.update(fingerprint=7),
    "a fingerprint of numbers": lambda state: state.update(fingerprint=dict.fromkeys(state["fingerprint"], 7)),
    "epochs that are no number": lambda state: state["fingerprint"].update({"number of epochs": "some"}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_checkpoint_of_another_content_that_is_sealed_anew_is_refused(
    forgery: str, averaged: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(averaged, tmp_path / "run")
    state = read_state(folder / CHECKPOINT_FILE)
    assert state is not None
    FORGERIES[forgery](state)
    write_state(folder / CHECKPOINT_FILE, state, keep_former=False)
    with pytest.raises((DataError, SettingError)) as error:
        fit(tiny_net(), pictures(), AVERAGED, contract=CONTRACT, out=folder, progress=False)
    assert "\n" not in str(error.value)
    assert type(error.value) is (SettingError if forgery == "a fingerprint of numbers" else DataError)


@pytest.fixture(scope="module")
def averaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return interrupted(tmp_path_factory.mktemp("averaged"), 2, AVERAGED)
