"""Every path and every dotted name that the documents put in backticks is on the disk; decisions.md is history."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from pkgutil import resolve_name

import pytest

from tests.support.repository import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted(each for each in (ROOT / "docs").rglob("*.md") if each.name != "decisions.md")]
FOLDERS = ("mobile_sdk", "qat", "tests", "benchmarks", "docs", "examples", "android_demo", "ios_demo")
SOURCE = re.compile(r"\.(py|md|kt|swift|cpp)$")
PATH = re.compile(r"[\w.{}<>,*/-]+")
NAME = re.compile(r"(mobile_sdk|qat|tests|benchmarks)(\.\w+)+")
NOT_OURS = {"labelme2voc.py"}
TO_BE_WRITTEN = re.compile("keypoint", re.IGNORECASE)  # docs/project/adding.md shows what this task would add


def quoted(document: Path) -> Iterator[str]:
    """Yields what stands in backticks, fenced blocks apart."""
    prose = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", prose)


def alternatives(path: str) -> list[str]:
    """Returns the globs of a path: `{a,b}` is each of both, `<any>` is anything."""
    if found := re.search(r"\{([\w,]+)\}", path):
        each = [path.replace(found[0], choice, 1) for choice in found[1].split(",")]
        return [glob for choice in each for glob in alternatives(choice)]
    return [re.sub(r"<\w+>", "*", path)]


@cache
def is_there(glob: str) -> bool:
    """Tells whether a path of the repository is this one; a path to a source file may leave out its first folders."""
    if glob.split("/")[0] in FOLDERS:
        return any(ROOT.glob(glob))
    return any(found for folder in FOLDERS for found in (ROOT / folder).rglob(glob))


def is_name(dotted: str) -> bool:
    try:
        resolve_name(dotted)
    except (ImportError, AttributeError):
        return False
    return True


def missing(document: Path) -> list[str]:
    """Returns every path or name that is quoted and is nowhere."""
    found = []
    for text in quoted(document):
        is_path = PATH.fullmatch(text) and (SOURCE.search(text) or (text.split("/")[0] in FOLDERS and "/" in text))
        if NAME.fullmatch(text) and not SOURCE.search(text):
            found += [] if is_name(text) else [text]
        elif is_path and text not in NOT_OURS and not TO_BE_WRITTEN.search(text):
            found += [glob for glob in alternatives(text.rstrip("/")) if not is_there(glob)]
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_every_path_and_name_in_backticks_is_on_the_disk(document: Path) -> None:
    assert missing(document) == []


def test_a_path_or_name_that_is_nowhere_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`qat/nowhere`, `rules/nowhere.py`, `runtimes/{tflite,nowhere}/operators/<family>.py`, `qat.nowhere`\n"
    )
    assert missing(page) == ["qat/nowhere", "rules/nowhere.py", "runtimes/nowhere/operators/*.py", "qat.nowhere"]
