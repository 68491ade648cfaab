"""This machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mobile_sdk.cache import Say
from mobile_sdk.devices.base import Run
from mobile_sdk.runtimes.base import Interface, Runtime


class Host:
    """The machine that this process runs on; each runtime says itself whether it runs here."""

    name = "host"
    measures_time = True

    def unavailable(self) -> str | None:
        """Always None."""
        return None

    def make_ready(self, say: Say) -> None:
        """Nothing is missing."""

    @contextmanager
    def loaded(self, runtime: Runtime, model: Path, interface: Interface, *, threads: int = 1) -> Iterator[Run]:
        """A session of the runtime's own Python interface."""
        session = runtime.load(model, interface, threads=threads)
        try:
            yield lambda pictures: np.stack([session.run(picture) for picture in pictures])
        finally:
            session.close()
