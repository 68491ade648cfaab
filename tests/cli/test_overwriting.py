"""A training's files are replaced only on request, and more epochs continue from them."""

import shutil
from pathlib import Path

import pytest

from mobile_sdk.cli.app import call
from qat.nets.saved_net import read_header
from tests.support.command_line import SETTINGS, SmallRun

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def trained(small: SmallRun, tmp_path: Path) -> Path:
    """The folder of a finished float training of two epochs."""
    shutil.copytree(small.folder / "train", tmp_path / "train")
    shutil.copy(small.folder / "net.safetensors", tmp_path)
    return tmp_path


def train(small: SmallRun, out: Path, *changes: str) -> int:
    return call(["train", "--data", small.pictures, *SETTINGS, *changes, "--out", str(out)])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (("--epochs", "1"), "number of epochs"),
        (("--seed", "1"), "plan and initial weights"),
        (("--width", "0.5"), "net"),
        (("--name", "others"), "contract"),
        (("--net", "mobilenet_v3_large"), "net"),
    ],
)
def test_another_training_is_refused_by_name_and_leaves_all_as_it_was(
    small: SmallRun, trained: Path, capfd: Capture, changes: tuple[str, ...], named: str
) -> None:
    files = [trained / "net.safetensors", trained / "train" / "checkpoint.pt"]
    before = [file.read_bytes() for file in files]
    assert train(small, trained, *changes) == 2
    error, hint = capfd.readouterr().err.splitlines()[-2:]
    assert "found a finished training of 2 epochs, with other" in error and named in error
    assert "--overwrite" in hint
    assert [file.read_bytes() for file in files] == before


def test_the_same_command_gives_the_finished_result_again(small: SmallRun, trained: Path, capfd: Capture) -> None:
    before = (trained / "net.safetensors").read_bytes()
    assert train(small, trained) == 0
    assert "going on after epoch 2 of 2" in capfd.readouterr().err
    assert (trained / "net.safetensors").read_bytes() == before


def test_overwrite_replaces_it(small: SmallRun, trained: Path) -> None:
    assert train(small, trained, "--seed", "1", "--overwrite") == 0
    header = read_header(trained / "net.safetensors")
    assert header is not None and header.settings["seed"] == 1


def test_a_net_without_its_training_is_not_replaced_either(small: SmallRun, trained: Path, capfd: Capture) -> None:
    shutil.rmtree(trained / "train")
    before = (trained / "net.safetensors").read_bytes()
    assert train(small, trained) == 2
    assert "found the net alone" in capfd.readouterr().err
    assert (trained / "net.safetensors").read_bytes() == before
    assert train(small, trained, "--overwrite") == 0


@pytest.mark.slow
def test_more_epochs_go_on_and_int8_training_follows_the_new_net(
    small: SmallRun, trained: Path, capfd: Capture
) -> None:
    net = trained / "net.safetensors"
    in_int8 = ["quantize", "--data", small.pictures, "--weights", str(net), "--calibration", "extremes"]
    in_int8 += ["--epochs", "1", "--out", str(trained)]
    assert call(in_int8) == 0
    assert train(small, trained, "--epochs", "3") == 0
    said = capfd.readouterr().err
    assert "the training of 2 epochs is finished: 1 more begin" in said
    assert "int8 training starts over" in said
    header = read_header(net)
    assert header is not None and [row["epoch"] for row in header.history] == [1, 2, 3]
    assert call(in_int8) == 0


@pytest.mark.slow
def test_int8_training_of_another_net_is_not_replaced_unasked(small: SmallRun, trained: Path, capfd: Capture) -> None:
    other = trained / "other"
    assert train(small, other, "--seed", "1") == 0
    common = ["--data", small.pictures, "--calibration", "extremes", "--epochs", "1", "--out", str(trained)]
    assert call(["quantize", "--weights", str(trained / "net.safetensors"), *common]) == 0
    program = (trained / "program.pt2").read_bytes()
    assert call(["quantize", "--weights", str(other / "net.safetensors"), *common]) == 2
    assert "with other teacher" in capfd.readouterr().err
    assert (trained / "program.pt2").read_bytes() == program
    assert call(["quantize", "--weights", str(other / "net.safetensors"), *common, "--overwrite"]) == 0
