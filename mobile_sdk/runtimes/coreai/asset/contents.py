"""Reads a program from Apple's representation, as it was built or as a file holds it."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.errors import BundleError
from mobile_sdk.runtimes.coreai.program import INPUT, CoreAIProgram, End, Operand, Operation, Ref, Shape
from mobile_sdk.runtimes.coreai.toolbox import coreai
from mobile_sdk.runtimes.damage import damage_named

FUNCTION = "main"
CODE, DIGEST, METADATA = "main.mlirb", "main.hash", "metadata.json"
FILES = frozenset({CODE, DIGEST, METADATA})
_PREFIXES = ("coreai.decomposable.", "coreai.")
_TYPE = re.compile(r"tensor<((?:\d+x)*)(\w+)>")
_DTYPES: Mapping[str, str] = {
    "si8": "int8", "ui8": "uint8", "si32": "int32", "ui32": "uint32", "f32": "float32", "i1": "bool"
}  # fmt: skip
_RESOURCE = re.compile(r'^ +"?([^"\n]+?)"?: "0x([0-9A-F]+)",?$', re.MULTILINE)
_RESOURCES = "\n  dialect_resources: {"
_ALIGNMENT_BYTES = 4  # a blob's text begins with its alignment
_NAMED = re.compile(r'dense_resource<"?(.*?)"?> : tensor')
_MODE = re.compile(r"#coreai\.\w+<(\w+)>")


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """Holds everything in an `.aimodel` folder; `rest` are attributes of the function and the module, as text."""

    program: CoreAIProgram
    rest: Mapping[str, str]
    metadata: Mapping[str, Any]


def read_file(path: Path) -> Contents:
    """Returns what an `.aimodel` folder holds. Raises BundleError if it is damaged.

    Apple's reader ends the process on many a file of changed bytes: `reader.py` reads in a process of its own.
    """
    found = {file.relative_to(path).as_posix() for file in path.rglob("*")} if path.is_dir() else set()
    if found != FILES:
        raise damaged(path, f"it holds {', '.join(sorted(found)) or 'nothing'}")
    code = (path / CODE).read_bytes()
    if hashlib.sha256(code).digest() != (path / DIGEST).read_bytes():
        raise damaged(path, f"{DIGEST} is not the SHA-256 of {CODE}")
    with damage_named(partial(damaged, path)):
        metadata = json.loads((path / METADATA).read_text(encoding="utf-8"))
        if not isinstance(metadata, dict):
            raise damaged(path, f"{METADATA} is no object")
        asset = coreai().authoring.AIModelAsset.load(path)
        return Contents(**read_module(asset.program._module), metadata=metadata)


def read_module(module: Any) -> dict[str, Any]:
    """Returns the `program` and the `rest` of a module with one function; raises ValueError for anything else."""
    raw = module._mlir_module
    graphs = list(raw.body.operations)
    if len(graphs) != 1 or graphs[0].operation.name != "coreai.graph":
        raise ValueError(f"{len(graphs)} functions")
    (graph,) = graphs
    if graph.sym_name.value != FUNCTION:
        raise ValueError(f"a function {graph.sym_name.value}")
    owners = {"the module": raw.operation, "the function": graph.operation}
    rest = {f"{name} of {owner}": value for owner, each in owners.items() for name, value in _attributes(each)}
    return {"program": _Reader(str(module)).read(graph), "rest": rest}


def damaged(path: Path, why: str) -> BundleError:
    """Returns the error of a folder that is no whole model."""
    return BundleError(f"expected a Core AI model in {path.name}, found a damaged one ({why})", hint="export it again")


class _Reader:
    def __init__(self, text: str) -> None:
        self._blobs = {
            name: bytes.fromhex(data)[_ALIGNMENT_BYTES:]
            for name, data in _RESOURCE.findall(text.partition(_RESOURCES)[2])
        }
        self._values: dict[Any, Operand] = {}

    def read(self, graph: Any) -> CoreAIProgram:
        (block,) = graph.regions[0].blocks
        inputs = list(block.arguments)
        (given,) = inputs
        self._values[given] = INPUT
        operations, returned = [], []
        for each in block.operations:
            name = each.operation.name
            if name == "coreai.constant":
                self._values[each.result] = self._constant(each)
            elif name == "coreai.output":
                returned = list(each.operands)
            else:
                operations.append(self._operation(each))
                self._values[each.result] = Ref(len(operations) - 1)
        if self._blobs:
            raise ValueError(f"constants that nothing takes: {', '.join(self._blobs)}")
        outputs = zip(_names(graph.res_attrs), returned, strict=True)
        return CoreAIProgram(
            inputs=tuple(_end(name, value) for name, value in zip(_names(graph.arg_attrs), inputs, strict=True)),
            outputs=tuple((_end(name, value), self._values[value]) for name, value in outputs),
            operations=tuple(operations),
        )

    def _operation(self, each: Any) -> Operation:
        dtype, shape = _form(each.result.type)
        return Operation(
            kind=_kind(each.operation.name),
            operands=tuple(self._values[operand] for operand in each.operands),
            dtype=dtype,
            shape=shape,
            path=coreai().authoring.DebugInfo._from_mlir(each.location).filename or "",
            modes={name: _MODE.sub(r"\1", value) for name, value in _attributes(each)},
        )

    def _constant(self, each: Any) -> NDArray[Any]:
        dtype, shape = _form(each.result.type)
        attribute = each.attributes["value"]
        if coreai().ir.DenseElementsAttr.isinstance(attribute):
            return np.array(attribute, dtype).reshape(shape)
        (name,) = _NAMED.match(str(attribute)).groups()  # type: ignore[union-attr]
        return np.frombuffer(self._blobs.pop(name), np.dtype(dtype).newbyteorder("<")).reshape(shape)


def _kind(name: str) -> str:
    return next(name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix))


def _names(attributes: Any) -> list[str]:
    return [each["coreai.name"].value for each in attributes]


def _end(name: str, value: Any) -> End:
    dtype, shape = _form(value.type)
    return End(name=name, dtype=dtype, shape=shape)


def _form(kind: Any) -> tuple[str, Shape]:
    match = _TYPE.fullmatch(str(kind))
    if match is None:
        raise ValueError(f"a {kind}")
    sides, name = match.groups()
    return _DTYPES[name], tuple(int(side) for side in sides.split("x") if side)


def _attributes(each: Any) -> Iterator[tuple[str, str]]:
    for named in each.attributes:
        yield named.name, str(named.attr)
