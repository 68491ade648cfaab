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
from docs.published_readme import with_absolute_links
from mobile_sdk.program.program import Program
from tests.support.command_line import mobile_sdk
from tests.support.repository import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
OVERVIEW = (ROOT / "docs" / "concepts" / "overview.md").read_text(encoding="utf-8")
MOST_LINES = 150


def block(language: str, beginning: str, page: str = README) -> str:
    """The fenced block of that language that begins so."""
    (found,) = re.findall(rf"```{language}\n({re.escape(beginning)}.*?)```", page, flags=re.DOTALL)
    return found


def save_fruit(folder: Path) -> None:
    """Ten pictures of each of two labels, told apart by their colour."""
    random = np.random.default_rng(0)
    for label, colour in (("lime", (60, 220, 40)), ("plum", (120, 20, 90))):
        (folder / label).mkdir(parents=True)
        for index in range(10):
            noise = random.integers(-20, 20, (96, 96, 3))
            picture = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(picture).save(folder / label / f"{index}.jpg")


def run_python(code: str, folder: Path) -> str:
    """Runs a script in this folder and returns what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


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
    used = set(re.findall(r"^mobile-sdk (\w+)", README + OVERVIEW, flags=re.MULTILINE))
    assert len(used) > 3
    assert used <= verbs


def test_it_is_short_and_says_what_it_is() -> None:
    assert len(README.splitlines()) <= MOST_LINES
    assert "quantization-aware training" in README.split("![")[0]


def test_every_link_and_picture_is_on_the_disk() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README) + re.findall(r'src(?:set)?="([^"]+)"', README)
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_on_the_packages_page_every_link_and_picture_is_absolute() -> None:
    source = "https://example.org/sdk"
    text = with_absolute_links(README, source)
    targets = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text)
    assert len(targets) > 20
    assert [target for target in targets if not target.startswith(("https:", "#"))] == []
    assert f"({source}/raw/main/docs/concepts/overview.svg)" in text
    assert f"({source}/blob/main/docs/project/results.md#limits)" in text


def test_what_is_not_published_is_installed_from_the_clone() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    assert [page.name for page in pages if "mobile-sdk[" in page.read_text(encoding="utf-8")] == []


@pytest.mark.slow
def test_its_python_gives_what_the_command_gives(tmp_path: Path) -> None:
    save_fruit(tmp_path / "photos")
    said = run_python(block("python", "import mobile_sdk as sdk"), tmp_path)
    assert re.search(r"^int8: top-1 accuracy [\d.]+% of 4 images$", said, re.MULTILINE)
    assert re.search(
        r"^Verdict\('photos\.tflite', pass, 0 steps apart, 4 pictures, checks: \d+ pass\)$", said, re.MULTILINE
    )
    (command,) = re.findall(r"These lines do what `mobile-sdk ([^`]+)` does", README)
    done = mobile_sdk(*command.split(), "--out", "runs/command", cwd=tmp_path)
    assert done.code == 0, done.err
    by_python, by_command = (Program.load(tmp_path / "runs" / name / "program.pt2") for name in ("photos", "command"))
    assert by_python.digest() == by_command.digest()
    of_both = [{path.name for path in (tmp_path / "runs" / name).iterdir()} for name in ("photos", "command")]
    assert of_both[0] == of_both[1]


@pytest.mark.slow
def test_the_steps_in_python_run_as_they_stand(tmp_path: Path) -> None:
    save_fruit(tmp_path / "photos")
    run_python(block("python", "import mobile_sdk as sdk", OVERVIEW), tmp_path)
    assert (tmp_path / "report.html").stat().st_size > 10_000
    bundles = {path.name for path in (tmp_path / "bundles").iterdir()}
    assert bundles == {"fruit.executorch", "fruit.tflite", "fruit.coreml"}
