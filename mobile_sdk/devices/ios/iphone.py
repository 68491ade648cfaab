"""Scores pictures in the demo app on an iPhone, with the runtimes that ship in it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.devices.base import Pictures, Run
from mobile_sdk.devices.ios import devicectl
from mobile_sdk.devices.ios.requests import app_id, ask, check_ready, choose_phone, read_result
from mobile_sdk.devices.runner.staging import read_scores
from mobile_sdk.errors import MachineError
from mobile_sdk.runtimes.base import Interface, Runtime
from mobile_sdk.runtimes.compute_units import app_fields
from mobile_sdk.runtimes.input_array import input_array
from mobile_sdk.system.cache import Say

_START_S = 180.0  # compiling a Core ML model, on an old phone
_PICTURE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class IPhone:
    """Runs models in the demo app; `name` is what `--device` was given."""

    name: str
    measures_time: bool = True
    told: dict[str, str] = field(default_factory=dict)  # the versions that the app has named

    def unavailable(self) -> str | None:
        """Returns why nothing can run there now, or None."""
        try:
            choose_phone(self.name)
        except MachineError as error:
            return error.message
        return None

    def make_ready(self, say: Say) -> None:
        """Does nothing: the app is installed from Xcode."""

    def versions(self, runtime: Runtime) -> Mapping[str, str]:
        """Returns what the app said of its runtime in its last answer."""
        return dict(self.told)

    @contextmanager
    def loaded(self, runtime: Runtime, model: Path, interface: Interface, *, threads: int = 1) -> Iterator[Run]:
        """Yields a function that has the bundle around `model` score pictures; it is sent anew for each call."""
        phone, app = choose_phone(self.name), app_id()
        check_ready(phone, app)
        fields: dict[str, str | int | float] = {"threads": threads, **app_fields()}

        def run(pictures: Pictures) -> NDArray[np.generic]:
            given = b"".join(input_array(picture, interface.input).tobytes() for picture in pictures)
            patience_s = _START_S + _PICTURE_S * len(pictures)
            answer = ask(phone, app, "score", [model.parent], inputs=given, fields=fields, timeout_s=patience_s)
            result = read_result(answer)
            self.told.update(
                result.get("versions") or {}, **{"ran on": str(result.get("ran_on")), "phone": phone.system}
            )
            return read_scores(answer.scores, interface, len(pictures), self.name)

        yield run


def iphones() -> tuple[IPhone, ...]:
    """Returns every phone that this Mac knows, ready or not; none off a Mac."""
    if devicectl.unavailable() is not None:
        return ()
    try:
        return tuple(IPhone(name=f"ios:{phone.identifier}") for phone in devicectl.phones())
    except MachineError:  # a Mac without Xcode
        return ()
