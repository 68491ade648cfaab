"""Composes means over any axes, and averages over windows of several sizes, of operators that runtimes have."""

from dataclasses import replace
from math import gcd, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph.operators import Conv2d, Mean, Operator, Rearrange, Tensor
from qat.steps import Step


def rows_of(name: str, step: Step, x: Tensor) -> Tensor:
    """Returns the tensor (kept, reduced, 1) whose every channel holds the values of one mean over `step.axes`."""
    reduced = prod(x.shape[axis] for axis in step.axes)
    return replace(x, name=f"{name}.rows", shape=(prod(x.shape) // reduced, reduced, 1))


def mean_over_axes(step: Step, x: Tensor, rows: Tensor, output: Tensor) -> tuple[Operator, ...]:
    """Returns the operators of a mean: values in rows, the means of these, and the means in the output's shape."""
    kept = tuple(axis for axis in range(len(x.shape)) if axis not in step.axes)
    means = replace(output, name=f"{output.name}.means", shape=rows.shape[:1])
    return (
        Rearrange(output=rows, path=step.path, input=x, split=x.shape, order=(*kept, *step.axes)),
        Mean(output=means, path=step.path, input=rows),
        Rearrange(output=output, path=step.path, input=means, split=means.shape, order=(0,)),
    )


def adaptive_windows(before: tuple[int, ...], after: tuple[int, ...]) -> NDArray[np.bool_]:
    """Returns the windows (windows, rows, columns) of one block of a map that is pooled adaptively.

    A side of `n` pixels that is pooled to `m` has windows of several sizes, which repeat `gcd(n, m)` times: once in
    every block of `n / gcd` pixels. A window takes the pixels from `floor(i * n / m)` to `ceil((i + 1) * n / m)`.
    """
    sides = []
    for length, count in zip(before, after, strict=True):
        share = gcd(length, count)
        pixels = np.arange(length // share)
        starts = [index * length // count for index in range(count // share)]
        stops = [-(-(index + 1) * length // count) for index in range(count // share)]
        inside = [(pixels >= start) & (pixels < stop) for start, stop in zip(starts, stops, strict=True)]
        sides.append(np.stack(inside))
    windows: NDArray[np.bool_] = sides[0][:, None, :, None] & sides[1][None, :, None, :]
    return windows.reshape(-1, *windows.shape[2:])


def adaptive_pool(
    step: Step, x: Tensor, output: Tensor, weight: NDArray[Any], numbers: dict[str, Any]
) -> tuple[Operator, Operator]:
    """Returns a depthwise convolution with a filter for every window of a block, and the order of its results.

    `weight` are the filters of one channel (windows, rows, columns); `numbers` are the convolution's scales and bias.
    """
    channels, *after = output.shape
    block = weight.shape[1:]
    blocks = [length // size for length, size in zip(x.shape[1:], block, strict=True)]
    down, across = (count // each for count, each in zip(after, blocks, strict=True))
    shape = (channels * down * across, blocks[0], blocks[1])
    pooled = replace(output, name=f"{output.name}.blocks", shape=shape)
    convolution = Conv2d(
        output=pooled,
        path=step.path,
        input=x,
        weight=np.tile(weight, (channels, 1, 1))[:, None],
        stride=(block[0], block[1]),
        padding=(0, 0, 0, 0),
        dilation=(1, 1),
        groups=channels,
        **numbers,
    )
    split = (channels, down, across, *blocks)
    return convolution, Rearrange(output=output, path=step.path, input=pooled, split=split, order=(0, 3, 1, 4, 2))
