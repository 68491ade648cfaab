"""Writes operators that select, reorder or resize their input's values, in int8 as in float32."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from mobile_sdk.graph.operators import (
    ChannelShuffle,
    ChannelSlice,
    Concat,
    MaxPool2d,
    Operator,
    Pad,
    Rearrange,
    ResizeBilinear,
    Tensor,
)
from qat.freezing.emitter import not_written
from qat.steps import Kind, Step


def rearrangement(step: Step, value: Tensor, output: Tensor) -> Operator:
    """Returns the operator of a max pooling, a resizing, a slice, a repetition or a rearrangement.

    Raises CompileError for any other kind of step.
    """
    if step.kind not in REARRANGEMENTS:
        raise not_written(step, "an operator that moves values")
    return REARRANGEMENTS[step.kind](step, value, output)


def _resize(step: Step, value: Tensor, output: Tensor) -> Operator:
    return ResizeBilinear(output=output, path=step.path, input=value, align_corners=step.align_corners)


def _channel_slice(step: Step, value: Tensor, output: Tensor) -> Operator:
    start, stop = step.channels
    return ChannelSlice(output=output, path=step.path, input=value, start=start, stop=stop, axis=step.axis)


def _repeat(step: Step, value: Tensor, output: Tensor) -> Operator:
    return Concat(output=output, path=step.path, parts=(value,) * step.times, axis=step.axis)


def _pad(step: Step, value: Tensor, output: Tensor) -> Operator:
    return Pad(output=output, path=step.path, input=value, before=step.before, after=step.after)


def _rearrange(step: Step, value: Tensor, output: Tensor) -> Operator:
    return Rearrange(output=output, path=step.path, input=value, split=step.split, order=step.order)


def _channel_shuffle(step: Step, value: Tensor, output: Tensor) -> Operator:
    return ChannelShuffle(output=output, path=step.path, input=value, groups=step.groups)


def _max_pool(step: Step, value: Tensor, output: Tensor) -> Operator:
    assert step.window is not None
    return MaxPool2d(
        output=output,
        path=step.path,
        input=value,
        kernel=step.window.kernel,
        stride=step.window.stride,
        padding=step.window.padding,
    )


REARRANGEMENTS: Mapping[Kind, Callable[[Step, Tensor, Tensor], Operator]] = MappingProxyType(
    {
        Kind.MAX_POOL: _max_pool,
        Kind.RESIZE: _resize,
        Kind.CHANNEL_SLICE: _channel_slice,
        Kind.CHANNEL_SHUFFLE: _channel_shuffle,
        Kind.REPEAT: _repeat,
        Kind.PAD: _pad,
        Kind.REARRANGE: _rearrange,
    }
)
