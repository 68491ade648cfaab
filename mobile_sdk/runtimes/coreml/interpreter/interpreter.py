"""Interprets the saved program off a Mac, operator by operator in PyTorch on the CPU.

It reads only the file and shares nothing with the exporter. Arithmetic: see mil_operators.py.
"""

from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mobile_sdk.contract import stored_shape
from mobile_sdk.errors import BundleError, SdkError, SettingError
from mobile_sdk.graph.outputs import joined
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.coreml.interpreter.half_arithmetic import USUAL, HalfArithmetic
from mobile_sdk.runtimes.coreml.interpreter.mil_operators import Step, compile_operation
from mobile_sdk.runtimes.coreml.package.blob_file import damaged
from mobile_sdk.runtimes.coreml.package.program_file import MilOperation, MilProgram, read_promised_program


class InterpreterSession:
    """Runs as a Session; its scores come from this SDK's interpreter, not from Apple's runtime."""

    arithmetic: Literal["interpreter"] = "interpreter"

    def __init__(
        self, package: Path, interface: Interface, *, threads: int, arithmetic: HalfArithmetic = USUAL
    ) -> None:
        """Takes the arithmetic of float16 operations.

        Raises BundleError if the package is damaged or has an operator that is not known here.
        """
        self._package, self._byte_offset = package, interface.input.byte_offset
        self._threads = threads
        self._program = read_promised_program(package, interface)
        self._constants, self._steps = _compile(self._program, package, arithmetic)
        self._last_use = _last_uses(self._steps, self._program.outputs)

    def run(self, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Returns the output without its batch, float32, or a record of several, for bytes (H, W, C)."""
        values = {name: value for name, value in self._execute(picture) if name in self._program.outputs}
        shapes = self._program.outputs.items()
        first: NDArray[np.generic] = joined(
            {name: np.array(values[name].numpy(), np.float32).reshape(shape) for name, shape in shapes}
        )[0]
        return first

    def trace(self, picture: NDArray[np.uint8]) -> dict[str, NDArray[np.generic]]:
        """Returns every result by its name in the file: int8 codes, or float32 values (float16 ones widened)."""
        return {name: value.numpy().copy() for name, value in self._execute(picture)}

    def close(self) -> None:
        """Drops the weights."""
        self._constants, self._steps = {}, []

    def _execute(self, picture: NDArray[np.uint8]) -> Iterator[tuple[str, torch.Tensor]]:
        expected = stored_shape(self._program.input_shape[1:])
        if picture.shape != expected or picture.dtype != np.uint8:
            raise SettingError(
                f"expected bytes uint8 {expected}, found {picture.dtype} {picture.shape}",
                hint="make them with preprocess.to_bytes and the contract's input",
            )
        with torch.inference_mode(), _threads(self._threads):
            numbers = picture.astype(np.float32) + self._byte_offset
            given = torch.from_numpy(np.ascontiguousarray(numbers.transpose(2, 0, 1) if numbers.ndim == 3 else numbers))
            values = self._constants | {self._program.input_name: given[None]}
            for index, (operation, step) in enumerate(self._steps):
                values[operation.output] = self._step(operation, step, values)
                yield operation.output, values[operation.output]
                for name in self._last_use.get(index, ()):
                    del values[name]

    def _step(self, operation: MilOperation, step: Step, values: Mapping[str, torch.Tensor]) -> torch.Tensor:
        operands = [values[name] for names in operation.arguments.values() for name in names]
        try:
            result = step(*operands)
        except (RuntimeError, ValueError, TypeError, KeyError, IndexError) as error:
            raise _misfit(self._package, operation, str(error).splitlines()[0]) from error
        if tuple(result.shape) != operation.shape:
            raise _misfit(self._package, operation, f"a result {tuple(result.shape)} instead of {operation.shape}")
        return result


def _compile(
    program: MilProgram, package: Path, arithmetic: HalfArithmetic
) -> tuple[dict[str, torch.Tensor], list[tuple[MilOperation, Step]]]:
    """Returns results that need no picture (constants, dequantized weights), and the steps that need one."""
    used = {name for operation in program.operations for names in operation.arguments.values() for name in names}
    constants: dict[str, torch.Tensor] = {}
    steps: list[tuple[MilOperation, Step]] = []
    for operation in program.operations:
        if operation.kind == "const" and operation.output not in used:
            continue  # the operations that take its value have it already
        try:
            step = compile_operation(operation, arithmetic)
            if not operation.arguments:
                constants[operation.output] = step()
            else:
                steps.append((operation, step))
        except SdkError:
            raise
        except Exception as error:  # parameters of a damaged file can be anything
            raise _misfit(package, operation, f"{type(error).__name__}: {error}") from error
    return constants, steps


def _last_uses(steps: list[tuple[MilOperation, Step]], outputs: Container[str]) -> dict[int, list[str]]:
    """Returns step index → names of the results that no later step needs; constants are kept for the next picture."""
    last: dict[str, int] = {}
    computed = {operation.output for operation, _ in steps}
    for index, (operation, _) in enumerate(steps):
        last |= {name: index for names in operation.arguments.values() for name in names if name in computed}
    uses: dict[int, list[str]] = {}
    for name, index in last.items():
        if name not in outputs:
            uses.setdefault(index, []).append(name)
    return uses


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _misfit(package: Path, operation: MilOperation, found: str) -> BundleError:
    return damaged(package, f"a {operation.kind} ({operation.output}) that does not compute: {found}")
