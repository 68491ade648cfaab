"""Joins, cuts and reorders values along any axis; codes move as values do."""

from functools import partial

import torch
from torch.nn import functional as F

from mobile_sdk.graph.operators import (
    ChannelShuffle,
    ChannelSlice,
    Concat,
    JoinRows,
    Operator,
    Pad,
    Rearrange,
    Reshape,
    Rows,
)
from mobile_sdk.graph.rules.tables import Step, float_rules, int8_rules


@int8_rules.of(Concat, ChannelSlice, ChannelShuffle, Reshape, Rearrange, Pad)
def _moved(operator: Operator) -> Step:
    return partial(float_rules[operator], operator)


@int8_rules.of(Rows)
def _rows(operator: Rows) -> Step:
    return lambda x: x[:, :, operator.start : operator.start + operator.output.shape[1]]


@int8_rules.of(JoinRows)
def _join_rows(operator: JoinRows) -> Step:
    return lambda *parts: torch.cat(parts, dim=2)


@float_rules.of(Concat)
def _concat(operator: Concat, *parts: torch.Tensor) -> torch.Tensor:
    return torch.cat(parts, dim=operator.axis + 1)


@float_rules.of(ChannelSlice)
def _channel_slice(operator: ChannelSlice, x: torch.Tensor) -> torch.Tensor:
    return x.narrow(operator.axis + 1, operator.start, operator.stop - operator.start)


@float_rules.of(ChannelShuffle)
def _channel_shuffle(operator: ChannelShuffle, x: torch.Tensor) -> torch.Tensor:
    return F.channel_shuffle(x, operator.groups)


@float_rules.of(Reshape)
def _reshape(operator: Reshape, x: torch.Tensor) -> torch.Tensor:
    return x.reshape(-1, *operator.output.shape)


@float_rules.of(Rearrange)
def _rearrange(operator: Rearrange, x: torch.Tensor) -> torch.Tensor:
    order = [0, *(axis + 1 for axis in operator.order)]
    return x.reshape(-1, *operator.split).permute(order).reshape(-1, *operator.output.shape)


@float_rules.of(Pad)
def _pad(operator: Pad, x: torch.Tensor) -> torch.Tensor:
    last_axis_first = zip(reversed(operator.before), reversed(operator.after), strict=True)
    return F.pad(x, [amount for pair in last_axis_first for amount in pair])
