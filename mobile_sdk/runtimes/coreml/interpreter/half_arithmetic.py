"""Lists ways in which an accelerator may compute float16 operations; how Apple's Neural Engine does is not published.

Core ML's operators say what is computed, not in which order a sum is taken, in how many digits, and whether a quotient
is rounded before it becomes a code. These four bracket the answers; a file must be good in all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True, kw_only=True)
class HalfArithmetic:
    """Describes one way to compute operations whose results the file says are float16.

    `rounds_tensors`: every result is rounded to float16. Without it codes are multiplied and summed without error, as
    in an int8 unit, and only scales and biases are float16. `rounds_ratio`: `quantize` rounds `value / scale` to
    float16 before it rounds to a code. `channels_a_sum`: sums of products of so many input channels are rounded to
    float16, and so is their running total; None sums in float32.
    """

    name: str
    rounds_tensors: bool = True
    rounds_ratio: bool = False
    channels_a_sum: int | None = None


ARITHMETICS = {
    each.name: each
    for each in (
        HalfArithmetic(name="float32 sums"),
        HalfArithmetic(name="float16 ratios", rounds_ratio=True),
        HalfArithmetic(name="int32 sums", rounds_tensors=False),
        HalfArithmetic(name="float16 sums", channels_a_sum=32),
    )
}
"""It maps names to arithmetics, the one whose scores stand for all of them first."""
USUAL = next(iter(ARITHMETICS.values()))


def half(x: torch.Tensor) -> torch.Tensor:
    """Rounds to float16; the result is float32 again, in which the interpreter holds all real values."""
    return x.to(torch.float16).to(torch.float32)


def summed(
    part: Callable[[slice], torch.Tensor], channels: int, bias: torch.Tensor | None, arithmetic: HalfArithmetic
) -> torch.Tensor:
    """Returns the sum of `part(channels)` over slices of input channels, rounded as the arithmetic says, and the bias.

    `bias` is shaped like the result, or broadcast to it.
    """
    step = arithmetic.channels_a_sum or channels
    total = part(slice(0, step))
    for start in range(step, channels, step):
        total = half(half(total) + half(part(slice(start, start + step))))
    return total if bias is None else half(total) + bias
