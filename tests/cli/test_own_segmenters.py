"""`mobile-sdk quantize --task segmentation` takes a user's own segmenter and pictures with masks, the whole way."""

import json
from pathlib import Path

import numpy as np
import pytest

from mobile_sdk.cli.app import call
from mobile_sdk.program.program import Program
from tests.support.pictures.mask_exporters import save, write

Capture = pytest.CaptureFixture[str]
SIDE_PX = 16
LABELS = ("red", "green", "blue")

MODULE = """
import torch
from torch import nn
from mobile_sdk.contract import ImageSpec

class Colours(nn.Module):
    '''A pixel's scores are its colours.'''
    def __init__(self, last=None):
        super().__init__()
        self.scores, self.last = nn.Conv2d(3, 3, 1, bias=False), last
        self.image = ImageSpec(size_px=16, fit="stretch")
        with torch.no_grad():
            self.scores.weight.copy_(torch.eye(3)[..., None, None])
    def forward(self, x):
        scores = self.scores(x)
        return {None: lambda: scores, "softmax": lambda: scores.softmax(1), "dict": lambda: {"out": scores},
                "argmax": lambda: scores.argmax(1), "half": lambda: scores[..., ::2, ::2],
                "two": lambda: scores[:, :2]}[self.last]()

def net(): return Colours()
def softmax(): return Colours("softmax")
def held(): return Colours("dict")
def argmax(): return Colours("argmax")
def half(): return Colours("half")
def two(): return Colours("two")
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Pictures whose pixels are red, green or blue, and masks that say so; a module with nets is importable."""
    write(tmp_path / "nets" / "own_segmenters.py", MODULE)
    monkeypatch.syspath_prepend(tmp_path / "nets")
    root = tmp_path / "stripes"
    write(root / "labels.txt", "\n".join(LABELS))
    for index in range(10):
        mask = np.random.default_rng(index).integers(0, 3, (SIDE_PX, SIDE_PX)).astype(np.uint8)
        save((np.eye(3, dtype=np.uint8) * 255)[mask], root / "images" / f"{index}.png")
        save(mask, root / "masks" / f"{index}.png")
    return str(root)


def quantized(name: str, data: str, out: Path, *options: str) -> int:
    return call(
        [
            *("quantize", "--model", f"own_segmenters:{name}", "--task", "segmentation", "--data", data),
            *("--out", str(out), "--json", *options),
        ]
    )


@pytest.mark.parametrize("name", ["net", "softmax", "held", "argmax"])
def test_a_users_own_segmenter_is_measured_by_masks(name: str, data: str, tmp_path: Path, capfd: Capture) -> None:
    assert quantized(name, data, tmp_path / "out") == 0
    record = json.loads(capfd.readouterr().out)
    assert record["float_quality"] == record["reference_quality"]
    assert (record["float_quality"]["measure"], record["float_quality"]["value"]) == ("mean IoU", 1.0)
    assert Program.load(tmp_path / "out" / "program.pt2").contract.labels == LABELS


def test_its_bundle_passes_on_pictures_with_masks(data: str, tmp_path: Path, capfd: Capture) -> None:
    assert quantized("net", data, tmp_path, "--epochs", "1") == 0
    assert (
        call(["export", str(tmp_path / "program.pt2"), "--data", data, "--to", "tflite", "--out", str(tmp_path)]) == 0
    )
    capfd.readouterr()
    bundle = str(tmp_path / "stripes.tflite")
    checked = ("--data", data, "--out", str(tmp_path / "verify.json"), "--json")
    assert call(["verify", bundle, "--program", str(tmp_path / "program.pt2"), *checked]) == 0
    (verdict,) = json.loads(capfd.readouterr().out)
    outcomes = {check["name"]: check["outcome"] for check in verdict["checks"]}
    assert outcomes["steps apart"] == "pass" and "fail" not in outcomes.values()
    assert verdict["quality"]["value"] == 1.0


@pytest.mark.parametrize(
    ("name", "options", "code", "message"),
    [
        ("half", (), 4, "expected own_segmenters:half to give scores (2, labels, 16, 16) for two pictures, found"),
        ("two", (), 4, "expected 3 scores a pixel, one a label, found 2"),
        ("net", ("--size", "32"), 0, ""),
        ("net", ("--labels", "coco"), 3, "expected 3 labels in coco, found 80"),
        ("net", ("--data", "none"), 2, "expected pictures with masks for segmentation, found --data none"),
        ("net", ("--task", "detection"), 2, "--task features takes its raw maps; mobile_sdk.detect_anchor_free"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    name: str, options: tuple[str, ...], code: int, message: str, data: str, tmp_path: Path, capfd: Capture
) -> None:
    assert quantized(name, data, tmp_path / "out", *options) == code
    assert message in capfd.readouterr().err
