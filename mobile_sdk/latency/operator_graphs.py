"""Makes small graphs, each of one kind of operator, to calibrate a device on.

Every graph begins at a picture, since a bundle takes one: a 1×1 convolution widens it to the channels that the
operators under test work on, and a mean ends it; graphs of label maps and boxes end in those.
"""

from collections.abc import Callable, Iterator
from functools import partial

from mobile_sdk.graph.builder import GraphBuilder
from mobile_sdk.graph.operators import Add, Clamp, Graph, Mul, Tensor

NamedGraph = tuple[str, Graph]

_REPEATS = 3  # of the operators under test, so that they outweigh the operators before them

# Sizes and channels are typical of mobile nets; no graph is a whole net.
_PICTURES = (224, 96)  # read and averaged: the cost of a picture before any layer
_STEMS = ((224, 32), (160, 16), (96, 24))  # picture, channels
_POINTWISE = (  # size, channels one way and the other
    (112, 8, 16),
    (112, 16, 32),
    (112, 32, 64),
    (56, 24, 72),
    (56, 24, 144),
    (56, 64, 128),
    (28, 40, 120),
    (28, 32, 192),
    (28, 128, 256),
    (14, 80, 480),
    (14, 64, 200),
    (14, 256, 512),
    (8, 96, 576),
    (8, 160, 960),
    (8, 512, 512),
)
_SPATIAL = ((56, 16, 64), (28, 48, 192), (14, 64, 256))  # size, channels one way and the other
_DEPTHWISE = (  # size, channels, kernel, stride of the first
    (112, 8, 3, 1),
    (112, 32, 3, 1),
    (112, 64, 3, 2),
    (56, 144, 3, 1),
    (56, 72, 5, 2),
    (28, 192, 3, 1),
    (28, 120, 5, 1),
    (14, 512, 3, 1),
    (14, 480, 5, 1),
    (8, 960, 3, 1),
    (8, 576, 5, 1),
)
_ELEMENTWISE = ((112, 16), (56, 24), (28, 64), (14, 480), (8, 960))  # size, channels
_SQUEEZE_EXCITE = ((56, 64), (28, 120), (14, 480), (8, 960))  # size, channels
_SHORT = ((8, 16), (8, 48), (14, 8))  # size, channels of operators that hardly compute: the cost of each call
_GROUPED = ((28, 60, 240, 3), (14, 120, 480, 3), (28, 64, 128, 8))  # size, channels one way and the other, groups
_SHUFFLES = ((56, 24, 3), (28, 116, 2), (14, 232, 2), (8, 240, 3))  # size, channels, groups
_SLICES = ((56, 64), (28, 232), (14, 464))  # size, channels; each slice halves them
_JOINS = ((56, 8), (28, 29), (14, 58))  # size, channels; each join doubles them
_POOLS = ((112, 24, 3, 2), (56, 128, 3, 2), (28, 64, 3, 1), (56, 64, 2, 2))  # size, channels, window, stride
_RESIZES = ((16, 21, 128), (8, 128, 16), (1, 240, 16), (14, 40, 56))  # size, channels, size of the result
_DILATED = ((28, 96, 2),)  # size, channels, dilation of the depthwise 3×3 and of the dense one
_STRIPS = ((56, 64), (28, 144))  # size, channels of maps that are cut into strips of rows and joined
_BOXES = ((20, 10, 21), (10, 5, 91))  # sizes of two maps, scores of an anchor
_LINEAR = ((1280, 1000), (576, 1024), (1280, 4000))  # inputs, outputs; the last does not fit a second-level cache


def operator_graphs() -> Iterator[NamedGraph]:
    """Yields every graph with its name."""
    yield from _computing()
    yield from _elementwise()
    yield from _rearranging()
    for inputs, outputs in _LINEAR:
        yield f"linear_{inputs}_{outputs}", _built(8, partial(_widened, channels=inputs), outputs=outputs)


def _computing() -> Iterator[NamedGraph]:
    for size in _PICTURES:
        yield f"picture_{size}", _built(size, lambda build: build.input)
    for size, channels in _STEMS:
        yield f"stem_{size}_{channels}", _built(size, partial(_stem, channels=channels))
    for size, few, many in _POINTWISE:
        yield f"pointwise_{size}_{few}_{many}", _built(size, partial(_pointwise, few=few, many=many))
    for size, few, many in _SPATIAL:
        yield f"spatial_{size}_{few}_{many}", _built(size, partial(_pointwise, few=few, many=many, kernel=3))
    for size, few, many, groups in _GROUPED:
        draw = partial(_pointwise, few=few, many=many, groups=groups)
        yield f"grouped_{size}_{few}_{many}_{groups}", _built(size, draw)
    for size, channels, kernel, stride in _DEPTHWISE:
        draw = partial(_depthwise, channels=channels, kernel=kernel, stride=stride)
        yield f"depthwise_{size}_{channels}_{kernel}_{stride}", _built(size, draw)
    for size, channels, dilation in _DILATED:
        yield f"dilated_{size}_{channels}_{dilation}", _built(size, partial(_dilated, channels=channels, by=dilation))


def _elementwise() -> Iterator[NamedGraph]:
    for size, channels in _ELEMENTWISE:
        yield f"add_{size}_{channels}", _built(size, partial(_adds, channels=channels))
        yield f"hard_swish_{size}_{channels}", _built(size, partial(_hard_swishes, channels=channels))
    for size, channels in _SQUEEZE_EXCITE:
        yield f"squeeze_excite_{size}_{channels}", _built(size, partial(_gates, channels=channels))
    for size, channels in _SHORT:
        yield f"short_{size}_{channels}", _built(size, partial(_short, channels=channels))


