"""README says what is so: its figures are the results', its tree is the disk's, its code runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.core.readme import PAGES, filled, filled_page, page
from tests.support.repository import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, beginning: str) -> str:
    """The fenced block of that language that begins so."""
    (found,) = re.findall(rf"```{language}\n({re.escape(beginning)}.*?)```", README, flags=re.DOTALL)
    return found


def test_its_figures_are_those_of_the_results() -> None:
    assert filled(README) == README, "run: python -m benchmarks.core.readme"


def test_pages_quote_their_benchmarks() -> None:
    for name, marks in PAGES.items():
        text = page(name).read_text(encoding="utf-8")
        assert all(f"<!-- {mark} -->\n| " in text for mark in marks), name
        assert filled_page(name, text) == text, "run: python -m benchmarks.core.readme"


def test_its_tree_is_on_the_disk() -> None:
    folder, missing, entries = "", [], 0
    for line in block("", "qat/ ").splitlines():
        indent, name = re.match(r"( *)(\S+)", line).groups()
        folder = folder if indent else name
        path = ROOT / (folder + name if indent else name)
        entries += 1
        names = re.findall(r"[\w-]+\.md", line) if name == "docs/" else []
        missing += [str(each) for each in (path, *(path / page for page in names)) if not each.exists()]
    assert entries > 15
    assert not missing


def test_its_verbs_are_there() -> None:
    from mobile_sdk.cli.app import app

    verbs = {command.callback.__name__ for command in app.registered_commands}
    used = set(re.findall(r"^mobile-sdk (\w+)", README, flags=re.MULTILINE))
    assert len(used) > 3
    assert used <= verbs


@pytest.mark.slow
def test_its_python_runs_as_it_stands(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label, colour in (("lime", (60, 220, 40)), ("plum", (120, 20, 90))):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for index in range(10):
            noise = random.integers(-20, 20, (96, 96, 3))
            picture = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(picture).save(tmp_path / "photos" / label / f"{index}.jpg")
    code = block("python", "import mobile_sdk as sdk")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").stat().st_size > 10_000
    bundles = {path.name for path in (tmp_path / "bundles").iterdir()}
    assert bundles == {"fruit.executorch", "fruit.tflite", "fruit.coreml"}
