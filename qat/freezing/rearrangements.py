"""Writes operators that select, reorder or resize their input's values, in int8 as in float32."""

from mobile_sdk.graph.operators import ChannelShuffle, ChannelSlice, MaxPool2d, Operator, ResizeBilinear, Tensor
from qat.steps import Kind, Step


def rearrangement(step: Step, value: Tensor, output: Tensor) -> Operator:
    """Returns the operator of a max pooling, a resizing, a slice or a shuffle of channels."""
    if step.kind is Kind.RESIZE:
        return ResizeBilinear(output=output, path=step.path, input=value)
    if step.kind is Kind.CHANNEL_SLICE:
        start, stop = step.channels
        return ChannelSlice(output=output, path=step.path, input=value, start=start, stop=stop)
    if step.kind is Kind.CHANNEL_SHUFFLE:
        return ChannelShuffle(output=output, path=step.path, input=value, groups=step.groups)
    assert step.kind is Kind.MAX_POOL and step.window is not None
    return MaxPool2d(
        output=output,
        path=step.path,
        input=value,
        kernel=step.window.kernel,
        stride=step.window.stride,
        padding=step.window.padding,
    )
