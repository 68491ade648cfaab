"""Loads a .tflite in LiteRT's GPU accelerator."""

import ctypes
import os
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel  # type: ignore[import-untyped]
from ai_edge_litert.hardware_accelerator import HardwareAccelerator  # type: ignore[import-untyped]
from numpy.typing import NDArray

from mobile_sdk.errors import BundleError
from mobile_sdk.graph.outputs import joined
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.input_array import input_array
from mobile_sdk.runtimes.litert_gpu.vulkan import DRIVER, LOADER
from mobile_sdk.runtimes.quiet import silenced_stderr
from mobile_sdk.runtimes.reader import Taken
from mobile_sdk.runtimes.tflite.model_file import read_structure

_GPU, _CPU = HardwareAccelerator.GPU, HardwareAccelerator.CPU


class GpuSession:
    """Runs one model."""

    def __init__(self, path: Path, interface: Interface, vulkan: Path) -> None:
        os.environ["VK_DRIVER_FILES"] = str(vulkan / DRIVER)
        ctypes.CDLL(str(vulkan / LOADER))  # the accelerator asks for it by its name, and finds what is loaded
        self._path, self._spec = path, interface.input
        with silenced_stderr():
            self._model, self._is_whole = _opened(path)
            self._given, self._found = self._model.create_input_buffers(0), self._model.create_output_buffers(0)
        names = self._model.get_signature_by_index(0)["outputs"]
        if sorted(names) != sorted(spec.name for spec in interface.outputs):
            raise BundleError(f"expected other outputs in {path.name}, found {names}", hint="export it again")
        self._outputs = [(spec, names.index(spec.name)) for spec in interface.outputs]

    @property
    def taken(self) -> Taken:
        """Returns whether the GPU takes all of the model: LiteRT does not name what it leaves."""
        count = sum(read_structure(self._path).operators.values())
        return Taken(by="the GPU", operators=count, left=() if self._is_whole else None)

    def run(self, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Returns the output without its batch, or a record of several, for bytes (H, W, C)."""
        self._given[0].write(np.ascontiguousarray(input_array(picture, self._spec)[np.newaxis]))
        self._model.run_by_index(0, self._given, self._found)
        found: dict[str, NDArray[Any]] = {}
        for spec, index in self._outputs:
            dtype, count = np.dtype(spec.dtype), int(np.prod(spec.shape))
            found[spec.name] = self._found[index].read(count, dtype.type).reshape(spec.shape)
        first: NDArray[np.generic] = joined(found)[0]
        return first

    def close(self) -> None:
        """Frees the model."""
        with silenced_stderr():
            self._given = self._found = ()
            self._model = None


def _opened(path: Path) -> tuple[Any, bool]:
    """Returns the model, and whether the GPU takes all of it; what it does not take, XNNPACK computes.

    LiteRT calls a model fully accelerated that XNNPACK takes a part of, so the GPU has to take it alone.
    """
    try:
        model = CompiledModel.from_file(str(path), hardware_accel=_GPU)
        if model.is_fully_accelerated():
            return model, True
    except RuntimeError:
        pass
    try:
        return CompiledModel.from_file(str(path), hardware_accel=_GPU | _CPU), False
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise BundleError(f"LiteRT refuses {path.name}: {reason}", hint="export it again") from error
