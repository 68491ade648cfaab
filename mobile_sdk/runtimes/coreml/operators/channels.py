"""Slices and shuffles of channels in MIL, the same for int8 and float32."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mobile_sdk.graph.operators import ChannelShuffle, ChannelSlice
from mobile_sdk.runtimes.coreml.operators.mil_builder import Pen

Described = tuple[str, str, Mapping[str, Any]]
"""The suffix of a result's name behind its operator's label, MIL's kind, and the numbers among its parameters."""


def write_moved(pen: Pen, operator: ChannelSlice | ChannelShuffle) -> Any:
    """The operations that `moves` describes."""
    value = pen.read(operator.input)
    for suffix, kind, parameters in moves(operator):
        value = getattr(pen.builder, kind)(x=value, **parameters, name=pen.label + suffix)
    return value


def moves(operator: ChannelSlice | ChannelShuffle) -> tuple[Described, ...]:
    """A slice; for a shuffle, channels as rows and columns, turned."""
    channels, *sides = operator.input.shape
    if isinstance(operator, ChannelSlice):
        begin = _int32(0, operator.start, *(0 for _ in sides))
        size = _int32(1, *operator.output.shape)
        return (("", "slice_by_size", {"begin": begin, "size": size}),)
    rows, columns = operator.groups, channels // operator.groups
    return (
        ("_split", "reshape", {"shape": _int32(1, rows, columns, *sides)}),
        ("_turned", "transpose", {"perm": _int32(0, 2, 1, 3, 4)}),
        ("", "reshape", {"shape": _int32(1, channels, *sides)}),
    )


def _int32(*values: int) -> Any:
    return np.array(values, np.int32)
