"""Runs a model in Apple's own runtime."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import BundleError
from mobile_sdk.graph.outputs import joined
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.coreai.asset.contents import FUNCTION, damaged, read_file
from mobile_sdk.runtimes.coreai.toolbox import coreai
from mobile_sdk.runtimes.damage import damage_named
from mobile_sdk.runtimes.input_array import input_array
from mobile_sdk.runtimes.quiet import silenced_stderr

_Result = TypeVar("_Result")


class CoreAISession:
    """Runs one model; Apple's interface is asynchronous, so that the session holds a loop of its own."""

    def __init__(self, path: Path, interface: Interface) -> None:
        """Raises BundleError if the model is damaged or does not fit `interface`."""
        self._input, self._outputs = interface.input, [spec.name for spec in interface.outputs]
        program = read_file(path).program
        given, outputs = interface.input, interface.outputs
        expected = [(given.name, given.dtype, given.shape), *((each.name, each.dtype, each.shape) for each in outputs)]
        found = [(end.name, end.dtype, end.shape) for end in (*program.inputs, *(end for end, _ in program.outputs))]
        if found != expected:
            raise BundleError(f"expected the tensors {expected} in {path.name}, found {found}", hint="export it again")
        self._runner, self._open, self._is_open = asyncio.Runner(), AsyncExitStack(), True
        try:
            with silenced_stderr(), damage_named(partial(damaged, path)):
                self._function = self._await(self._load(path))
        except BaseException:
            self.close()
            raise

    def run(self, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Returns the output without its batch, or a record of several, for bytes (H, W, C)."""
        given = np.ascontiguousarray(input_array(picture, self._input)[np.newaxis])
        found = self._await(self._function({self._input.name: coreai().runtime.NDArray(given)}))
        first: NDArray[np.generic] = joined({name: found[name].numpy().copy() for name in self._outputs})[0]
        return first

    def close(self) -> None:
        """Frees the model; a second call does nothing."""
        self._function = None
        if self._is_open:
            self._is_open = False
            self._await(self._open.aclose())
            self._runner.close()

    async def _load(self, path: Path) -> Any:
        """Loads the model for the CPU where there is a choice: on a Mac with delegates."""
        asset, options = coreai().authoring.AIModelAsset.load(path), coreai().runtime.SpecializationOptions
        chosen = options.cpu_only() if options.is_supported() else None
        model = await self._open.enter_async_context(asset.executable(chosen))
        return model.load_function(FUNCTION)

    def _await(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        return self._runner.run(coroutine)
