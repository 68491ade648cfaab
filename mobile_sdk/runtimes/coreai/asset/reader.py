"""Reads a model in a process of its own: `python -m mobile_sdk.runtimes.coreai.asset.reader PATH` prints it as JSON.

Apple's reader of bytecode raises exceptions of C++ that end the process.
"""

import json
import sys
from pathlib import Path
from typing import Any

from mobile_sdk.errors import BundleError, MachineError, SdkError
from mobile_sdk.runtimes.coreai.asset.contents import damaged, read_file
from mobile_sdk.system.commands import run_command

_REFUSED = "refused"


def read_apart(path: Path) -> dict[str, Any]:
    """Returns the `program` of a model as plain data, its `rest` and its `metadata`; raises BundleError if damaged."""
    command = [sys.executable, "-m", __name__, str(path)]
    try:
        said = run_command(command, hint="export it again")
    except MachineError as error:
        raise damaged(path, f"Apple's reader fails on it: {error.message}") from error
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    if _REFUSED in found:
        raise BundleError(found[_REFUSED], hint=found["hint"])
    return found


def read_here(path: Path) -> dict[str, Any]:
    """Returns the same, read in this process: for a folder that it wrote itself."""
    contents = read_file(path)
    return {"program": contents.program.plain(), "rest": dict(contents.rest), "metadata": dict(contents.metadata)}


def main(path: str) -> None:
    """Prints what the folder holds, or why it is refused."""
    try:
        found = read_here(Path(path))
    except SdkError as error:
        found = {_REFUSED: error.message, "hint": error.hint}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
