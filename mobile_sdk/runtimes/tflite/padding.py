"""TensorFlow's padding: what SAME means in pixels."""


def extents(kernel: tuple[int, ...], dilation: tuple[int, int]) -> tuple[int, int]:
    """How many rows and columns the window reaches over, holes included."""
    return (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1


def same_padding(size: tuple[int, ...], extent: tuple[int, int], stride: tuple[int, int]) -> tuple[int, int, int, int]:
    """TensorFlow's SAME as (top, bottom, left, right): the output is ceil(size / stride), the odd pixel goes after."""
    amounts: list[int] = []
    for length, window, step in zip(size, extent, stride, strict=True):
        total = max((-(-length // step) - 1) * step + window - length, 0)
        amounts += [total // 2, total - total // 2]
    return amounts[0], amounts[1], amounts[2], amounts[3]
