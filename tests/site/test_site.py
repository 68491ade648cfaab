"""The site builds without a warning: every page is in the navigation, every link and anchor leads somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.command_line import PAGE, page
from tests.support.pages.blocks import DOCS
from tests.support.repository import ROOT

BROKEN = "[a](own-net.md#nowhere) [b](nowhere.md) [c](../../examples/nowhere.json) [d](#nowhere)\n"


def build(source: Path, out: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", str(DOCS), str(source), str(out)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    done = build(DOCS, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    written = {path.relative_to(tmp_path).with_suffix(".md") for path in tmp_path.rglob("*.html")}
    assert {path.relative_to(DOCS) for path in DOCS.rglob("*.md") if "_build" not in path.parts} <= written
    for name, text in (
        ("guides/android-app.html", "The Android demo"),
        ("reference/python.html", 'id="mobile_sdk.open_bundle"'),
        ("guides/devices.html", 'href="android-app.html#scores-and-times-over-adb"'),
    ):
        assert text in (tmp_path / name).read_text(encoding="utf-8"), name


def test_a_link_or_an_anchor_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    guides = tmp_path / "docs/guides"
    guides.mkdir(parents=True)
    (guides.parent / "conf.py").write_text(
        (DOCS / "conf.py").read_text(encoding="utf-8").replace('["_static"]', "[]"), encoding="utf-8"
    )
    (guides.parent / "index.md").write_text(
        "# A\n\n```{toctree}\nguides/memory\nguides/own-net\n```\n", encoding="utf-8"
    )
    (guides / "own-net.md").write_text("# B\n", encoding="utf-8")
    (guides / "memory.md").write_text(f"# C\n{BROKEN}", encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(guides.parent), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(re.findall("myst.xref_missing", done.stderr)) == 4


def test_the_page_of_the_command_line_is_that_of_this_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it again: python docs/command_line.py"
