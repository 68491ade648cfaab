"""Runs other programs for their output; a failure is one line that names the program and its last line of output."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from mobile_sdk.errors import MachineError
from mobile_sdk.system.child_process import tied


def run_command(command: Sequence[str], *, hint: str, environment: Mapping[str, str] | None = None) -> str:
    """Returns the output of `command`; raises MachineError with `hint` if it is missing or fails."""
    program = Path(command[0]).name
    try:
        done = subprocess.run(tied(command), capture_output=True, text=True, check=False, env=environment)
    except FileNotFoundError:
        raise MachineError(f"expected the program {program}, found none", hint=hint) from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise MachineError(f"expected {program} to succeed, found exit code {done.returncode}: {last}", hint=hint)
    return done.stdout
