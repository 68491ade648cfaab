"""Connects to the demo app on a phone: an intent starts it, and adb forwards a socket that it answers on.

The bundle is pushed below /data/local/tmp, where a shell may write and, by Android's SELinux policy, an app may read.
An app may not write there, and not every Android lets a shell read an app's own folder, so that answers take the
socket: adbd may connect to an app's. Nothing is polled: the end of the app is the end of the connection.
"""

import json
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from mobile_sdk import runtimes
from mobile_sdk.devices.adb import Adb, open_adb
from mobile_sdk.devices.android_app import relay
from mobile_sdk.devices.android_app.package import ACTION, ACTIVITY, PACKAGE
from mobile_sdk.devices.android_app.state import AppState
from mobile_sdk.devices.base import Pictures, Run
from mobile_sdk.devices.remote import Remote, call_or_fail
from mobile_sdk.devices.runner.staging import read_scores, written_inputs
from mobile_sdk.devices.state import DeviceState
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.runtimes.base import Interface, Runtime
from mobile_sdk.system.cache import Say
from mobile_sdk.system.temporary_folder import scratch_folder
from mobile_sdk.system.worker_process import WorkerProcess

APP = "app"
_START_S = 180.0  # starting the app and checking a bundle, on a slow phone
_PICTURE_S = 30.0
_CHUNK_BYTES = 8 << 20  # of inputs, or of outputs, that one request asks for


