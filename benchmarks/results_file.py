"""How a benchmark's result is kept: its rows, with the machine and the versions beside them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mobile_sdk.atomic import write_text
from mobile_sdk.environment import describe_environment

FOLDER = Path(__file__).parent / "results"


def write_result(name: str, rows: Sequence[Mapping[str, Any]], versions: Mapping[str, str]) -> None:
    """Writes `results/<name>.json` and prints the rows as a Markdown table."""
    environment = describe_environment(versions).model_dump(mode="json")
    write_text(FOLDER / f"{name}.json", json.dumps({"environment": environment, "rows": list(rows)}, indent=1) + "\n")
    print(markdown(rows))


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a Markdown table, the first row's keys as its head."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([str(row[column]) for column in columns] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
