"""Reads and writes `graph.json`: the integer graph, every operator by its class name and its fields.

The dataclasses in `mobile_sdk.graph.operators` are the format: a new operator, or a new field, needs no line here. A
tensor is declared once and named wherever it is used. An array is a raw member of the archive, little-endian and in
row-major order, with its dtype and shape; arrays with equal bytes share one member.
"""

import hashlib
import json
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.document import parse_json
from mobile_sdk.errors import BundleError
from mobile_sdk.graph.operators import OPERATORS, Graph, Head, Operator, Tensor
from mobile_sdk.graph.operators.base import is_added, stated_fields
from mobile_sdk.graph.pairing import Pair
from mobile_sdk.program.archive import Members

GRAPH_FILE = "extra/graph.json"
_ARRAYS = "arrays"  # a folder that PyTorch's loader ignores
_VIEWS_ARRAYS = "data/weights/weight_"  # torch/export/pt2_archive/constants.py: WEIGHTS_DIR, WEIGHT_FILENAME_PREFIX
_DTYPES: Mapping[str, np.dtype[Any]] = {
    name: np.dtype(name).newbyteorder("<") for name in ("int8", "int32", "int64", "float32")
}


def write_graph(graph: Graph, members: Members) -> dict[str, bytes]:
    """Returns `graph.json` and those arrays that are not among `members` yet, by their names in the archive."""
    tensors = (graph.input, *(operator.output for operator in graph.operators))
    writer = _Writer(tensors, members)
    content = {
        "inputs": [graph.input.name],
        "outputs": [output.name for output in graph.outputs],
        **({"output_names": graph.output_names} if graph.heads else {}),
        "tensors": [writer.fields(tensor) for tensor in tensors],
        "operators": [{"operator": type(each).__name__, **writer.fields(each)} for each in graph.operators],
        "pairs": [writer.fields(pair) for pair in graph.pairs],
    }
    return {GRAPH_FILE: json.dumps(content, indent=1, allow_nan=False).encode(), **writer.added}


def read_graph(members: Members) -> Graph:
    """Returns the graph of `graph.json`.

    Raises BundleError if it names an operator that this SDK does not know, and KeyError, TypeError or ValueError if it
    is no graph.
    """
    content = parse_json(members[GRAPH_FILE])
    heads = {"output_names"} & content.keys()
    _check_keys("the graph", content, {"inputs", "outputs", "tensors", "operators", "pairs", *heads})
    reader = _Reader(members)
    first, *others = (reader.fields(Tensor, tensor) for tensor in content["tensors"])
    reader.computed[first.name] = first
    made = tuple(reader.operator(entry, output) for entry, output in zip(content["operators"], others, strict=True))
    pairs = tuple(reader.fields(Pair, pair) for pair in content["pairs"])
    if content["inputs"] != [first.name]:
        raise ValueError("the graph's input is not its first tensor")
    if not heads:
        graph = Graph(input=first, operators=made, pairs=pairs)
        if content["outputs"] != [graph.output.name]:
            raise ValueError("the graph's output is not its last tensor")
        return graph
    named = zip(content["output_names"], content["outputs"], strict=True)
    return Graph(input=first, operators=made, pairs=pairs, heads=tuple(reader.head(*each) for each in named))


class _Writer:
    """Turns values into JSON, and collects the arrays that the archive lacks in `added`."""

    def __init__(self, tensors: tuple[Tensor, ...], members: Members) -> None:
        self._tensors = {tensor.name: tensor for tensor in tensors}
        if len(self._tensors) != len(tensors):
            raise ValueError("two tensors of the graph have one name")
        self._member_of = {
            hashlib.sha256(data).digest(): name for name, data in members.items() if name.startswith(_VIEWS_ARRAYS)
        }
        self.added: dict[str, bytes] = {}

    def fields(self, value: Any) -> dict[str, Any]:
        """Returns every field that a file states."""
        return {field.name: self._value(getattr(value, field.name)) for field in stated_fields(value)}

    def _value(self, value: Any) -> Any:
        match value:
            case Tensor(name=name):
                if self._tensors.get(name) != value:
                    raise ValueError(f"tensor {name} is used as another than it is computed as")
                return name
            case np.ndarray():
                return self._array(value)
            case tuple():
                return [self._value(item) for item in value]
        return self.fields(value) if is_dataclass(value) else value

    def _array(self, array: NDArray[Any]) -> dict[str, Any]:
        data = np.ascontiguousarray(array, _DTYPES[array.dtype.name]).tobytes()
        digest = hashlib.sha256(data).digest()
        if digest not in self._member_of:
            self._member_of[digest] = f"{_ARRAYS}/{len(self.added)}"
            self.added[self._member_of[digest]] = data
        return {"member": self._member_of[digest], "dtype": array.dtype.name, "shape": list(array.shape)}


