"""This machine."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.cache import Say
from mobile_sdk.devices.base import Pictures
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

    def scores(self, runtime: Runtime, model: Path, interface: Interface, pictures: Pictures) -> NDArray[Any]:
        """Scores (pictures, classes), one thread."""
        session = runtime.load(model, interface, threads=1)
        try:
            return np.stack([session.run(picture) for picture in pictures])
        finally:
            session.close()
