"""Connects to Android phones, and to anything else that runs adbd, through the adb client."""

import shutil
from dataclasses import dataclass
from math import inf
from pathlib import Path

from mobile_sdk.devices.remote import Remote, call_or_fail
from mobile_sdk.errors import MachineError

HOW_TO_GET = "apt-get install adb"
_PUSH_S = 300.0
_STATES = {
    "offline": "it is offline: unplug it, or restart adb with adb kill-server",
    "no permissions": "this user may not open its USB port: install udev rules (apt-get install "
    "android-sdk-platform-tools-common), then unplug it and plug it in again",
    "unauthorized": "it is unauthorized: allow USB debugging in the dialog on its screen",
}


@dataclass(frozen=True, kw_only=True)
class Adb:
    """Connects to the device of one serial number."""

    serial: str
    folder: str = "/data/local/tmp"

    @property
    def name(self) -> str:
        """Returns the name as `--device` takes it."""
        return f"adb:{self.serial}"

    def unavailable(self) -> str | None:
        """Returns why it cannot be reached now, or None."""
        if shutil.which("adb") is None:
            return f"adb is not installed ({HOW_TO_GET})"
        found = serials()
        state = found.get(self.serial)
        if state is None:
            return f"no device of that serial is attached (attached: {', '.join(found) or 'none'})"
        return None if state == "device" else _STATES.get(state, f"its state is {state}")

    def words(self, *words: str) -> list[str]:
        """Returns an adb command for this device."""
        return ["adb", "-s", self.serial, *words]

    def command(self, script: str) -> list[str]:
        """Returns an `adb shell` command without a terminal, so that bytes pass unchanged."""
        return self.words("shell", "-T", script)

    def push(self, source: Path, target: str) -> None:
        """Copies with `adb push`; raises MachineError, which says so if the device is full.

        adb's client reports that reason only if it reads it before the daemon has closed the connection.
        """
        try:
            call_or_fail(self.words("push", str(source), target), self.name, _PUSH_S)
        except MachineError as error:
            needed_kib = sum(file.stat().st_size for file in (source, *source.rglob("*")) if file.is_file()) // 1024
            if self._free_kib() >= needed_kib:
                raise
            raise MachineError(
                f"expected {needed_kib} KiB free in {self.folder} on {self.name}, found: No space left on device",
                hint="remove what it does not need",
            ) from error

    def pull(self, source: str, target: Path) -> None:
        """Copies with `adb pull`."""
        call_or_fail(self.words("pull", source, str(target)), self.name, _PUSH_S)

    def _free_kib(self) -> float:
        """Returns the free space that `df` reports for the folder; infinite if its output cannot be read."""
        try:
            return int(call_or_fail(self.command(f"df -k {self.folder}"), self.name).splitlines()[-1].split()[3])
        except (MachineError, IndexError, ValueError):
            return inf


def serials() -> dict[str, str]:
    """Returns the serial number and state of every device that adb knows; empty if adb is not installed."""
    if shutil.which("adb") is None:
        return {}
    lines = call_or_fail(["adb", "devices"], "adb").splitlines()
    pairs = (tuple(line.split("\t", 1)) for line in lines if "\t" in line)
    return {serial: _state(told.strip()) for serial, told in sorted(pairs)}


def _state(told: str) -> str:
    """Returns adb's word for a state; "no permissions" alone is two, and an advice follows it."""
    return next((state for state in _STATES if told.startswith(state)), told.split(" ")[0])


def open_adb(serial: str | None) -> list[Remote]:
    """Returns the device of that serial, or without one all usable devices. Raises MachineError if none is usable."""
    if serial is not None:
        chosen = [Remote(connection=Adb(serial=serial))]
    else:
        chosen = [Remote(connection=Adb(serial=each)) for each, state in serials().items() if state == "device"]
    reasons = [reason for device in chosen if (reason := device.unavailable())]
    if not chosen:
        told = (_STATES.get(state, f"its state is {state}") for state in serials().values())
        reasons = [next(told, "no device is ready") if shutil.which("adb") else "adb is not installed"]
    if reasons:
        name = "adb" if serial is None else f"adb:{serial}"
        is_there = shutil.which("adb") is not None
        hint = "list what is there with adb devices" if is_there else f"install it, so that it is on PATH: {HOW_TO_GET}"
        raise MachineError(f"expected the device {name}, found that {reasons[0]}", hint=hint)
    return chosen
