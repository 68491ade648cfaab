"""Reads the constant parameters of a saved MIL operation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mobile_sdk.runtimes.coreml.interpreter.half_arithmetic import USUAL, HalfArithmetic
from mobile_sdk.runtimes.coreml.package.program_file import MilOperation


class Constants:
    """Holds an operation's constant parameters, with MIL's defaults; a parameter may be a constant or an operand."""

    def __init__(self, operation: MilOperation, arithmetic: HalfArithmetic = USUAL) -> None:
        self.operation = operation
        self.arithmetic = arithmetic
        self._values = operation.values

    def tensor(self, name: str) -> torch.Tensor:
        """Returns a tensor, in float32 if it is of floats, else in its own dtype."""
        array = np.asarray(self._values[name])
        return torch.from_numpy(array.astype(np.float32 if array.dtype.kind == "f" else array.dtype, copy=True))

    def integers(self, name: str, default: list[int]) -> list[int]:
        """Returns a vector, or a scalar as one."""
        return [int(value) for value in np.ravel(np.asarray(self._values.get(name, default)))]

    def number(self, name: str, default: float) -> float:
        """Returns a scalar."""
        return float(np.asarray(self._values.get(name, default)))

    def text(self, name: str, default: str) -> str:
        """Returns a string, such as a padding's kind."""
        return str(self._values.get(name, default))

    @property
    def sums_parts(self) -> bool:
        """Tells whether sums of some channels each are rounded to float16."""
        return self.operation.dtype == "float16" and self.arithmetic.channels_a_sum is not None

    def bindings(self, **fixed: torch.Tensor) -> Callable[..., dict[str, Any]]:
        """Maps operands to parameter names; parameters in `fixed` are constants."""
        names = [name for name, sources in self.operation.arguments.items() for _ in sources]
        return lambda *operands: fixed | dict(zip(names, operands, strict=True))

    def constants_among(self, *names: str) -> dict[str, torch.Tensor]:
        """Returns those of the parameters that are constants, by name."""
        return {name: self.tensor(name) for name in names if name in self._values}
