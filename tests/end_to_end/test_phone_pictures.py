"""The README's main way on pictures as phones write them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_sdk.bundle.golden.display_p3 import display_p3
from tests.support.command_line import mobile_sdk
from tests.support.pictures.phone_photographs import STORED

LABELS = ("mug", "plant")
ORIENTATIONS = (6, 8, 3, 1)
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
TINY = ("--net", "mobilenet_v3_small", "--width", "0.25", "--size", "32", "--epochs", "2", "--qat-epochs", "1")


def camera_roll(folder: Path) -> None:
    """Fifty pictures of two things, a film and a picture that cannot be read."""
    rng = np.random.default_rng(0)
    for number in range(50):
        label, orientation = LABELS[number % 2], ORIENTATIONS[number % 4]
        pixels = rng.integers(0, 90, (12, 16, 3), np.uint8)
        pixels[:, 8 * (number % 2) : 8 * (number % 2) + 8] += 120
        upright = Image.fromarray(pixels).resize((400, 300), Image.Resampling.BICUBIC)
        transpose = STORED[orientation]
        exif = Image.Exif()
        exif.update({0x0112: orientation, 0x010F: "Phone", 0x0110: "Pro Max", 0x0132: "2026:11:29 09:00:00"})
        exif.get_ifd(0x8769).update({0x927C: bytes(range(256)) * 8, 0x9003: "2026:11:29 09:00:00"})  # a maker's note
        exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)})
        file = folder / label / f"IMG_{number:04}{'.JPG' if number % 3 else '.jpeg'}"
        file.parent.mkdir(parents=True, exist_ok=True)
        (upright.transpose(transpose) if transpose is not None else upright).save(file, "JPEG", quality=88, exif=exif)
    (folder / "mug" / "IMG_0050.MOV").write_bytes(b"\x00\x00\x00\x14ftypqt  ")
    (folder / "mug" / ".DS_Store").write_bytes(b"Bud1")
    (folder / "plant" / "IMG_0051.HEIC").write_bytes(HEIC)


@pytest.mark.slow
def test_fifty_pictures_of_a_phone_go_the_whole_way_to_bundles_that_verify(tmp_path: Path) -> None:
    roll, out = tmp_path / "camera roll", tmp_path / "run"
    camera_roll(roll)
    arguments = ("run", "--data", str(roll), *TINY, "--out", str(out))
    refused = mobile_sdk(*arguments)
    assert refused.code == 3 and "found 1 of 51: plant/IMG_0051.HEIC" in refused.err
    (roll / "plant" / "IMG_0051.HEIC").unlink()
    done = mobile_sdk(*arguments)
    assert done.code == 0, done.err
    assert "left out 1 other file: 1 .mov" in done.err and "2 labels: mug (20+5), plant (20+5)" in done.err
    verdicts = json.loads((out / "verify.json").read_text())["verdicts"]
    assert [verdict["status"] for verdict in verdicts] == ["pass"] * 5
    for golden in (out / "bundles" / "camera_roll.tflite" / "golden").glob("*.png"):
        with Image.open(golden) as picture:
            assert 200 < picture.width <= 400 and 3 * picture.width == 4 * picture.height  # upright, and small enough
            assert golden.stat().st_size <= 90_000 and not picture.getexif()
            assert picture.info in ({}, {"icc_profile": display_p3()})  # the SDK's own profile, not the phone's