def _rearranging() -> Iterator[NamedGraph]:
    for size, channels, groups in _SHUFFLES:
        yield f"shuffle_{size}_{channels}_{groups}", _built(size, partial(_shuffles, channels=channels, groups=groups))
    for size, channels in _SLICES:
        yield f"slice_{size}_{channels}", _built(size, partial(_slices, channels=channels))
    for size, channels in _JOINS:
        yield f"concat_{size}_{channels}", _built(size, partial(_joins, channels=channels))
    for size, channels, window, stride in _POOLS:
        draw = partial(_pools, channels=channels, window=window, stride=stride)
        yield f"pool_{size}_{channels}_{window}_{stride}", _built(size, draw)
    for size, channels, to in _RESIZES:
        yield f"resize_{size}_{channels}_{to}", _resized(size, channels, to)
    for size, channels in _STRIPS:
        yield f"strips_{size}_{channels}", _built(size, partial(_strips, channels=channels))
    for large, small, scores in _BOXES:
        yield f"boxes_{large}_{small}_{scores}", _boxes(large, small, scores)


def _built(size_px: int, draw: Callable[[GraphBuilder], Tensor], outputs: int = 10) -> Graph:
    build = GraphBuilder(size_px)
    build.linear(build.mean(draw(build)), outputs)
    return build.graph()


def _stem(build: GraphBuilder, channels: int) -> Tensor:
    return build.conv(build.input, channels, 3, stride=2)


def _widened(build: GraphBuilder, channels: int) -> Tensor:
    return build.conv(build.input, channels)


def _pointwise(build: GraphBuilder, few: int, many: int, groups: int = 1, kernel: int = 1) -> Tensor:
    """Goes from few to many channels with the kernel, and back without one."""
    x = _widened(build, few)
    for _ in range(_REPEATS):
        x = build.conv(build.conv(x, many, kernel, groups=groups, clamp=Clamp.RELU6), few, groups=groups)
    return x


def _depthwise(build: GraphBuilder, channels: int, kernel: int, stride: int) -> Tensor:
    x = _widened(build, channels)
    for repeat in range(_REPEATS):
        x = build.conv(x, channels, kernel, stride=stride if repeat == 0 else 1, groups=channels, clamp=Clamp.RELU6)
    return x


def _short(build: GraphBuilder, channels: int) -> Tensor:
    x = _widened(build, channels)
    for _ in range(4 * _REPEATS):
        x = build.conv(build.conv(x, channels, 3, groups=channels), channels)
    return x


def _adds(build: GraphBuilder, channels: int) -> Tensor:
    first = x = _widened(build, channels)
    for _ in range(2 * _REPEATS):
        x = build.binary(Add, x, first)
    return x


def _hard_swishes(build: GraphBuilder, channels: int) -> Tensor:
    x = _widened(build, channels)
    for _ in range(_REPEATS):
        x = build.hard_swish(x)
    return x


def _gates(build: GraphBuilder, channels: int) -> Tensor:
    x = _widened(build, channels)
    for _ in range(_REPEATS):
        squeezed = build.conv(build.mean(x), max(8, channels // 4), clamp=Clamp.RELU)
        x = build.binary(Mul, x, build.conv(squeezed, channels))
    return x


def _dilated(build: GraphBuilder, channels: int, by: int) -> Tensor:
    x = _widened(build, channels)
    for _ in range(_REPEATS):
        x = build.conv(x, channels, 3, groups=channels, dilation=by, clamp=Clamp.RELU6)
    return build.conv(x, channels, 3, dilation=by)


def _shuffles(build: GraphBuilder, channels: int, groups: int) -> Tensor:
    x = _widened(build, channels)
    for _ in range(_REPEATS):
        x = build.shuffle(x, groups)
    return x


def _slices(build: GraphBuilder, channels: int) -> Tensor:
    x = _widened(build, channels)
    for _ in range(_REPEATS):
        half = x.shape[0] // 2
        x = build.binary(Add, build.channels(x, 0, half), build.channels(x, half, 2 * half))
    return x


def _joins(build: GraphBuilder, channels: int) -> Tensor:
    x = _widened(build, channels)
    for _ in range(_REPEATS):
        x = build.concat([x, x])
    return x


def _pools(build: GraphBuilder, channels: int, window: int, stride: int) -> Tensor:
    x = build.conv(build.input, channels, clamp=Clamp.RELU)
    for _ in range(_REPEATS):
        x = build.max_pool(x, window, stride=stride)
    return x


def _resized(size: int, channels: int, to: int) -> Graph:
    """Ends in a map of labels, as a segmenter does."""
    build = GraphBuilder(max(8, size))
    x = _widened(build, channels)
    build.resize(build.mean(x) if size == 1 else x, to)
    return build.graph()


def _strips(build: GraphBuilder, channels: int) -> Tensor:
    x = _widened(build, channels)
    for _ in range(_REPEATS):
        half = x.shape[1] // 2
        x = build.join_rows([build.rows(x, 0, half), build.rows(x, half, 2 * half)])
    return x


def _boxes(large: int, small: int, scores: int) -> Graph:
    """Ends in boxes, as a detector does: six anchors at each position of two maps."""
    build = GraphBuilder(large)
    first = _widened(build, 32)
    second = build.conv(first, 32, 3, stride=large // small)
    build.boxes([build.conv(x, 6 * columns) for x in (first, second) for columns in (4, scores)], scores)
    return build.graph()