class _Reader:
    """Turns JSON into values of the types that their dataclasses declare; `computed` are the tensors so far."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._classes = {kind.__name__: kind for kind in OPERATORS}
        self.computed: dict[str, Tensor] = {}

    def operator(self, entry: Mapping[str, Any], output: Tensor) -> Operator:
        """Returns one operator, whose operands must be computed before it, and its output after."""
        kind = self._classes.get(entry["operator"])
        if kind is None:
            found = f"expected operators that this SDK knows in {GRAPH_FILE}, found {entry['operator']!r:.60}"
            raise BundleError(found, hint="update this SDK, or write the program again with this one")
        if output.name in self.computed or entry["output"] != output.name:
            raise ValueError(f"tensor {output.name!r} is not computed once, in the order of the tensors")
        rest = {key: value for key, value in entry.items() if key not in ("operator", "output")}
        made: Operator = self.fields(kind, rest, output=output)
        self.computed[output.name] = output
        return made

    def head(self, name: Any, tensor: Any) -> Head:
        """Returns an output, whose tensor must be computed."""
        _check_type(str, name)
        return Head(name=name, tensor=self.computed[tensor])

    def fields(self, kind: Any, entry: Mapping[str, Any], **given: Any) -> Any:
        """Returns a dataclass of its fields; those of `given` are not in the entry."""
        hints = _field_types(kind)
        not_stated = {each.name for each in fields(kind) if is_added(each) and each.name not in entry}
        _check_keys(kind.__name__, entry, hints.keys() - given.keys() - not_stated)
        return kind(**given, **{name: self._value(hints[name], value) for name, value in entry.items()})

    def _value(self, hint: Any, value: Any) -> Any:
        if typing.get_origin(hint) in (types.UnionType, typing.Union):
            hint = next((each for each in typing.get_args(hint) if isinstance(value, _json_type(each))), Tensor)
        _check_type(hint, value)
        origin = typing.get_origin(hint)
        if hint is Tensor:
            return self.computed[value]
        if origin is np.ndarray:
            return self._array(value)
        if origin is tuple:
            return self._tuple(typing.get_args(hint), value)
        if is_dataclass(hint):
            return self.fields(hint, value)
        return hint(value) if isinstance(hint, type) and issubclass(hint, Enum) else value

    def _tuple(self, hints: tuple[Any, ...], values: list[Any]) -> tuple[Any, ...]:
        if hints[-1] is Ellipsis:
            return tuple(self._value(hints[0], value) for value in values)
        return tuple(self._value(hint, value) for hint, value in zip(hints, values, strict=True))

    def _array(self, entry: Mapping[str, Any]) -> NDArray[Any]:
        _check_keys("an array", entry, {"member", "dtype", "shape"})
        dtype, shape = _DTYPES[entry["dtype"]], self._tuple((int, ...), entry["shape"])
        array: NDArray[Any] = np.frombuffer(self._members[entry["member"]], dtype)
        if min(shape, default=0) < 0 or len(array) != math.prod(shape):
            raise ValueError(f"{entry['member']} holds {len(array)} numbers, not {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{entry['member']} holds numbers that are not finite")
        return array.reshape(shape).copy()


@cache
def _field_types(kind: Any) -> Mapping[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _json_type(hint: Any) -> type:
    """Returns the JSON type of a value of the type `hint`."""
    if hint is Tensor or (isinstance(hint, type) and issubclass(hint, Enum)):
        return str
    origin = typing.get_origin(hint)
    if origin is tuple:
        return list
    if origin is np.ndarray or is_dataclass(hint):
        return dict
    if not isinstance(hint, type):
        raise TypeError(f"no value of the type {hint} is stored in a graph")
    return hint


def _check_type(hint: Any, value: object) -> None:
    if not isinstance(value, _json_type(hint)) or (isinstance(value, bool) and hint is not bool):
        raise TypeError(f"expected {getattr(hint, '__name__', hint)}, found {value!r:.60}")


def _check_keys(what: str, entry: Any, names: Iterable[str]) -> None:
    if not isinstance(entry, dict) or entry.keys() != set(names):
        found = sorted(entry) if isinstance(entry, dict) else type(entry).__name__
        raise ValueError(f"{what} with the fields {sorted(names)} is expected, found {found}")
