"""Asks the demo app on an iPhone for scores or times: files go in, the app is started by its URL, and files come out.

A request has a folder of its own in the app's Documents, named by 32 hexadecimal digits. The app writes its result last
and renames it into place, so a result that can be copied is whole; ios_demo/README.md says what lies there.
"""

import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from mobile_sdk.devices.ios import devicectl
from mobile_sdk.devices.ios.devicectl import Phone, call
from mobile_sdk.devices.runner.staging import error_in
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.system.temporary_folder import scratch_folder

IOS = "ios"
APP_VARIABLE = "MOBILE_SDK_IOS_APP"
_SIGNING = (Path("ios_demo/Config/Signing.xcconfig"), Path("Config/Signing.xcconfig"))
_COMMITTED_ID = "org.example.MobileSDKDemo"
_SCHEME = "mobilesdkdemo"
_FOLDER = "Documents/mobile-sdk"
_LOOK_EVERY_S = 3.0  # a look costs the phone little, and a benchmark has runs by the thousand


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Holds what the app wrote: `result` as it is, and the scores of a request for them."""

    result: bytes
    scores: bytes


def is_iphone(device: str) -> bool:
    """Tells whether `--device` names an iPhone: "ios", or "ios:NAME" if several are attached."""
    return device.partition(":")[0] == IOS


def app_id() -> str:
    """Returns the demo app's id: of the environment, of the checkout's signing, or the one that is committed."""
    if named := os.environ.get(APP_VARIABLE):
        return named
    for file in _SIGNING:
        with suppress(OSError):
            if found := re.search(r"^APP_BUNDLE_ID = (\S+)$", file.read_text(encoding="utf-8"), re.MULTILINE):
                return found[1]
    return _COMMITTED_ID


def choose_phone(device: str) -> Phone:
    """Returns the phone that `--device` names, if it can be used.

    Raises MachineError with the reason why none can, SettingError if there are several and none is named.
    """
    named, known = device.partition(":")[2], devicectl.phones()
    wanted = [phone for phone in known if not named or phone.is_called(named)]
    usable = [phone for phone in wanted if phone.reason is None]
    if len(usable) > 1:
        names = ", ".join(phone.identifier for phone in usable)
        raise SettingError(f"expected one iPhone, found {names}", hint=f"name one: --device {IOS}:IDENTIFIER")
    if not usable:
        reasons = [f"{phone.product}: {phone.reason}" for phone in wanted]
        raise MachineError(
            f"expected an iPhone for {device}, found {'; '.join(reasons) or 'none that this Mac knows'}",
            hint="list them with xcrun devicectl list devices",
        )
    return usable[0]


def check_ready(phone: Phone, app: str) -> None:
    """Raises MachineError for a phone that is locked, or that the app is not installed on."""
    if _is_locked(phone):
        raise MachineError(
            f"expected {phone.product} to be unlocked, found it locked", hint="unlock it, and leave it so until the end"
        )
    apps = call("device", "info", "apps", "--device", phone.identifier, "--bundle-id", app).get("apps", [])
    if not apps:
        raise MachineError(
            f"expected the app {app} on {phone.product}, found it not installed",
            hint=f"run ios_demo from Xcode once, or name its id in {APP_VARIABLE}",
        )


def ask(
    phone: Phone,
    app: str,
    action: str,
    bundles: Sequence[Path],
    *,
    inputs: bytes | None = None,
    fields: Mapping[str, str | int | float],
    timeout_s: float,
) -> Answer:
    """Returns what the app answers; nothing of the request stays on the phone.

    Raises the app's own error, and MachineError if it ends without an answer or does not answer within `timeout_s`.
    """
    name = uuid.uuid4().hex
    with scratch_folder() as scratch:
        staged = scratch / name
        for bundle in bundles:
            shutil.copytree(bundle, staged / "bundles" / bundle.name)
        if inputs is not None:
            (staged / "inputs").write_bytes(inputs)
        try:
            _copy("to", phone, app, str(staged), f"{_FOLDER}/{name}")
            process = _launch(phone, app, f"{_SCHEME}://{action}?{urlencode({**fields, 'request': name})}")
            result = _wait(phone, app, f"{_FOLDER}/{name}/result.json", scratch / "result.json", process, timeout_s)
            if error := error_in(result.decode(errors="replace"), f"{IOS} ({phone.product})"):
                raise error
            scores = b""
            if inputs is not None:
                _copy("from", phone, app, f"{_FOLDER}/{name}/scores", str(scratch / "scores"))
                scores = (scratch / "scores").read_bytes()
            return Answer(result=result, scores=scores)
        finally:
            with suppress(MachineError):  # the phone may be gone
                _launch(phone, app, f"{_SCHEME}://forget")


def read_result(answer: Answer) -> Mapping[str, Any]:
    """Returns the result of a request for scores; raises MachineError if it is none."""
    try:
        result = json.loads(answer.result)
        if isinstance(result, dict) and isinstance(result["pictures"], int):
            return result
    except (ValueError, KeyError):
        pass
    raise MachineError(
        "expected the app's result, found other JSON", hint="build the app and the SDK from one checkout"
    )


def _is_locked(phone: Phone) -> bool:
    """Tells whether the phone says that it is locked; an older Xcode cannot ask."""
    try:
        return call("device", "info", "lockState", "--device", phone.identifier).get("passcodeRequired") is True
    except MachineError:
        return False


def _copy(way: str, phone: Phone, app: str, source: str, destination: str) -> None:
    """Copies a file or a folder `to` the app's own folder, or `from` it."""
    domain = ("--domain-type", "appDataContainer", "--domain-identifier", app)
    ends = ("--source", source, "--destination", destination)
    call("device", "copy", way, "--device", phone.identifier, *domain, *ends, timeout_s=600.0)


def _launch(phone: Phone, app: str, url: str) -> int | None:
    """Starts the app anew with that URL; returns its process, None if devicectl does not tell."""
    words = ("device", "process", "launch", "--device", phone.identifier, "--terminate-existing")
    process = call(*words, "--payload-url", url, app).get("process", {}).get("processIdentifier")
    return process if isinstance(process, int) else None


def _wait(phone: Phone, app: str, source: str, target: Path, process: int | None, timeout_s: float) -> bytes:
    """Returns the file once the app has written it."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        alive = _is_alive(phone, process)  # asked before the file: an app that ends has written it
        with suppress(MachineError):
            _copy("from", phone, app, source, str(target))
            return target.read_bytes()
        if not alive:
            raise MachineError(
                f"expected the app on {phone.product} to write its result, found that it ended without one",
                hint="look at the phone's Settings, Privacy & Security, Analytics for what ended it",
            )
        if time.monotonic() > deadline_s:
            raise MachineError(
                f"expected the app on {phone.product} to end within {timeout_s:.0f} s, found no result",
                hint="unlock the phone, and leave the app on its screen",
            )
        time.sleep(_LOOK_EVERY_S)


def _is_alive(phone: Phone, process: int | None) -> bool:
    """Tells whether the app still runs, or true if nobody can tell. Raises MachineError if the phone is gone."""
    if process is None:
        return True
    running = call("device", "info", "processes", "--device", phone.identifier).get("runningProcesses", [])
    return any(each.get("processIdentifier") == process for each in running)
