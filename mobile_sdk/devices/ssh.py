"""Connects to boards and other Linux machines over ssh.

The user's own ssh configuration sets port, key and the like.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.devices.remote import call_or_fail
from mobile_sdk.errors import MachineError

_CONNECT_S = 10
_PUSH_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Ssh:
    """Connects to `user@host`."""

    address: str
    folder: str = "/tmp"

    @property
    def name(self) -> str:
        """Returns the name as `--device` takes it."""
        return f"ssh:{self.address}"

    def unavailable(self) -> str | None:
        """Returns why it cannot be reached now, or None; it asks the device."""
        try:
            call_or_fail(self.command("exit 0"), self.name, 2 * _CONNECT_S)
        except MachineError as error:
            return error.message
        return None

    def command(self, script: str) -> list[str]:
        """Returns an `ssh` command that never asks for a password."""
        options = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_S}", "-o", "LogLevel=ERROR"]
        return ["ssh", *options, "--", self.address, script]

    def push(self, source: Path, target: str) -> None:
        """Sends an archive through a pipe: boards have tar, and not always sftp."""
        if source.is_file():
            self._send(["cat", str(source)], f"cat > {target}")
        else:
            self._send(["tar", "-C", str(source), "-cf", "-", "."], f"mkdir {target} && tar -C {target} -xf -")

    def pull(self, source: str, target: Path) -> None:
        """Reads the file through a pipe."""
        with target.open("wb") as file:
            done = subprocess.run(
                self.command(f"cat {source}"), stdout=file, stderr=subprocess.PIPE, check=False, timeout=_PUSH_S
            )
        self._check(done.returncode, done.stderr)

    def _send(self, source: list[str], script: str) -> None:
        with subprocess.Popen(source, stdout=subprocess.PIPE) as sender:
            done = subprocess.run(
                self.command(script), stdin=sender.stdout, capture_output=True, check=False, timeout=_PUSH_S
            )
            assert sender.stdout is not None
            sender.stdout.close()
        self._check(done.returncode, done.stderr)

    def _check(self, code: int, output: bytes) -> None:
        if code:
            last = (output.decode(errors="replace").strip() or f"exit code {code}").splitlines()[-1]
            raise MachineError(f"expected to reach {self.name}, found: {last}", hint="look at its free space")
