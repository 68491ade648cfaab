"""Counts the work of a graph by kind of operator, as a latency is the sum of their costs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.graph import operators as ops
from mobile_sdk.graph.layout.rearrangement import channels_last
from mobile_sdk.graph.operators.traits import WorkKind


@dataclass(frozen=True, kw_only=True)
class Work:
    """Holds the work of one run, in amounts that processors spend time on.

    It counts multiply-adds of convolutions: 1×1 and larger; in groups; depthwise 3×3 and larger (runtimes have other
    kernels for each). It counts the weights of all layers, each read from memory once: they determine the cost of a
    linear layer, and a convolution on a 1×1 map is one. It counts elements that convolutions read and write (`moved`),
    and those of sums of two tensors, of products and activations, of products with a gate a channel, and of means. It
    counts elements of pooled maps, and pixels of those that are padded for pooling (convolutions pad as they read). It
    counts elements of maps that are joined and sliced along channels, shuffled and resized, and their pixels, as each
    is moved by itself; and elements that are cut and joined along rows. It counts elements of the picture and of other
    tensors that change their type, and the numbers of decoded boxes and their scores. Calls of an operator, and a run
    of the whole graph, have costs of their own.
    """

    pointwise_macs: float = 0.0
    spatial_macs: float = 0.0
    grouped_macs: float = 0.0
    depthwise_macs: float = 0.0
    large_depthwise_macs: float = 0.0
    weights: float = 0.0
    moved_elements: float = 0.0
    summed_elements: float = 0.0
    scaled_elements: float = 0.0
    gated_elements: float = 0.0
    averaged_elements: float = 0.0
    pooled_elements: float = 0.0
    padded_pixels: float = 0.0
    joined_elements: float = 0.0
    sliced_elements: float = 0.0
    shuffled_elements: float = 0.0
    resized_elements: float = 0.0
    moved_pixels: float = 0.0
    row_elements: float = 0.0
    converted_elements: float = 0.0
    decoded_elements: float = 0.0
    operators: float = 0.0
    runs: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(**{name: getattr(self, name) + getattr(other, name) for name in AMOUNTS})

    def amounts(self) -> NDArray[np.float64]:
        """Returns the amounts in the order of `AMOUNTS`."""
        return np.array([getattr(self, name) for name in AMOUNTS])


_INPUT_TILE = 8  # channels that XNNPACK's kernels for 8-bit products read at a time

AMOUNTS = tuple(field.name for field in fields(Work))

WORDS: Mapping[str, str] = {
    "pointwise_macs": "1×1 convolution",
    "spatial_macs": "larger convolution",
    "grouped_macs": "grouped convolution",
    "depthwise_macs": "depthwise convolution",
    "large_depthwise_macs": "depthwise convolution above 3×3",
    "weights": "weights",
    "moved_elements": "convolutions' memory",
    "summed_elements": "sum",
    "scaled_elements": "product and activation",
    "gated_elements": "gate",
    "averaged_elements": "global mean",
    "pooled_elements": "pooling",
    "padded_pixels": "padding",
    "joined_elements": "concatenation",
    "sliced_elements": "slice",
    "shuffled_elements": "channel shuffle",
    "resized_elements": "resize",
    "moved_pixels": "pixels that are moved",
    "row_elements": "strips of rows",
    "converted_elements": "conversion of types",
    "decoded_elements": "decoding of boxes",
    "operators": "calls of operators",
    "runs": "a run as such",
}
"""Each amount has this name in texts for people."""


def count_work(graph: ops.Graph, *, channel_tile: int = 1) -> Work:
    """Returns the work of one run of `graph`, int8 or float32, on kernels with that many output channels at once.

    Kernels compute the whole of a partly filled last tile, and kernels with tiles read input channels by eight.
    """
    return sum((work_of(operator, channel_tile) for operator in graph.operators), _of_picture(graph))


def work_of(operator: ops.Operator, channel_tile: int = 1) -> Work:
    """Returns the work of one operator, by the kind of work that its class states."""
    return _COUNTS[operator.traits.work](operator, channel_tile)


def _of_picture(graph: ops.Graph) -> Work:
    """Returns the work of turning bytes into codes for an int8 reader; a Dequantize of the picture counts itself."""
    readers = [operator for operator in graph.operators if graph.input in operator.inputs]
    is_read_as_codes = any(not isinstance(operator, ops.Dequantize) for operator in readers)
    return Work(converted_elements=prod(graph.input.shape) if is_read_as_codes else 0, runs=1 if readers else 0)


def _of_convolution(operator: ops.Conv2d, channel_tile: int) -> Work:
    channels, height, width = operator.output.shape
    if height * width == 1:
        return Work(weights=_weights(operator), operators=1)
    groups = 1 if operator.is_depthwise else operator.groups
    computed = groups * _whole_tiles(channels // groups, channel_tile)
    inputs, *kernel = operator.weight.shape[1:]
    read = inputs if operator.is_depthwise else _whole_tiles(inputs, _reads(channel_tile))
    macs = {_kind_of_convolution(operator): computed * read * prod(kernel) * height * width}
    moved = prod(operator.input.shape) + prod(operator.output.shape)
    return Work(**macs, weights=_weights(operator), moved_elements=moved, operators=1)


def _of_transposed_convolution(operator: ops.ConvTranspose2d, channel_tile: int) -> Work:
    filters, inputs, *kernel = operator.weight.shape
    computed = -(-filters // channel_tile) * channel_tile
    macs = computed * inputs * prod(kernel) * prod(operator.input.shape[1:])
    moved = prod(operator.input.shape) + prod(operator.output.shape)
    return Work(spatial_macs=macs, weights=_weights(operator), moved_elements=moved, operators=1)


def _kind_of_convolution(operator: ops.Conv2d) -> str:
    kernel = max(operator.weight.shape[2:])
    if operator.is_depthwise:
        return "depthwise_macs" if kernel <= 3 else "large_depthwise_macs"
    if operator.groups > 1:
        return "grouped_macs"
    return "pointwise_macs" if kernel == 1 else "spatial_macs"


def _of_linear(operator: ops.Linear, channel_tile: int) -> Work:
    """Counts a vector's layer by its weights, and one on rows as the 1×1 convolution that it is."""
    *rows, outputs = operator.output.shape
    if prod(rows) == 1:
        return Work(weights=_weights(operator), operators=1)
    computed, read = _whole_tiles(outputs, channel_tile), _whole_tiles(operator.weight.shape[1], _reads(channel_tile))
    moved = prod(operator.input.shape) + prod(operator.output.shape)
    macs = computed * read * prod(rows)
    return Work(pointwise_macs=macs, weights=_weights(operator), moved_elements=moved, operators=1)


