"""Keeps a benchmark's result: its rows, with the machine and the versions."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.core.targets import Target, table_row
from mobile_sdk.system.atomic_files import write_text
from mobile_sdk.system.environment import describe_environment

FOLDER = Path(__file__).parents[1] / "results"


def write_result(
    name: str, rows: Sequence[Mapping[str, Any]], versions: Mapping[str, str], targets: Sequence[Target] = ()
) -> None:
    """Writes `results/<name>.json` and prints the rows, then the targets, as Markdown tables."""
    environment = describe_environment(versions).model_dump(mode="json")
    judged = [target.row() for target in targets]
    content = {"environment": environment, "rows": list(rows), "targets": judged}
    write_text(FOLDER / f"{name}.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    print(markdown(rows))
    if judged:
        print(f"\n{markdown([table_row(target) for target in judged])}")


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns the rows as a Markdown table, the first row's keys as its head."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([str(row[column]) for column in columns] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
