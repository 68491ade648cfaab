"""Calls `xcrun devicectl`, Xcode's program for iPhones, whose answers are JSON files.

Its options are those of `xcrun devicectl help`; the fields that are read here are those that coremltools 9 reads
(models/ml_program/experimental/remote_device.py), and the states of locking and of processes.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_sdk.errors import MachineError
from mobile_sdk.system.commands import answer_of
from mobile_sdk.system.temporary_folder import scratch_folder

_PATIENCE_S = 120.0
_KINDS = ("iPhone", "iPad")


@dataclass(frozen=True, kw_only=True)
class Phone:
    """Describes a phone that this Mac knows; `reason` says why it cannot be used now, None if it can."""

    identifier: str
    udid: str
    name: str
    product: str  # such as iPhone17,1
    system: str
    reason: str | None

    def is_called(self, name: str) -> bool:
        """Tells whether `name` is one of its names."""
        return name in (self.identifier, self.udid, self.name)


def unavailable() -> str | None:
    """Returns why no iPhone can be reached from this machine, or None."""
    if shutil.which("xcrun") is None:
        return "xcrun is not on the path: iPhones are reached from a Mac with Xcode"
    return None


def phones() -> list[Phone]:
    """Returns every phone and tablet that this Mac knows. Raises MachineError off a Mac, or without Xcode."""
    if reason := unavailable():
        raise MachineError(f"expected devicectl, found that {reason}", hint="use a Mac with Xcode 15 or later")
    found = call("list", "devices").get("devices", [])
    return [_phone(each) for each in found if each.get("hardwareProperties", {}).get("deviceType") in _KINDS]


def call(*words: str, timeout_s: float = _PATIENCE_S) -> Mapping[str, Any]:
    """Returns the `result` that devicectl answers with; raises MachineError with what it says of a failure."""
    with scratch_folder() as scratch:
        answer = scratch / "answer.json"
        command = ["xcrun", "devicectl", *words, "--quiet", "--json-output", str(answer)]
        late = f"devicectl {' '.join(words[:3])} to end"
        hint = "unplug the phone and plug it in again"
        done = answer_of(command, patience_s=timeout_s, late=late, hint=hint)
        content = _read(answer)
    if done.returncode or "result" not in content:
        raise MachineError(
            f"expected devicectl {' '.join(words[:3])} to succeed, found: {_said(content, done.stderr)}",
            hint="look at the phone's screen: unlock it, trust this Mac, switch Developer Mode on",
        )
    result: Mapping[str, Any] = content["result"]
    return result


def _read(answer: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(answer.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _said(content: Mapping[str, Any], stderr: str) -> str:
    """Returns the words of an error: those of Apple's JSON, or the line that says ERROR, or the last one."""
    info = content.get("error", {}).get("userInfo", {})
    for key in ("NSLocalizedFailureReason", "NSLocalizedDescription"):
        if isinstance(text := info.get(key, {}), dict) and text.get("string"):
            return str(text["string"])
    lines = [line.strip() for line in stderr.splitlines() if line.strip()] or ["nothing"]
    return next((line.partition(": ")[2] for line in lines if line.startswith("ERROR: ")), lines[-1])


def _phone(found: Mapping[str, Any]) -> Phone:
    hardware, device = found.get("hardwareProperties", {}), found.get("deviceProperties", {})
    connection = found.get("connectionProperties", {})
    return Phone(
        identifier=str(found.get("identifier", "")),
        udid=str(hardware.get("udid", "")),
        name=str(device.get("name", "")),
        product=str(hardware.get("productType", "unknown")),
        system=f"iOS {device.get('osVersionNumber', 'unknown')}",
        reason=_why_not(connection, device),
    )


def _why_not(connection: Mapping[str, Any], device: Mapping[str, Any]) -> str | None:
    """Returns why a phone cannot be used. One that is paired connects itself when it is asked ("disconnected")."""
    if connection.get("pairingState", "paired") != "paired":
        return "it does not trust this Mac: unlock it and confirm"
    if connection.get("tunnelState") == "unavailable":
        return "it is not attached: plug it in, or join its network"
    if device.get("developerModeStatus") == "disabled":
        return "its Developer Mode is off: Settings, Privacy & Security"
    return None
