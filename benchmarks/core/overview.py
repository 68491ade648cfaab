"""Writes the one table of all targets: every benchmark's rows, which of them are met, and why the others are not.

Run: python -m benchmarks.core.overview     from the existing results; `python -m benchmarks` ends with it
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from benchmarks.core.results_file import FOLDER, markdown
from benchmarks.core.targets import table_row
from mobile_sdk.system.atomic_files import write_text

PATH = FOLDER / "targets.md"


def write() -> None:
    """Writes `results/targets.md`."""
    write_text(PATH, page())


def page() -> str:
    """Returns the whole page: a count, the table, then the limits of unmet targets."""
    targets = all_targets()
    limits = [f"- {target['work']}: {target['limit']}" for target in targets if target["limit"] and not target["met"]]
    parts = [
        "# Targets\n",
        f"Written by `python -m benchmarks` from the files beside it: {counted()} met.\n",
        table(),
    ]
    return "\n".join([*parts, *(["\nNot met, and why:\n", *limits] if limits else [])]) + "\n"


def counted() -> str:
    """Returns how many of all targets are met, in words."""
    targets = all_targets()
    return f"{sum(bool(target['met']) for target in targets)} of {len(targets)}"


def table(benchmarks: Collection[str] = ()) -> str:
    """Returns every target as a row, named after its benchmark; only those of `benchmarks` if some are named."""
    chosen = [target for target in all_targets() if not benchmarks or target["benchmark"] in benchmarks]
    return markdown([{"benchmark": target["benchmark"], **table_row(target)} for target in chosen])


def all_targets() -> list[dict[str, Any]]:
    """Returns the targets in all results files, file by file."""
    return [{**target, "benchmark": path.stem} for path in _files() for target in _targets(path)]


def _files() -> list[Path]:
    return sorted(FOLDER.glob("*.json"))


def _targets(path: Path) -> list[dict[str, Any]]:
    targets: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")).get("targets", [])
    return targets


if __name__ == "__main__":
    write()
