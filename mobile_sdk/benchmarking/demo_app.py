"""Benchmarks in the demo app on a phone: an intent starts it, and its result file is pulled back over adb.

The app measures as the SDK's workers do and writes the same JSON, but with the runtime that is shipped. An app cannot
pin itself to cores and does not report its peak memory.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import ValidationError

from mobile_sdk import runtimes
from mobile_sdk.benchmarking.measurements import Measurement, Numbers, judge
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.devices.adb import Adb, open_adb
from mobile_sdk.devices.remote import call_or_fail
from mobile_sdk.devices.runner.staging import error_in
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.system.temporary_folder import scratch_folder

APP = "app"
PACKAGE = "mobilesdk.demo"
_ACTIVITY = f"{PACKAGE}/.screen.BenchmarkActivity"
_FOLDER = f"/sdcard/Android/data/{PACKAGE}/files"  # the app's own, the only one that adb may write and the app may read
_START_S = 60.0  # for the app's start on a slow phone
_LOOK_EVERY_S = 1.0


def is_app(device: str) -> bool:
    """Tells whether `--device` names the demo app: "app", or "app:SERIAL" if several phones are attached."""
    return device.partition(":")[0] == APP


def benchmark_in_app(
    bundles: Sequence[Bundle],
    device: str,
    *,
    threads: int,
    min_runs: int,
    quick: bool,
    max_ms: float | None,
    timeout_s: float,
    progress: Callable[[float, str], None],
) -> Numbers:
    """Measures the bundles one after the other; they are not interleaved, and so not compared.

    Raises SettingError if several phones are attached and none is named, MachineError if the phone or the app is
    missing or does not answer within `timeout_s` a bundle, and the app's own BundleError.
    """
    phone = _open(device)
    results, known = [], runtimes.in_apps("android")
    for index, bundle in enumerate(bundles):
        progress(index / len(bundles), f"{bundle.path.name} in the app")
        if bundle.manifest.runtime in known:
            results.append(phone.measure(bundle, threads, min_runs, quick, timeout_s))
    if not results:
        raise SettingError(
            f"expected bundles of {' or '.join(known)}, found none", hint="name a bundle that Android can run"
        )
    plan = results[0].plan.model_copy(update={"max_ms": max_ms})
    measured = {numbers.measurements[0].bundle: numbers.measurements[0] for numbers in results}
    measurements = tuple(judge(measured.get(each.path.name) or _no_runtime(each), plan) for each in bundles)
    update = {"device": phone.name, "plan": plan, "measurements": measurements, "state_after": results[-1].state_after}
    return results[0].model_copy(update=update)


def _open(device: str) -> "_Phone":
    members = open_adb(device.partition(":")[2] or None)
    if len(members) > 1:
        names = ", ".join(member.name for member in members)
        raise SettingError(f"expected one phone, found {names}", hint=f"name one: --device {APP}:SERIAL")
    connection = members[0].connection
    assert isinstance(connection, Adb)
    phone = _Phone(adb=connection)
    if PACKAGE not in phone.answer(f"pm path {PACKAGE} || true"):
        raise MachineError(
            f"expected the app {PACKAGE} on {phone.name}, found it not installed",
            hint="build android_demo and install it: ./gradlew installDebug",
        )
    return phone


def _no_runtime(bundle: Bundle) -> Measurement:
    return Measurement.of(bundle, not_run=f"Android has no runtime for {bundle.manifest.runtime}")


@dataclass(frozen=True, kw_only=True)
class _Phone:
    """Runs the app on one phone."""

    adb: Adb

    @property
    def name(self) -> str:
        """Returns the name as `--device` takes it."""
        return f"{APP}:{self.adb.serial}"

    def answer(self, script: str) -> str:
        """Returns the output of a script on the phone; raises MachineError if it fails."""
        return call_or_fail(self.adb.command(script), self.name)

    def measure(self, bundle: Bundle, threads: int, min_runs: int, quick: bool, timeout_s: float) -> Numbers:
        """Returns one bundle's numbers; nothing of the bundle stays on the phone."""
        with self._pushed(bundle) as (folder, out):
            extras = (
                f"--es bundle {folder}/{bundle.path.name} --es out {out} --ei threads {threads} --ei runs {min_runs}"
            )
            quickly = " --ez quick true" if quick else ""
            said = self.answer(f"am start -W -n {_ACTIVITY} -a {PACKAGE}.BENCHMARK {extras}{quickly}")
            if "Error" in said:  # am itself exits with 0
                last = said.strip().splitlines()[-1]
                raise MachineError(
                    f"expected {self.name} to start the app, found: {last}", hint="install the app's newest build"
                )
            self._wait(f"{_FOLDER}/{out}", timeout_s + _START_S)
            return self._result(f"{_FOLDER}/{out}", bundle)

    @contextmanager
    def _pushed(self, bundle: Bundle) -> Iterator[tuple[str, str]]:
        """Yields the bundle's new folder on the phone and the name of the file to write, while the block runs."""
        name = f"mobile-sdk-{uuid.uuid4().hex}"
        folder, out = f"{_FOLDER}/{name}", f"{name}.json"
        try:
            self.answer(f"mkdir -p {folder}")
            self.adb.push(bundle.path, f"{folder}/{bundle.path.name}")
            yield folder, out
        finally:
            call_or_fail(self.adb.command(f"am force-stop {PACKAGE}; rm -rf {folder} {_FOLDER}/{out}*"), self.name)

    def _wait(self, file: str, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while "there" not in self.answer(f"if [ -f {file} ]; then echo there; fi"):
            if time.monotonic() > deadline_s:
                raise MachineError(
                    f"expected the app on {self.name} to end within {timeout_s:.0f} s, found no result",
                    hint="unlock the phone, keep its screen on and look at adb logcat",
                )
            time.sleep(_LOOK_EVERY_S)

    def _result(self, file: str, bundle: Bundle) -> Numbers:
        with scratch_folder() as scratch:
            self.adb.pull(file, scratch / "result")
            data = (scratch / "result").read_bytes()
        text = data.decode("utf-8", errors="replace")
        if error := error_in(text, self.name):  # one line, as a runner's
            raise error
        try:
            numbers = Numbers.model_validate_json(data, strict=True)
        except ValidationError as invalid:
            problem = invalid.errors(include_url=False)[0]
            raise MachineError(
                f"expected the app's numbers from {self.name}, found {problem['loc']}: {problem['msg']}",
                hint="build the app and the SDK from one checkout",
            ) from invalid
        if [each.bundle for each in numbers.measurements] != [bundle.path.name]:
            raise MachineError(f"expected numbers of {bundle.path.name}, found others", hint="measure again")
        return numbers
