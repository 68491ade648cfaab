"""The pages of the documentation, their fenced blocks, and a folder with the data that those speak of."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.pictures import box_exports, mask_exporters
from tests.support.repository import ROOT

DOCS = ROOT / "docs"
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
COLOURS = {"lime": (60, 220, 40), "plum": (120, 20, 90)}


@dataclass(frozen=True, kw_only=True)
class Block:
    """Holds a fenced block: the line that it begins at, its language ("" if none is said) and its text."""

    line: int
    language: str
    text: str


def pages() -> list[Path]:
    """Every Markdown page that people read; those of the site that stand for one of them are left out."""
    outside = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "android_demo/README.md", "ios_demo/README.md")]
    return [*outside, *(page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts)]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """Yields the blocks of a page, from the first to the last."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(line=line, language=found["language"].strip(), text=found["text"])


def lay_out_data(folder: Path) -> None:
    """Fills a folder with photos/, camera/, street/ and parts/: labelled, unlabelled, with boxes, with masks."""
    random = np.random.default_rng(0)
    for number in range(20):
        label = sorted(COLOURS)[number % 2]
        noise = random.integers(-20, 20, (96, 96, 3))
        picture = Image.fromarray(np.clip(np.array(COLOURS[label]) + noise, 0, 255).astype(np.uint8))
        for file in (folder / "photos" / label / f"{number}.jpg", folder / "camera" / f"IMG_{number:04}.jpg"):
            file.parent.mkdir(parents=True, exist_ok=True)
            picture.save(file)
    box_exports.coco_2017(folder / "street")
    mask_exporters.plain(folder / "parts")
