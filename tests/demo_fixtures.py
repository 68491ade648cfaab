"""What the tests of both demo apps read: bundles, whole and damaged, pictures with their bytes, times with statistics.

Python writes all of it, so that Kotlin and Swift are held to Python. None of it is committed: it takes 140 MB and 15 s.

    bundles/<name>.<runtime>/    as `lower` writes them, in int8 and in float32; one says a limit of activations
    detectors/<name>.<runtime>/  the same of a detector; the golden numbers of one are off by less than languages are
    segmenters/<name>.<runtime>/ of a segmenter; two are forged of a classifier: ten labels, and as many as there may be
    damaged/cases.json           [{"folder", "expects"}]: `expects` is the check that refuses the folder
    detections/cases.json        [{"name", "output", "labels", "rule", "size_px", "expected"}], float32 outputs beside
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
import detectors
import numpy as np
import segmenters
from damage import Damage, damages
from detection_cases import DetectionCase, detection_cases
from detector_damage import detector_damages, moved_scores
from numpy.typing import NDArray
from PIL import Image
from segmenter_bundles import forge_segmenter
from segmenter_damage import segmenter_damages

from mobile_sdk.benchmarking.statistics import summarize
from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.bundle.manifest import BundleRefusalError
from mobile_sdk.contract import MOST_MASK_LABELS, ImageSpec
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.tasks.detection import BOX_COLUMNS

RUNTIMES = ("executorch", "tflite", "coreml")
HAIR = 1e-8  # of a score; a golden detection may be off by 1e-6
_SEED = 20261125
_SOME_SHAPES = ((1, 1), (1, 97), (97, 1), (16, 16), (17, 16), (15, 31), (640, 480), (333, 777))
_LARGE_SHAPES = ((4000, 3000), (1500, 4000))
_RANDOM_CASES = 40


def write_fixtures(folder: Path) -> None:
    """Writes everything below `folder`, which is made; the same to the byte every time."""
    _write_bundles(folder / "bundles")
    _write_detectors(folder / "detectors")
    _write_segmenters(folder / "segmenters", folder / "bundles")
    damaged = [
        (folder / "bundles/test.tflite", damages()),
        (folder / "detectors/things.tflite", detector_damages()),
        (folder / "segmenters/parts.tflite", segmenter_damages()),
    ]
    _write_damaged(folder / "damaged", damaged)
    _write_detections(folder / "detections")
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


def _write_detectors(folder: Path) -> None:
    for runtime in RUNTIMES:
        lower(detectors.program(), folder, runtimes=[runtime], pictures=detectors.pictures())
    off = Path(shutil.copytree(folder / "things.tflite", folder / "off-by-a-hair.tflite"))
    moved_scores(off, by=HAIR)


def _write_segmenters(folder: Path, classifiers: Path) -> None:
    for runtime in RUNTIMES:
        lower(segmenters.program(), folder, runtimes=[runtime], pictures=segmenters.pictures())
    forge_segmenter(classifiers / "test.tflite", folder / "parts.tflite", labels=10)
    forge_segmenter(classifiers / "test.tflite", folder / "many-parts.tflite", labels=MOST_MASK_LABELS)


def _write_damaged(folder: Path, damaged: list[tuple[Path, dict[str, Damage]]]) -> None:
    cases = []
    every = [(whole, name, damage) for whole, named in damaged for name, damage in named.items()]
    for index, (whole, name, damage) in enumerate(every):
        case = f"{index:03d} {name}".replace(" ", "-").replace("'", "")
        damage(Path(shutil.copytree(whole, folder / case)))
        cases.append({"folder": case, "expects": _check_that_refuses(folder / case)})
    _write_json(folder / "cases.json", cases)


def _check_that_refuses(folder: Path) -> str:
    try:
        open_bundle(folder)
    except BundleRefusalError as error:
        return error.check
    raise AssertionError(f"{folder.name} was not refused")


def _write_detections(folder: Path) -> None:
    folder.mkdir(parents=True)
    cases = [_detection_case(folder / f"{index}.bin", case) for index, case in enumerate(detection_cases())]
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")


def _detection_case(file: Path, case: DetectionCase) -> dict[str, Any]:
    file.write_bytes(case.output.astype("<f4").tobytes())
    found = case.expected
    expected = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True)
    return {
        "name": case.name,
        "output": file.name,
        "labels": case.output.shape[1] - BOX_COLUMNS - 1,
        "rule": case.rule.model_dump(mode="json"),
        "size_px": case.size_px,
        "expected": [{"label_index": label, "score": score, "box_px": box} for label, score, box in expected],
    }


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
