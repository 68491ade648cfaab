"""Holds one entry for every operator class that a runtime, or an analysis, knows, and refuses others by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import (
    Activation,
    AvgPool2d,
    DecodeBoxes,
    Dequantize,
    JoinRows,
    Normalize,
    Operator,
    Quantize,
    Rows,
    Softmax,
)

Entry = TypeVar("Entry")
NOT_IN_INT8: Mapping[type[Operator], str] = {
    Activation: "an int8 graph expresses it as Add, Mul and clamps",
    AvgPool2d: "in int8 a depthwise Conv2d has its place",
    Softmax: "it is float32 in every graph",
    Normalize: "it is float32 in every graph",
}
"""No int8 graph holds these, and why."""
NOT_IN_FLOAT32: Mapping[type[Operator], str] = dict.fromkeys((Rows, JoinRows), "strips are made of int8 tensors")
GIVES_NO_CODES: Mapping[type[Operator], str] = {
    DecodeBoxes: "its boxes are float32",
    Dequantize: "its output is float32",
}
GIVES_CODES: Mapping[type[Operator], str] = {Quantize: "its output is int8"}
"""A runtime that writes int8 and float32 outputs by tables of their own has these in the other one."""
_ON_PURPOSE = "export to a runtime that has it, or change the net there"
_FORGOTTEN = "docs/project/adding.md says what a new operator needs"


class OperatorTable(Generic[Entry]):
    """Maps classes of operators to entries, which are functions in most tables; `table[operator]` looks one up.

    `name` is the table's owner, for messages; `gaps` says, by class, why it has no entry on purpose.
    """

    def __init__(self, name: str, *, gaps: Mapping[type[Operator], str] = MappingProxyType({})) -> None:
        self.name = name
        self.gaps = gaps
        self._entries: dict[type[Operator], Entry] = {}

    def of(self, *kinds: type[Operator]) -> Callable[[Entry], Entry]:
        """Decorates the entry of these classes; raises ValueError if one has an entry, or is a gap."""

        def register(entry: Entry) -> Entry:
            for kind in kinds:
                if kind in self._entries or kind in self.gaps:
                    raise ValueError(f"{self.name} has {kind.__name__} already, as an entry or as a gap")
                self._entries[kind] = entry
            return entry

        return register

    @property
    def entries(self) -> Mapping[type[Operator], Entry]:
        """Returns the entries by class, in the order of their definition."""
        return MappingProxyType(self._entries)

    def __getitem__(self, operator: Operator) -> Entry:
        """Returns the entry of the operator's class; raises CompileError, with its module path, if there is none."""
        kind = type(operator)
        if kind not in self._entries:
            found = f"expected an operator that {self.name} has, found {kind.__name__} at {operator.path}"
            if kind in self.gaps:
                raise CompileError(f"{found}: {self.gaps[kind]}", hint=_ON_PURPOSE)
            raise CompileError(found, hint=_FORGOTTEN)
        return self._entries[kind]