def _of_matrix_product(operator: ops.MatMul, channel_tile: int) -> Work:
    *_, rows, columns = operator.output.shape
    matrices = prod(operator.output.shape) // (rows * columns)
    read = _whole_tiles(operator.depth, _reads(channel_tile))
    macs = matrices * rows * read * _whole_tiles(columns, channel_tile)
    moved = sum(prod(each.shape) for each in (operator.a, operator.b, operator.output))
    return Work(pointwise_macs=macs, moved_elements=moved, operators=1)


def _weights(operator: ops.Weighted) -> float:
    """Counts weights by their bytes in int8: two of 4 bits are read as one."""
    return operator.weight.size * operator.weight_bits / 8


def _reads(channel_tile: int) -> int:
    """Returns how many input channels kernels read at a time."""
    return 1 if channel_tile == 1 else _INPUT_TILE


def _whole_tiles(channels: int, tile: int) -> int:
    return -(-channels // tile) * tile


def _of_nothing(operator: ops.Operator, channel_tile: int) -> Work:
    return Work()  # only a new name for equal memory


def _of_pool(operator: ops.MaxPool2d | ops.AvgPool2d, channel_tile: int) -> Work:
    return Work(
        pooled_elements=prod(operator.input.shape),
        moved_pixels=operator.kernel[0] * prod(operator.output.shape[1:]),
        padded_pixels=0 if _pads_in_place(operator) else prod(operator.input.shape[1:]),
        operators=1,
    )


def _pads_in_place(operator: ops.MaxPool2d | ops.AvgPool2d) -> bool:
    """Tells whether the padding is TensorFlow's SAME, or none; LiteRT copies the map for any other padding."""
    same: list[int] = []
    for length, count, window, step in zip(
        operator.input.shape[1:], operator.output.shape[1:], operator.kernel, operator.stride, strict=True
    ):
        total = max((count - 1) * step + window - length, 0)
        same += [total // 2, total - total // 2]
    return operator.padding in (tuple(same), (0, 0, 0, 0))


def _of_add(operator: ops.Add, channel_tile: int) -> Work:
    return _of_elements("summed_elements" if isinstance(operator.b, ops.Tensor) else "scaled_elements")(operator, 1)


def _of_mul(operator: ops.Mul, channel_tile: int) -> Work:
    is_gate = isinstance(operator.b, ops.Tensor) and operator.b.shape != operator.a.shape
    return _of_elements("gated_elements" if is_gate else "scaled_elements")(operator, 1)


def _of_elements(kind: str) -> Callable[[Any, int], Work]:
    """Counts the elements of the largest tensor that an operator reads or writes."""

    def count(operator: ops.Operator, channel_tile: int) -> Work:
        tensors = [value for value in (*operator.inputs, operator.output) if isinstance(value, ops.Tensor)]
        return Work(**{kind: max(prod(tensor.shape) for tensor in tensors)}, operators=1)

    return count


def _of_concat(operator: ops.Concat, channel_tile: int) -> Work:
    shape, runs = operator.output.shape, _runs(operator)
    return Work(joined_elements=prod(shape), moved_pixels=len(operator.parts) * runs, operators=1)


def _of_slice(operator: ops.ChannelSlice, channel_tile: int) -> Work:
    return Work(sliced_elements=prod(operator.output.shape), moved_pixels=_runs(operator), operators=1)


def _runs(operator: ops.Concat | ops.ChannelSlice) -> int:
    """Returns how many runs of neighbours a part has where maps are stored with channels last: pixels, for channels."""
    stored = channels_last(operator.output.shape)
    return prod(stored.shape[: stored.order.index(operator.axis)])


def _of_shuffle(operator: ops.ChannelShuffle | ops.Rearrange, channel_tile: int) -> Work:
    """Counts the runs of neighbours that a transposition reads; a reshape costs nothing."""
    elements = prod(operator.output.shape)
    if isinstance(operator, ops.ChannelShuffle):
        runs = [operator.groups * prod(operator.output.shape[1:])]
    else:
        runs = [elements // move.split[-1] for move in operator.stored]
    return Work(shuffled_elements=len(runs) * elements, moved_pixels=sum(runs), operators=len(runs))


def _of_resize(operator: ops.ResizeBilinear, channel_tile: int) -> Work:
    shape = operator.output.shape
    return Work(resized_elements=prod(shape), moved_pixels=prod(shape[1:]), operators=1)


def _of_rows(operator: ops.Operator, channel_tile: int) -> Work:
    return Work(row_elements=prod(operator.output.shape), operators=1)


_COUNTS: Mapping[WorkKind, Callable[[Any, int], Work]] = {
    WorkKind.CONVOLUTION: _of_convolution,
    WorkKind.TRANSPOSED_CONVOLUTION: _of_transposed_convolution,
    WorkKind.LINEAR: _of_linear,
    WorkKind.SUM: _of_add,
    WorkKind.PRODUCT: _of_mul,
    WorkKind.ACTIVATION: _of_elements("scaled_elements"),
    WorkKind.MEAN: _of_elements("averaged_elements"),
    WorkKind.POOLING: _of_pool,
    WorkKind.CONCATENATION: _of_concat,
    WorkKind.SLICE: _of_slice,
    WorkKind.SHUFFLE: _of_shuffle,
    WorkKind.RESIZE: _of_resize,
    WorkKind.ROWS: _of_rows,
    WorkKind.CONVERSION: _of_elements("converted_elements"),
    WorkKind.BOXES: _of_elements("decoded_elements"),
    WorkKind.MATRIX_PRODUCT: _of_matrix_product,
    WorkKind.SOFTMAX: _of_elements("scaled_elements"),
    WorkKind.NORMALIZATION: _of_elements("averaged_elements"),
    WorkKind.NONE: _of_nothing,
}
