"""Defines a device, a place where a model file runs, as the author of another device must write it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.runtimes.base import Interface, Runtime
from mobile_sdk.system.cache import Say

Pictures = NDArray[np.uint8]
"""These are bytes (pictures, H, W, C) of the contract's size, or those of arrays' codes."""
Run = Callable[[Pictures], NDArray[Any]]
"""It returns scores (pictures, classes) in the model's own dtype."""


class Device(Protocol):
    """A device is a place where model files run: this host, a phone, an emulated processor."""

    @property
    def name(self) -> str:
        """Returns the name as `--device` takes it."""
        ...

    @property
    def measures_time(self) -> bool:
        """Tells whether a time that was measured there means anything."""
        ...

    def unavailable(self) -> str | None:
        """Returns why nothing can run there now, or None; quick, and fetches nothing.

        The reason completes "because …".
        """
        ...

    def make_ready(self, say: Say) -> None:
        """Fetches what the device needs, once; returns at once if nothing is missing. Raises MachineError."""
        ...

    def versions(self, runtime: Runtime) -> Mapping[str, str]:
        """Returns the packages that compute there, with their versions: after a run, as a device may tell them then."""
        ...

    def loaded(
        self, runtime: Runtime, model: Path, interface: Interface, *, threads: int = 1
    ) -> AbstractContextManager[Run]:
        """Loads the model on the device for as long as the block runs, and leaves nothing of it there.

        Raises SettingError if the device does not support `runtime`, MachineError if it cannot run, BundleError if the
        runtime refuses the file. The block's runs raise these errors, too.
        """
        ...
