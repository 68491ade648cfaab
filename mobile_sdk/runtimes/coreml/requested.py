"""Records the operations requested of coremltools' builder, as plain data to compare a saved program with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.runtimes.coreml.package.classifier import Classifier
from mobile_sdk.runtimes.coreml.package.program_file import MilOperation, Value

_INPUT_PATH = "the input"


@dataclass(frozen=True, kw_only=True, eq=False)
class Requested:
    """Holds one operation, and the module in the user's net that it came from."""

    operation: MilOperation
    path: str


@dataclass(frozen=True, kw_only=True, eq=False)
class RequestedProgram:
    """Holds all operations but constants, which are in the operations that take them."""

    input_name: str
    input_shape: tuple[int, ...]
    colours: str | None  # of a picture that Core ML takes as such
    output_names: tuple[str, ...]
    operations: tuple[Requested, ...]
    classifier: Classifier | None
    graph_digest: str


class Recorder:
    """Replaces coremltools' `Builder`: it passes each call on, and records it.

    A parameter that the call did not name has the value that the builder chose, which the file must hold too.
    """

    def __init__(self, mil: Any) -> None:
        self.requested: list[Requested] = []
        self.path = _INPUT_PATH
        self._mil = mil
        self._constants: dict[str, Value] = {}

    def __getattr__(self, kind: str) -> Callable[..., Any]:
        build = getattr(self._mil.Builder, kind)

        def record(**parameters: Any) -> Any:
            result = build(**parameters)
            if kind == "const":
                self._constants[result.name] = _number(parameters["val"])
            else:
                self.requested.append(Requested(operation=self._operation(kind, parameters, result), path=self.path))
            return result

        return record

    def four_bits(self, codes: NDArray[np.int8]) -> NDArray[np.int8]:
        """Returns codes in -8..7 marked as numbers of 4 bits, which the builder then stores so."""
        return codes.astype(self._mil.types.nptype_from_builtin(self._mil.types.int4))

    def _operation(self, kind: str, parameters: dict[str, Any], result: Any) -> MilOperation:
        arguments: dict[str, tuple[str, ...]] = {}
        values: dict[str, Value] = {}
        for name, asked in (*parameters.items(), *self._chosen(parameters, result)):
            if isinstance(asked, self._mil.Var) and asked.name in self._constants:
                values[name] = self._constants[asked.name]
            elif isinstance(asked, self._mil.Var):
                arguments[name] = (asked.name,)
            elif isinstance(asked, list) and isinstance(asked[0], self._mil.Var):
                arguments[name] = tuple(each.name for each in asked)
            else:
                values[name] = _number(asked)
        dtype = np.dtype(self._mil.types.nptype_from_builtin(result.dtype)).name
        shape = tuple(int(side) for side in result.shape)
        return MilOperation(
            kind=kind, output=parameters["name"], dtype=dtype, shape=shape, arguments=arguments, values=values
        )

    def _chosen(self, parameters: dict[str, Any], result: Any) -> Iterator[tuple[str, Any]]:
        for name, operand in result.op.inputs.items():
            if name not in parameters and operand is not None:
                yield name, operand.val


def _number(asked: Any) -> Value:
    """Returns a parameter as MIL stores it: whole numbers are int32, all others bring their type along."""
    if isinstance(asked, str):
        return asked
    is_whole = isinstance(asked, int | list) and not isinstance(asked, bool)
    return np.asarray(asked, np.int32 if is_whole else None)
