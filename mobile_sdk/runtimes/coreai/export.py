"""Writes a graph as an `.aimodel` folder, and reads it back before it counts."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.coreai.asset.contents import FUNCTION, METADATA, read_file
from mobile_sdk.runtimes.coreai.program import INPUT, CoreAIProgram, Operand, Operation, Ref, Shape
from mobile_sdk.runtimes.coreai.readback import differences
from mobile_sdk.runtimes.coreai.requested import request
from mobile_sdk.runtimes.coreai.toolbox import coreai
from mobile_sdk.system.atomic_files import replacing_folder

_INLINE_BYTES = 256  # Apple's builder writes larger constants beside the code, under a name of its own
_ALIGNMENT = 16  # Apple's; its reader refuses a larger one, as it aligns a file no more than this in memory
_NAMES: Mapping[str, str] = {"abs": "abs_", "slice": "slice_", "round": "round_", "sum_pool_2d": "sumpool2d"}
"""The dialect's operations whose builders have other names."""


def write_model(graph: Graph, description: str, path: Path, licence: str | None = None) -> None:
    """Writes the folder `path` in one step, replacing one that was there.

    Equal graphs give equal bytes. Raises CompileError with a module path for anything that Core AI cannot have, or that
    the file has otherwise.
    """
    requested = request(graph)
    with replacing_folder(path) as draft:
        try:
            _save(requested, description, licence, draft)
        except (RuntimeError, ValueError, TypeError) as error:  # what Apple's builder and compiler raise
            why = " ".join(str(error).split())
            raise CompileError(f"expected Core AI to take the program, found: {why}", hint="report this") from error
        saved = read_file(draft).program
        for difference in differences(requested.plain(), saved.plain()):
            raise CompileError(difference, hint="report this as a bug")


def _save(program: CoreAIProgram, description: str, licence: str | None, path: Path) -> None:
    tools = coreai()
    module = tools.authoring.Module.create()
    with _opened(module):
        _Builder(program).build()
    asset = tools.authoring.AIProgram(module).save_asset(path)

    def describe(metadata: Any) -> None:
        metadata.creation_date = None
        metadata.model_description = description
        if licence is not None:
            metadata.license = licence

    asset.update_metadata(describe)
    stated = json.loads((path / METADATA).read_text(encoding="utf-8"))
    (path / METADATA).write_text(json.dumps(stated, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _opened(module: Any) -> AbstractContextManager[Any]:
    """Opens a block that builds in the module; leaving the module's own block would rewrite the program."""
    opened: AbstractContextManager[Any] = module._block_context()
    return opened


class _Builder:
    def __init__(self, program: CoreAIProgram) -> None:
        self._program = program
        self._tools = coreai()
        self._values: dict[Ref, Any] = {}
        self._constants: dict[Any, Any] = {}

    def build(self) -> None:
        """Builds the function in the module that is open."""
        inputs = self._program.inputs
        outputs = [end for end, _ in self._program.outputs]
        with self._at("the ends"):
            types = [[self._type(end.dtype, end.shape) for end in ends] for ends in (inputs, outputs)]
            names = [[end.name for end in ends] for ends in (inputs, outputs)]
            function = self._tools.Graph(FUNCTION, *types, *names)
        with function.block:
            self._values[INPUT] = function.arguments[0]
            for index, operation in enumerate(self._program.operations):
                with self._at(operation.path, index):
                    self._values[Ref(index)] = self._built(operation, index)
            with self._at("the ends"):
                self._tools.dialect.output([self._value(source, "output") for _, source in self._program.outputs])

    def _at(self, path: str, index: int = 0) -> Any:
        """Opens a block whose operations carry a module's path, where Apple's tools name a file and a line."""
        return self._tools.authoring.DebugInfo.file(path, index).activate()

    def _built(self, operation: Operation, index: int) -> Any:
        operands = [
            self._value(operand, f"{operation.path}:{index}:{place}")
            for place, operand in enumerate(operation.operands)
        ]
        build = _BUILDERS.get(operation.kind, _as_named)
        return build(self._tools.dialect, operation, operands, self._type)

    def _value(self, operand: Operand, name: str) -> Any:
        if isinstance(operand, Ref):
            return self._values[operand]
        key = operand.dtype.str, operand.shape, operand.tobytes()
        if key not in self._constants:
            self._constants[key] = self._constant(operand, name)
        return self._constants[key]

    def _constant(self, values: NDArray[Any], name: str) -> Any:
        """Writes a copy, as Apple's builder locks the array; a large one is named after where it belongs."""
        values = np.array(values, order="C")
        if values.nbytes < _INLINE_BYTES:
            return self._tools.dialect.constant(values)
        blob = self._tools.ir.DenseResourceElementsAttr.get_from_buffer(
            values, name, self._type(values.dtype.name, values.shape), alignment=_ALIGNMENT
        )
        return self._tools.dialect.ConstantOp(value=blob).result

    def _type(self, dtype: str, shape: Shape) -> Any:
        return self._tools.authoring.TensorType(shape, np.dtype(dtype).type)._to_mlir()


_Build = Callable[[Any, Operation, list[Any], Callable[[str, Shape], Any]], Any]


def _as_named(dialect: Any, operation: Operation, operands: list[Any], type_of: Callable[[str, Shape], Any]) -> Any:
    return getattr(dialect, _NAMES.get(operation.kind, operation.kind))(*operands, **operation.modes)


def _cast(dialect: Any, operation: Operation, operands: list[Any], type_of: Callable[[str, Shape], Any]) -> Any:
    return dialect.cast(*operands, np.dtype(operation.dtype).type)


def _concat(dialect: Any, operation: Operation, operands: list[Any], type_of: Callable[[str, Shape], Any]) -> Any:
    return dialect.concat(operands[0], operands[1:])


def _max_pool(dialect: Any, operation: Operation, operands: list[Any], type_of: Callable[[str, Shape], Any]) -> Any:
    return dialect.maxpool2d(type_of(operation.dtype, operation.shape), *operands)


_BUILDERS: Mapping[str, _Build] = {"cast": _cast, "concat": _concat, "max_pool_2d": _max_pool}
"""These builders take more than the operands, or take them otherwise."""
