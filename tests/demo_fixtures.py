"""What the tests of both demo apps read: bundles, whole and damaged, pictures with their bytes, times with statistics.

Python writes all of it, so that Kotlin and Swift are held to Python. None of it is committed: it takes 75 MB and 9 s.

    bundles/<name>.<runtime>/    as `lower` writes them, in int8 and in float32; one says a limit of activations
    damaged/cases.json           [{"folder", "expects"}]: `expects` is the check that refuses the folder
    preprocess/cases.json        [{"name", "source", "width", "height", "image", "expected"}], raw RGB files beside it
    statistics.json              [{"samples_ms", "p50", "p90", "p99", "mad", "cv"}]
    summaries.json               [{"rounds_ms", "summary"}], as `stats.summarize` gives them
"""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bundles
import numpy as np
from damage import damages
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.bundle import open_bundle
from mobile_sdk.contract import ImageSpec
from mobile_sdk.manifest import BundleRefusalError
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.stats import summarize

RUNTIMES = ("executorch", "tflite", "coreml")
_SEED = 20261125
_SOME_SHAPES = ((1, 1), (1, 97), (97, 1), (16, 16), (17, 16), (15, 31), (640, 480), (333, 777))
_LARGE_SHAPES = ((4000, 3000), (1500, 4000))
_RANDOM_CASES = 40


def write_fixtures(folder: Path) -> None:
    """Writes everything below `folder`, which is made; the same to the byte every time."""
    _write_bundles(folder / "bundles")
    _write_damaged(folder / "damaged", folder / "bundles/test.tflite")
    _write_pictures(folder / "preprocess")
    _write_json(folder / "statistics.json", [_statistics(rounds) for rounds in _series()])
    summaries = [{"rounds_ms": rounds, "summary": summarize(rounds).model_dump(mode="json")} for rounds in _series()]
    _write_json(folder / "summaries.json", summaries)


def _write_bundles(folder: Path) -> None:
    for runtime in RUNTIMES:
        for int8 in (True, False):
            bundles.lowered(folder, runtime, int8=int8)
    in_strips = Path(shutil.copytree(folder / "test.coreml", folder / "test-strips.coreml"))
    bundles.forge(in_strips, lambda content: content.update(activation_limit_kib=735))


def _write_damaged(folder: Path, whole: Path) -> None:
    cases = []
    for index, (name, damage) in enumerate(damages().items()):
        case = f"{index:02d} {name}".replace(" ", "-")
        damage(Path(shutil.copytree(whole, folder / case)))
        cases.append({"folder": case, "expects": _check_that_refuses(folder / case)})
    _write_json(folder / "cases.json", cases)


def _check_that_refuses(folder: Path) -> str:
    try:
        open_bundle(folder)
    except BundleRefusalError as error:
        return error.check
    raise AssertionError(f"{folder.name} was not refused")


def _write_pictures(folder: Path) -> None:
    folder.mkdir(parents=True)
    random, cases = np.random.default_rng(_SEED), []
    for index, (width, height, spec) in enumerate(_picture_cases(random)):
        name = f"{width}x{height} {spec.fit} {spec.crop_share:g} to {spec.size_px}"
        picture = _picture(width, height, random)
        picture.tofile(folder / f"{index}.source.rgb")
        to_bytes(Image.fromarray(picture), spec).tofile(folder / f"{index}.expected.rgb")
        cases.append(
            {
                "name": name,
                "source": f"{index}.source.rgb",
                "width": width,
                "height": height,
                "image": spec.model_dump(mode="json"),
                "expected": f"{index}.expected.rgb",
            }
        )
    _write_json(folder / "cases.json", cases)


def _picture_cases(random: np.random.Generator) -> Iterator[tuple[int, int, ImageSpec]]:
    for width, height in _SOME_SHAPES:
        yield width, height, ImageSpec(size_px=16)
        yield width, height, ImageSpec(size_px=31, fit="stretch")
    for width, height in _LARGE_SHAPES:
        yield width, height, ImageSpec.torchvision()
    for _ in range(_RANDOM_CASES):
        width, height, size_px = (int(side) for side in random.integers((1, 1, 8), (300, 300, 260)))
        share = float(random.uniform(0.01, 1))
        yield width, height, ImageSpec(size_px=size_px, fit=random.choice(["crop", "stretch"]), crop_share=share)


def _picture(width: int, height: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Noise in all of its bytes; half of the pictures in black and white, whose sums reach both ends."""
    pixels = random.integers(0, 256, (height, width, 3), np.uint8)
    return np.where(pixels < 128, 0, 255).astype(np.uint8) if random.random() < 0.5 else pixels


def _series() -> list[list[list[float]]]:
    """Series as rounds of runs: one run, few, steady, scattered, drifting."""
    random = np.random.default_rng(_SEED)
    series = [[[1.25]], [[1.5], [2.5]], [[3.0, 1.0, 2.0]], [[2.0] * 4] * 10]
    for rounds, runs, spread in ((10, 1, 0.05), (12, 40, 0.02), (25, 7, 0.5), (100, 3, 0.1)):
        drift = np.linspace(1, 1.3, rounds)[:, None]
        series.append((4 * drift * random.lognormal(0, spread, (rounds, runs))).tolist())
    return series


def _statistics(rounds_ms: list[list[float]]) -> dict[str, Any]:
    summary = summarize(rounds_ms)
    return {
        "samples_ms": [sample for round_ms in rounds_ms for sample in round_ms],
        "p50": summary.p50_ms,
        "p90": summary.p90_ms,
        "p99": summary.p99_ms,
        "mad": summary.mad_ms,
        "cv": summary.cv_share,
    }


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_fixtures(Path(sys.argv[1]))
