"""Runs other programs for their output; a failure is one line that names the program and its last line of output."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from mobile_sdk.errors import MachineError
from mobile_sdk.system.child_process import tied


def run_command(
    command: Sequence[str], *, hint: str, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> str:
    """Returns the output of `command`, which runs in `folder` if one is given.

    Raises MachineError with `hint` if it is missing or fails.
    """
    program = Path(command[0]).name
    try:
        done = subprocess.run(tied(command), capture_output=True, text=True, check=False, env=environment, cwd=folder)
    except FileNotFoundError:
        raise MachineError(f"expected the program {program}, found none", hint=hint) from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise MachineError(f"expected {program} to succeed, found exit code {done.returncode}: {last}", hint=hint)
    return done.stdout


def answer_of(command: Sequence[str], *, patience_s: float, late: str, hint: str) -> subprocess.CompletedProcess[str]:
    """Returns what `command` said and its exit code; it gets no input, and other bytes than UTF-8 are replaced.

    Raises MachineError if it is missing, and if it runs longer than `patience_s`: `late` says then what was expected
    within that time ("adb:1 to answer").
    """
    try:
        return subprocess.run(
            tied(command),
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=patience_s,
        )
    except FileNotFoundError:
        raise MachineError(f"expected the program {command[0]}, found none", hint=f"install {command[0]}") from None
    except subprocess.TimeoutExpired:
        raise MachineError(f"expected {late} within {patience_s:.0f} s, found it still busy", hint=hint) from None
