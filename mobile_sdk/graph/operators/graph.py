"""Defines a graph, operators in order, with its precision and its digest."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mobile_sdk.graph.operators.base import Operator, stated_fields
from mobile_sdk.graph.operators.boxes import DecodeBoxes
from mobile_sdk.graph.operators.tensors import TENSOR_INPUT, Constant, Quantization, Tensor
from mobile_sdk.graph.pairing import Pair

Precision = Literal["int8", "mixed", "float32"]


@dataclass(frozen=True, kw_only=True)
class Head:
    """Names a tensor as an output of the net, for people."""

    name: str
    tensor: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """Holds operators in the order of execution, from one picture to one output, or to several.

    `input` is int8: a picture's (C, H, W), whose code is `byte - 128`, or an array's, if it is named `TENSOR_INPUT`. A
    float32 graph begins with a Dequantize of it. `pairs` match tensors with those of its float32 twin; they compute
    nothing. `heads` are the outputs, of any operators; if there are none, the last operator's is the only one. Raises
    ValueError for heads that no operator computes, and for a tensor or a name that two of them have.
    """

    input: Tensor
    operators: tuple[Operator, ...]
    pairs: tuple[Pair, ...] = ()
    heads: tuple[Head, ...] = ()

    def __post_init__(self) -> None:
        computed = [operator.output for operator in self.operators] if self.heads else []
        different = {head.name for head in self.heads}, {head.tensor.name for head in self.heads}
        if not all(head.tensor in computed for head in self.heads) or min(map(len, different)) < len(self.heads):
            raise ValueError(f"the outputs {', '.join(self.output_names)} are not computed, each once")

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """Returns the outputs, in their order."""
        return tuple(head.tensor for head in self.heads) or (self.operators[-1].output,)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Returns the outputs' names for people, in their order: without heads what the only one holds."""
        holds = "boxes" if isinstance(self.operators[-1], DecodeBoxes) else "scores"
        return tuple(head.name for head in self.heads) or (holds,)

    @property
    def reads_picture(self) -> bool:
        """Tells whether its input is a picture, not an array."""
        return self.input.name != TENSOR_INPUT

    @property
    def output(self) -> Tensor:
        """Returns the only output; raises ValueError if there are several."""
        (output,) = self.outputs
        return output

    @property
    def precision(self) -> Precision:
        """Returns the precision of its tensors, without decoded boxes: all int8, all float32 (the twin), or mixed."""
        computing = [operator for operator in self.operators if not isinstance(operator, DecodeBoxes)]
        are_int8 = {operator.output.quantization is not None for operator in computing}
        return "mixed" if len(are_int8) == 2 else "int8" if are_int8 == {True} else "float32"

    @property
    def is_int8(self) -> bool:
        """Tells whether every tensor, except decoded boxes, is int8: integers, equal in every runtime."""
        return self.precision == "int8"

    def __repr__(self) -> str:
        """Returns a description in one line."""
        shapes = ", ".join(str(output.shape) for output in self.outputs)
        ends = f"input {self.input.shape}, output {shapes}"
        return f"Graph({self.precision}, {len(self.operators)} operators, {ends})"

    def digest(self) -> str:
        """Returns a SHA-256 over every number and name but those of the pairs: equal ones compute the same."""
        digest = hashlib.sha256()
        for text in _spell(self.input):
            digest.update(text)
        for operator in self.operators:
            for text in _spell(operator):
                digest.update(text)
        for head in self.heads:
            digest.update(f"output {head.name!r} {head.tensor.name!r};".encode())
        return digest.hexdigest()


def _spell(value: Any) -> Iterator[bytes]:
    """Yields every leaf below `value` as bytes, in the order of the fields."""
    if isinstance(value, np.ndarray):
        yield f"{value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, Operator | Tensor | Constant | Quantization):
        yield type(value).__name__.encode()
        for field in stated_fields(value):
            yield from _spell(getattr(value, field.name))
    elif isinstance(value, tuple) and not all(isinstance(item, int) for item in value):
        for item in value:
            yield from _spell(item)
    else:
        yield repr(value).encode() + b";"
