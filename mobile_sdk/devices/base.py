"""A device: a place where a model file runs, and what the author of another one must write."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.runtimes.base import Interface, Runtime
from mobile_sdk.system.cache import Say

Pictures = NDArray[np.uint8]
"""(pictures, H, W, 3) RGB bytes of the contract's size."""
Run = Callable[[Pictures], NDArray[Any]]
"""Scores (pictures, classes) in the model's own dtype."""


class Device(Protocol):
    """A place where model files run: this host, a phone, an emulated processor."""

    @property
    def name(self) -> str:
        """As `--device` takes it."""
        ...

    @property
    def measures_time(self) -> bool:
        """Whether a time that was measured there means anything."""
        ...

    def unavailable(self) -> str | None:
        """Why nothing can run there now, in words that complete "because …", or None; quick, and fetches nothing."""
        ...

    def make_ready(self, say: Say) -> None:
        """Fetches what the device needs, once; at once where nothing is missing. Raises MachineError."""
        ...

    def loaded(
        self, runtime: Runtime, model: Path, interface: Interface, *, threads: int = 1
    ) -> AbstractContextManager[Run]:
        """The model on the device, for as long as the block runs; nothing of it stays there.

        Raises SettingError where the device does not serve `runtime`, MachineError where it cannot run, BundleError
        where the runtime refuses the file; from the block's runs, too.
        """
        ...
