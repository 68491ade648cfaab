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
    columns = list(rows[0])
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(str(row[column]) for column in columns) + " |")
