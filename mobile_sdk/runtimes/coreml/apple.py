"""Runs Apple's own runtime on a Mac: coremltools hands the picture to Core ML."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.errors import MachineError
from mobile_sdk.graph.outputs import joined
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.compute_units import coremltools_unit
from mobile_sdk.runtimes.coreml.apple_system import not_run
from mobile_sdk.runtimes.coreml.package.blob_file import damaged
from mobile_sdk.runtimes.coreml.package.program_file import read_promised_program
from mobile_sdk.runtimes.coreml.toolbox import coremltools_quietly
from mobile_sdk.runtimes.input_array import input_array


class AppleSession:
    """Runs as a Session on macOS, as an app would: on the CPU alone, on all compute units, or on those chosen."""

    arithmetic: Literal["apple"] = "apple"

    def __init__(self, package: Path, interface: Interface, *, cpu_only: bool) -> None:
        """Raises MachineError off a Mac, BundleError if Core ML refuses the package."""
        reason = not_run()
        if reason is not None:
            raise MachineError(f"expected macOS, found another system: {reason}", hint="use InterpreterSession")
        program = read_promised_program(package, interface)
        self._input, self._outputs = interface.input, program.outputs
        with coremltools_quietly() as tools:
            units = tools.ComputeUnit[coremltools_unit(cpu_only=cpu_only)]
            try:
                self._model: Any = tools.models.MLModel(str(package), compute_units=units)
            except Exception as error:  # Core ML's compiler raises plain RuntimeErrors and NSErrors
                raise damaged(package, f"what Core ML refuses: {error}") from error

    def run(self, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Returns the output without its batch, float32, or a record of several, for bytes (H, W, C)."""
        given = input_array(picture, self._input)
        image = self._input.dtype == "image"
        value: Any = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture) if image else given[None]
        found = self._model.predict({self._input.name: value})
        outputs = self._outputs.items()
        first: NDArray[np.generic] = joined(
            {name: np.asarray(found[name], np.float32).reshape(shape) for name, shape in outputs}
        )[0]
        return first

    def close(self) -> None:
        """Releases the model."""
        self._model = None
