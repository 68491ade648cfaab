"""Loads a .tflite in LiteRT with XNNPACK."""

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]
from numpy.typing import NDArray

from mobile_sdk.errors import BundleError
from mobile_sdk.graph.outputs import joined
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.input_array import input_array
from mobile_sdk.runtimes.quiet import silenced_stderr


class TfliteSession:
    """Runs one model; the interpreter copies nothing but the arena."""

    def __init__(self, path: Path, interface: Interface, *, threads: int) -> None:
        self._interpreter = open_interpreter(path, threads=threads)
        details = self._interpreter.get_input_details()[0]
        found = (details["name"], str(np.dtype(details["dtype"])), tuple(int(size) for size in details["shape"]))
        expected = (interface.input.name, interface.input.dtype, interface.input.shape)
        if found != expected:
            raise BundleError(f"expected the input {expected} in {path.name}, found {found}", hint="export it again")
        self._input, self._spec = details["index"], interface.input
        indices = [each["index"] for each in self._interpreter.get_output_details()]
        self._outputs = dict(zip((spec.name for spec in interface.outputs), indices, strict=True))

    def run(self, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Returns the output without its batch, or a record of several, for bytes (H, W, C)."""
        self._interpreter.set_tensor(self._input, input_array(picture, self._spec)[np.newaxis])
        self._interpreter.invoke()
        found = {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}
        first: NDArray[np.generic] = joined(found)[0]
        return first

    def close(self) -> None:
        """Frees the interpreter."""
        self._interpreter = None


def open_interpreter(path: Path, *, threads: int) -> Any:
    """Returns LiteRT's interpreter over the file, tensors allocated. Raises BundleError if LiteRT refuses the file."""
    with silenced_stderr():  # LiteRT announces its delegate there
        try:
            interpreter = Interpreter(model_path=str(path), num_threads=threads)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise BundleError(f"LiteRT refuses {path.name}: {reason}", hint="export it again") from error
    return interpreter
