"""`quantize --weight-bits auto` of a user's own net: what it says, what it writes, and what it refuses."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.cli.app import call
from mobile_sdk.graph.operators import Weighted
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


@pytest.mark.parametrize(
    ("target", "in_float"),
    [
        (("--max-mib", str((INT8_BYTES + 3 * 3 * 8 * 9 - 150) / 2**20), "--keep-float", "0"), ["0"]),
        (("--min-db", "46.5"), None),
    ],
)
def test_what_was_chosen_is_trained_on_exported_and_verified_to_the_step(
    quantize: list[str], tmp_path: Path, capfd: Capture, target: tuple[str, ...], in_float: list[str] | None
) -> None:
    data, out = quantize[quantize.index("--data") + 1], ("--out", str(tmp_path))
    assert call([*quantize, "--weight-bits", "auto", *target, "--epochs", "1", *out]) == 0
    said, program = capfd.readouterr().out, Program.load(tmp_path / "program.pt2")
    choice = program.record.bit_allocation
    assert choice is not None and program.record.quantized == "qat" and len(program.record.history) > 0
    kept: Any = program.record.settings["keep_float"]
    assert kept["layers"] == (in_float or list(choice.in_float)) and kept["layers"]
    assert f"kept in float32: {', '.join(kept['layers'])}" in said and not kept["order_dependent"]
    layers = {each.path: each for each in program.graph.operators if isinstance(each, Weighted)}
    assert choice.bits == {path: each.weight_bits for path, each in layers.items() if path in choice.bits}
    assert {path for path, each in layers.items() if each.output.quantization is None} == set(kept["layers"])
    if in_float:
        assert 4 in choice.bits.values() and not choice.in_float
    else:
        assert f"float32 in {len(choice.in_float)} layer" in said and ", 8 in all others, " in said
    to = ("--to", "tflite,executorch", "--data", data)
    assert call(["export", str(tmp_path / "program.pt2"), *to, "--out", str(tmp_path / "bundles")]) == 0
    capfd.readouterr()
    bundles = [str(each) for runtime in ("tflite", "executorch") for each in tmp_path.glob(f"bundles/*.{runtime}")]
    assert len(bundles) == 2
    verify = ("--program", str(tmp_path / "program.pt2"), "--data", data, "--json")
    assert call(["verify", *bundles, *verify, "--out", str(tmp_path / "verify.json")]) == 0
    verdicts = json.loads(capfd.readouterr().out)
    assert len(verdicts) == 2
    for verdict in verdicts:
        assert verdict["status"] == "pass" and verdict["comparison"]["elements"] > 0
        assert verdict["comparison"]["differing"] == 0 and verdict["comparison"]["max_steps"] == 0


def test_an_accuracy_is_said_with_the_images_that_chose_and_pictures_without_classes_are_refused(
    quantize: list[str], tmp_path: Path, capfd: Capture
) -> None:
    asked = ["--weight-bits", "auto", "--min-accuracy", "0.1", "--out", str(tmp_path)]
    assert call([*quantize, *asked]) == 0
    said, program = capfd.readouterr().out, Program.load(tmp_path / "program.pt2")
    choice, quality = program.record.bit_allocation, program.record.reference_quality
    assert choice is not None and quality is not None
    assert choice.accuracy_images == quality.images and choice.point.measured_accuracy == quality.value
    assert "bits of weights for an accuracy of at least 10.00%: 4 in 3 of 3 layers that can have them" in said
    assert f"accuracy on the {quality.images} held-out images that chose: {quality.value:.2%} after calibration" in said
    unlabelled = tmp_path / "unlabelled"
    unlabelled.mkdir()
    for file in Path(quantize[quantize.index("--data") + 1]).glob("*/*.png"):
        shutil.copy(file, unlabelled / f"{file.parent.name}-{file.name}")
    assert call([*quantize, "--data", str(unlabelled), *asked, "--out", str(tmp_path / "out")]) == 2
    assert "expected held-out pictures with classes for --min-accuracy, found" in capfd.readouterr().err