@dataclass(frozen=True, kw_only=True)
class DemoApp:
    """Runs models in the demo app on one phone."""

    remote: Remote
    measures_time: bool = True
    _told: dict[str, str] = field(default_factory=dict)  # versions, by the runtime that answered last

    @property
    def name(self) -> str:
        """Returns the name as `--device` takes it."""
        return f"{APP}:{self._adb.serial}"

    def unavailable(self) -> str | None:
        """Returns why the app cannot be reached now, or None."""
        if reason := self.remote.unavailable():
            return reason
        if PACKAGE not in self._shell(f"pm path {PACKAGE} || true"):
            return f"the app {PACKAGE} is not installed (./gradlew installBenchmark in android_demo)"
        return None

    def make_ready(self, say: Say) -> None:
        """Does nothing: whoever builds the app installs it."""

    def state(self) -> DeviceState:
        """Returns the phone's properties and state, as its shell reads them."""
        return self.remote.state()

    def versions(self, runtime: Runtime) -> Mapping[str, str]:
        """Returns the runtime that answered in the app, by the name that it has there."""
        return dict(self._told)

    def ask(self) -> tuple[AppState, Mapping[str, str]]:
        """Starts the app anew; returns its state, and the versions of the runtimes that ship in it."""
        self.stop()
        with self._linked({"do": "state"}) as command, WorkerProcess(command, title=self.name) as worker:
            reply = worker.reply(timeout_s=_START_S)
        try:
            state = AppState.model_validate(reply["app"])
        except (KeyError, ValidationError) as invalid:
            raise MachineError(
                f"expected the app's state from {self.name}, found {reply!r:.200}",
                hint="build the app and the SDK from one checkout",
            ) from invalid
        return state, reply["versions"]

    def stop(self) -> None:
        """Ends the app's process."""
        self._shell(f"am force-stop {PACKAGE}")

    @contextmanager
    def loaded(self, runtime: Runtime, model: Path, interface: Interface, *, threads: int = 1) -> Iterator[Run]:
        """Loads the bundle that holds the model file in the app.

        Raises SettingError for a runtime that Android's apps do not embed, or a file outside of a bundle.
        """
        self.check_runs(runtime.name)
        if not (model.parent / "bundle.json").is_file():
            raise SettingError(
                f"expected the model of a bundle for {self.name}, found {model.name} alone", hint="bundle it first"
            )
        self.ask()
        try:
            with self._pushed(model.parent) as folder:
                request = {"do": "score", "bundle": folder, "threads": threads}
                with self._linked(request) as command, WorkerProcess(command, title=self.name) as worker:
                    self._told.update(worker.reply(timeout_s=_START_S)["versions"])
                    yield lambda pictures: self._scores(worker, interface, pictures)
        finally:
            self.stop()

    @contextmanager
    def timed(self, bundle: Path, *, threads: int) -> Iterator[list[str]]:
        """Yields the command of this host that talks to the app as to a benchmark worker; several may at once."""
        request = {"do": "time", "threads": threads}
        with self._pushed(bundle) as folder, self._linked({**request, "bundle": folder}) as command:
            yield command

    def check_runs(self, runtime: str) -> None:
        """Raises SettingError for a runtime that Android's apps do not embed."""
        if runtime not in (known := runtimes.in_apps("android")):
            raise SettingError(
                f"expected a bundle for {' or '.join(known)} in the app, found {runtime}",
                hint="name a bundle that Android can run",
            )

    @property
    def _adb(self) -> Adb:
        assert isinstance(self.remote.connection, Adb)
        return self.remote.connection

    def _shell(self, script: str) -> str:
        return call_or_fail(self._adb.command(script), self.name)

    @contextmanager
    def _pushed(self, bundle: Path) -> Iterator[str]:
        """Yields the bundle's folder on the phone, which apps may read; it is removed with the connection."""
        with self.remote.kept_folder() as folder:
            self._adb.push(bundle, f"{folder}/bundle")
            self._shell(f"chmod -R a+rX {folder}")  # files keep the rights that they have on this host
            yield f"{folder}/bundle"

    @contextmanager
    def _linked(self, request: Mapping[str, Any]) -> Iterator[list[str]]:
        """Yields the command that passes bytes to and from a session of the app, which begins with the request."""
        name = f"mobile-sdk-{uuid.uuid4().hex}"
        wake = "input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard"  # the latter only where no code is asked for
        with scratch_folder() as scratch:
            local = f"localfilesystem:{scratch / 'app'}"
            said = self._shell(
                f"({wake}) >/dev/null 2>&1; am start -W -n {ACTIVITY} -a {ACTION} --es socket {name} 2>&1"
            )
            if refused := next((line for line in said.splitlines() if "Error" in line or "Exception" in line), None):
                raise MachineError(  # am itself exits with 0
                    f"expected {self.name} to start the app, found: {refused.strip()}",
                    hint="install the app's newest build: ./gradlew installBenchmark",
                )
            call_or_fail(self._adb.words("forward", local, f"localabstract:{name}"), self.name)
            try:
                yield [
                    sys.executable,
                    "-m",
                    relay.__name__,
                    self._adb.serial,
                    str(scratch / "app"),
                    json.dumps(request),
                ]
            finally:
                call_or_fail(self._adb.words("forward", "--remove", local), self.name)

    def _scores(self, worker: WorkerProcess, interface: Interface, pictures: Pictures) -> NDArray[np.generic]:
        inputs = memoryview(written_inputs(interface, pictures))
        size, found = len(inputs) // max(1, len(pictures)), bytearray()
        most = max(1, _CHUNK_BYTES // max(size, interface.output_type().itemsize))
        for start in range(0, len(pictures), most):
            count = min(most, len(pictures) - start)
            request, timeout_s = {"pictures": count, "bytes": count * size}, _START_S + _PICTURE_S * count
            worker.send(request, inputs[start * size : (start + count) * size], timeout_s=timeout_s)
            reply = worker.reply(timeout_s=timeout_s)
            found += worker.data(reply["bytes"], timeout_s=timeout_s)
        return read_scores(bytes(found), interface, len(pictures), self.name)


def open_app(name: str) -> DemoApp:
    """Opens the demo app of "app", or of "app:SERIAL" if several phones are attached.

    Raises SettingError if several are and none is named, MachineError if the phone or the app is missing.
    """
    members = open_adb(name.partition(":")[2] or None)
    if len(members) > 1:
        names = ", ".join(member.name for member in members)
        raise SettingError(f"expected one phone, found {names}", hint=f"name one: --device {APP}:SERIAL")
    app = DemoApp(remote=members[0])
    if reason := app.unavailable():
        raise MachineError(
            f"expected the demo app on {members[0].name}, found that {reason}",
            hint="build android_demo and install it: ./gradlew installBenchmark",
        )
    return app
