"""Loads a `.pte` in ExecuTorch's own Python runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from executorch.extension.pybindings import _C  # type: ignore[import-untyped]
from numpy.typing import NDArray

from mobile_sdk.errors import BundleError, DataError
from mobile_sdk.graph.outputs import joined
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.executorch.pte_file import HINT, read_pte
from mobile_sdk.runtimes.quiet import silenced_stderr

# `_C` is all that `executorch.runtime` wraps; to import that takes seconds, for its compiler comes with it.


class ExecuTorchSession:
    """Runs one model. The program stays alive as long as its method, or the method reads freed memory."""

    def __init__(self, path: Path, interface: Interface, *, threads: int) -> None:
        read_pte(path)  # the C++ loader must not see a damaged file
        self._program, self._method = _open(path, threads)
        expected = interface.input.shape
        found = tuple(self._method.method_meta().input_tensor_meta(0).sizes())
        if found != expected:
            raise BundleError(f"expected the input {expected} in {path.name}, found {found}", hint=HINT)
        self._shapes = {spec.name: spec.shape for spec in interface.outputs}
        self._codes = np.zeros(expected, np.int8)
        self._inputs = [torch.from_numpy(self._codes)]

    def run(self, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Returns the output without its batch, or a record of several, for bytes (H, W, C)."""
        if picture.shape != self._codes.shape[1:] or picture.dtype != np.uint8:
            reason = f"expected bytes uint8 {self._codes.shape[1:]}, found {picture.dtype} {picture.shape}"
            raise DataError(reason, hint="make them with preprocess.to_bytes and the contract's input")
        # byte - 128 as int8 is the byte with its highest bit flipped
        np.bitwise_xor(picture, 0x80, out=self._codes[0].view(np.uint8))
        outputs = zip(self._shapes.items(), self._method(self._inputs), strict=True)
        found = {name: values.numpy().reshape(shape) for (name, shape), values in outputs}
        first: NDArray[np.generic] = joined(found)[0].copy()  # of the runtime's own memory
        return first

    def close(self) -> None:
        """Frees method and program, in this order."""
        self._method = self._program = None


def _open(path: Path, threads: int) -> tuple[Any, Any]:
    reason = "no method named forward"
    with silenced_stderr():  # ExecuTorch announces itself there
        _C._unsafe_reset_threadpool(threads)  # it takes all cores by default
        check = _C.Verification.InternalConsistency
        try:
            program = _C._load_program(str(path), program_verification=check)
            if "forward" in map(program.get_method_name, range(program.num_methods())):
                return program, program.load_method("forward")
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
    raise BundleError(f"ExecuTorch refuses {path.name}: {reason}", hint=HINT)
