"""Measures the cost of hashing every training byte before a training, beside the check that a folder needs anyhow.

Run: python -m benchmarks.speed.content_hashes

A folder of 2,000 JPEG files of 640 × 480 px, some 100 KB each, is written just before, so that the system still holds
them in memory: a disk or a network adds its time to both. It takes the median of five rounds.
"""

import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.core.results_file import write_result
from mobile_sdk.system.environment import installed_versions
from mobile_sdk.system.temporary_folder import scratch_folder
from qat.data.pictures import load_folder

FILES, LABELS, ROUNDS = 2000, 2, 5
LARGE = 100_000  # photographs, for which the times are given too


def main() -> None:
    """Writes the folder, then times loading and hashing in turn."""
    with scratch_folder() as folder:
        _write(folder)
        size = sum(path.stat().st_size for path in folder.rglob("*.jpg"))
        times = [_round(folder) for _ in range(ROUNDS)]
    rows = []
    for name, each in zip(
        ("load_folder, which checks every file", "hash of all bytes"), zip(*times, strict=True), strict=True
    ):
        spent_s = median(each)
        rows.append(
            {
                "work": name,
                "MB/s": round(size / 1e6 / spent_s),
                "files/s": round(FILES / spent_s),
                f"s for {LARGE:,} files": round(LARGE / FILES * spent_s),
            }
        )
    write_result("content_hashes", rows, installed_versions(("mobile-sdk", "pillow")))


def _row(work: str, spent_s: float, size_bytes: int) -> dict[str, Any]:
    return {
        "work": work,
        "MB/s": round(size_bytes / 1e6 / spent_s),
        "files/s": round(FILES / spent_s),
        f"s for {LARGE:,} files": round(LARGE / FILES * spent_s),
    }


def _round(folder: Path) -> tuple[float, float]:
    begun = time.perf_counter()
    pictures = load_folder(folder)
    loaded = time.perf_counter()
    for part in (pictures.train, pictures.validation):
        part.pictures_hash()
    return loaded - begun, time.perf_counter() - loaded


def _write(folder: Path) -> None:
    random = np.random.default_rng(0)
    for index in range(FILES):
        path = folder / str(index % LABELS) / f"{index}.jpg"
        path.parent.mkdir(exist_ok=True)
        coarse = Image.fromarray(random.integers(0, 256, (120, 160, 3), dtype=np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(path, quality=90)


if __name__ == "__main__":
    main()
