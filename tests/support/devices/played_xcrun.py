"""A program `xcrun` that plays `devicectl` and the demo app behind it, as Apple and the app's README document them.

Its state is a folder: `state.json` says what is attached and how the app behaves, `container/` is the app's own folder,
`recorded/` holds the answers, `calls` every call. Copying a folder puts its content where the destination says, as
Xcode 15 and 16 do; with `nests` the folder itself, as `cp -r` does into a folder that exists.
"""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

VARIABLE = "PLAYED_XCRUN"
IDENTIFIER, UDID, APP = "5A6B7C8D-0000-5000-8000-00000000000A", "00008140-000000000000801C", "com.example.Demo"
PROCESS = 4242
DEVICE: dict[str, Any] = {
    "identifier": IDENTIFIER,
    "connectionProperties": {"pairingState": "paired", "tunnelState": "disconnected", "transportType": "wired"},
    "deviceProperties": {
        "name": "A phone",
        "osVersionNumber": "18.5",
        "developerModeStatus": "enabled",
        "ddiServicesAvailable": True,
    },
    "hardwareProperties": {
        "deviceType": "iPhone",
        "platform": "iOS",
        "productType": "iPhone17,1",
        "reality": "physical",
        "udid": UDID,
    },
}


class FailedError(Exception):
    """The error that devicectl writes, and its words."""


def install(folder: Path, state: Path) -> Path:
    """Writes the program into `folder`, which goes on PATH, with its state in `state`; returns the state's file."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "xcrun"
    program.write_text(f'#!/bin/sh\n{VARIABLE}={state} exec {sys.executable} -S -E {__file__} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    (state / "container").mkdir(parents=True)
    (state / "recorded").mkdir()
    file = state / "state.json"
    content = {"devices": [DEVICE], "apps": [APP], "locked": False, "behaviour": "answers", "nests": False}
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def record(state: Path, given: bytes, answer: bytes) -> None:
    """Makes the app answer that to an input."""
    (state / "recorded" / hashlib.sha256(given).hexdigest()).write_bytes(answer)


def main(arguments: list[str]) -> int:
    """Answers one call, as JSON in a file; a failure is in it, too, and on standard error."""
    home = Path(os.environ[VARIABLE])
    with (home / "calls").open("a", encoding="utf-8") as calls:
        calls.write(json.dumps(arguments) + "\n")
    assert arguments[0] == "devicectl", arguments
    words, options = _parse(arguments[1:])
    state = json.loads((home / "state.json").read_text(encoding="utf-8"))
    info = {"commandType": "devicectl." + ".".join(words[:3]), "jsonVersion": 2}
    try:
        known = {device["identifier"] for device in state["devices"]}
        if words[0] == "device" and options["--device"] not in known:
            raise FailedError("The specified device was not found.")
        answer: dict[str, Any] = {"info": info | {"outcome": "success"}, "result": _result(home, state, words, options)}
    except FailedError as error:
        told = {"NSLocalizedDescription": {"string": str(error)}}
        failure = {"code": 1000, "domain": "com.apple.dt.CoreDeviceError", "userInfo": told}
        answer = {"info": info | {"outcome": "failed"}, "error": failure}
        print(f"ERROR: {error} (com.apple.dt.CoreDeviceError error 1000 (0x3E8))", file=sys.stderr)
    Path(options["--json-output"]).write_text(json.dumps(answer), encoding="utf-8")
    return 0 if "result" in answer else 1


def _parse(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    words, options, rest = [], {}, iter(arguments)
    for word in rest:
        if word in ("--quiet", "--terminate-existing"):
            options[word] = ""
        elif word.startswith("--"):
            options[word] = next(rest)
        else:
            words.append(word)
    return words, options


def _result(home: Path, state: dict[str, Any], words: list[str], options: dict[str, str]) -> dict[str, Any]:
    match words:
        case ["list", "devices"]:
            return {"devices": state["devices"]}
        case ["device", "info", "lockState"]:
            return {"passcodeRequired": state["locked"], "unlockedSinceBoot": True}
        case ["device", "info", "apps"]:
            found = [app for app in state["apps"] if app == options["--bundle-id"]]
            return {"apps": [{"bundleIdentifier": app} for app in found]}
        case ["device", "info", "processes"]:
            alive = (home / "alive").exists()
            return {"runningProcesses": [{"processIdentifier": PROCESS}] if alive else []}
        case ["device", "copy", way]:
            assert options["--domain-type"] == "appDataContainer" and options["--domain-identifier"] in state["apps"]
            return _copied(home, way, options, nests=state["nests"])
        case ["device", "process", "launch", app]:
            assert app in state["apps"] and "--terminate-existing" in options
            _launched(home, state, urlparse(options["--payload-url"]))
            return {"process": {"processIdentifier": PROCESS, "executable": "file:///Demo.app/Demo"}}
    raise AssertionError(words)


def _copied(home: Path, way: str, options: dict[str, str], *, nests: bool) -> dict[str, Any]:
    source, destination = options["--source"], options["--destination"]
    if way == "to":
        target = home / "container" / destination
        shutil.copytree(source, target / Path(source).name if nests else target, dirs_exist_ok=True)
    else:
        there = home / "container" / source
        if not there.is_file():
            raise FailedError(f"The file “{there.name}” couldn’t be opened because there is no such file.")
        shutil.copyfile(there, destination)
    return {"source": source, "destination": destination}


def _launched(home: Path, state: dict[str, Any], url: Any) -> None:
    """Does what the app does with a URL."""
    requests = home / "container/Documents/mobile-sdk"
    assert url.scheme == "mobilesdkdemo"
    if url.netloc == "forget":
        shutil.rmtree(requests, ignore_errors=True)
        (home / "alive").unlink(missing_ok=True)
        return
    fields = {name: values[0] for name, values in parse_qs(url.query).items()}
    folder = requests / fields["request"]
    given = folder / folder.name if (folder / folder.name).is_dir() else folder
    if state["behaviour"] == "crashes":
        return
    (home / "alive").touch()
    if state["behaviour"] == "hangs":
        return
    if url.netloc == "score":
        inputs, size = (given / "inputs").read_bytes(), state["input_bytes"]
        each = [inputs[start : start + size] for start in range(0, len(inputs), size)]
        answers = [(home / "recorded" / hashlib.sha256(one).hexdigest()).read_bytes() for one in each]
        (folder / "scores").write_bytes(b"".join(answers))
        result = {"pictures": len(each), "ran_on": "CPU", "threads": int(fields["threads"]), "versions": {"core": "1"}}
    else:
        names = sorted(path.name for path in (given / "bundles").iterdir())
        result = json.loads((home / "recorded/bench.json").read_text(encoding="utf-8"))
        result["measurements"] = [each for each in result["measurements"] if each["bundle"] in names]
        result["plan"] |= {"threads": int(fields["threads"]), "min_runs": int(fields["min_runs"])}
    if state["behaviour"] == "refuses":
        result = {"error": "BundleError", "message": "hash: expected 'model.pte' as listed", "hint": "send it again"}
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
