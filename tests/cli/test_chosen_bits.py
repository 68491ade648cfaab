"""`quantize --weight-bits auto` of a user's own net: what it says, what it writes, and what it refuses."""

import json
from pathlib import Path

import pytest

from mobile_sdk.cli.app import call
from mobile_sdk.program.program import Program
from tests.support.command_line import save_pictures

Capture = pytest.CaptureFixture[str]

MODULE = """
import torch
from torch import nn
from mobile_sdk.contract import ImageSpec

def net():
    torch.manual_seed(0)
    found = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 1), nn.ReLU(), nn.Conv2d(16, 16, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3),
    )
    found.image, found.labels = ImageSpec(size_px=16), ("left", "right", "dark")
    return found
"""
INT8_BYTES = 3 * 8 * 9 + 8 * 16 + 16 * 16 + 16 * 3


@pytest.fixture(scope="module")
def quantize(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command, up to its bits; the module lies where Python finds it."""
    folder = tmp_path_factory.mktemp("auto")
    (folder / "net_with_bits.py").write_text(MODULE, encoding="utf-8")
    save_pictures(folder / "pictures")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(folder)
        __import__("net_with_bits")
    return [
        *("quantize", "--model", "net_with_bits:net", "--data", str(folder / "pictures"), "--epochs", "0"),
        *("--calibration", "ranges"),
    ]


def test_the_command_says_the_choice_and_json_and_the_program_hold_it(
    quantize: list[str], tmp_path: Path, capfd: Capture
) -> None:
    asked = ["--weight-bits", "auto", "--max-mib", str((INT8_BYTES - 100) / 2**20), "--out", str(tmp_path)]
    assert call([*quantize, *asked]) == 0
    said = capfd.readouterr().out
    assert "bits of weights for at most" in said and "of 3 layers that can have them" in said
    assert "scores on 24 held-back images" in said
    assert call([*quantize, *asked, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    choice = found["bit_allocation"]
    assert choice["frontier"][0]["weight_bytes"] == INT8_BYTES
    assert choice["frontier"][choice["chosen"]]["weight_bytes"] <= INT8_BYTES - 100
    assert found["settings"]["weight_bits"]["asked"] == "auto"
    program = Program.load(tmp_path / "program.pt2")
    kept = program.record.bit_allocation
    assert kept is not None and kept.chosen == choice["chosen"]
    assert Program.load(tmp_path / "float.pt2").record.bit_allocation is None
    assert call(["inspect", str(tmp_path / "program.pt2")]) == 0
    assert "of 3 layers that can have them" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--weight-bits", "auto"),
            "expected one of --max-mib, --min-db and --min-accuracy beside --weight-bits auto, found none",
        ),
        (("--weight-bits", "auto", "--max-mib", "1", "--min-db", "9"), "found --max-mib and --min-db"),
        (("--min-accuracy", "0.9"), "expected --weight-bits auto beside --min-accuracy, found 8"),
        (("--max-mib", "1"), "expected --weight-bits auto beside --max-mib, found 8"),
        (("--weight-bits", "4", "--min-db", "9"), "expected --weight-bits auto beside --min-db, found 4"),
    ],
)
def test_auto_and_its_target_are_refused_without_each_other(
    quantize: list[str], tmp_path: Path, capfd: Capture, options: tuple[str, ...], told: str
) -> None:
    assert call([*quantize, *options, "--out", str(tmp_path / "out")]) == 2
    assert told in capfd.readouterr().err and not (tmp_path / "out").exists()


def test_what_no_bits_reach_is_refused_in_a_line(quantize: list[str], tmp_path: Path, capfd: Capture) -> None:
    asked = ["--weight-bits", "auto", "--out", str(tmp_path)]
    assert call([*quantize, *asked, "--max-mib", "0.00001"]) == 2
    assert "the weights with 4 bits wherever they can be, found 1e-05" in capfd.readouterr().err
    assert call([*quantize, *asked, "--min-db", "200"]) == 2
    said = capfd.readouterr().err
    assert "the SQNR with 3 layers in float32, found 200" in said and "3 layers in float32 brought " in said
    assert not (tmp_path / "program.pt2").exists()
