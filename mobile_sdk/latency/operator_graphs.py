"""Small graphs, each of one kind of operator: what a device is calibrated on.

Every graph begins at a picture, since that is what a bundle takes: a 1×1 convolution widens it to the channels that the
operators under test work on, and a mean ends it.
"""

from collections.abc import Callable, Iterator
from functools import partial

from mobile_sdk.graph_pen import Pen
from mobile_sdk.integer_graph import Add, Clamp, Graph, Mul, Tensor

_REPEATS = 3  # of the operators under test, so that they outweigh what leads to them

# Sizes and channels are those that MobileNets are made of, and none of them a whole net's.
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
_SHORT = ((8, 16), (8, 48), (14, 8))  # size, channels of operators that hardly compute: what each costs to call
_LINEAR = ((1280, 1000), (576, 1024), (1280, 4000))  # inputs, outputs; the last does not fit a second-level cache


def operator_graphs() -> Iterator[tuple[str, Graph]]:
    """Every graph with its name."""
    for size, channels in _STEMS:
        yield f"stem_{size}_{channels}", _built(size, partial(_stem, channels=channels))
    for size, few, many in _POINTWISE:
        yield f"pointwise_{size}_{few}_{many}", _built(size, partial(_pointwise, few=few, many=many))
    for size, channels, kernel, stride in _DEPTHWISE:
        draw = partial(_depthwise, channels=channels, kernel=kernel, stride=stride)
        yield f"depthwise_{size}_{channels}_{kernel}_{stride}", _built(size, draw)
    for size, channels in _ELEMENTWISE:
        yield f"add_{size}_{channels}", _built(size, partial(_adds, channels=channels))
        yield f"hard_swish_{size}_{channels}", _built(size, partial(_hard_swishes, channels=channels))
    for size, channels in _SQUEEZE_EXCITE:
        yield f"squeeze_excite_{size}_{channels}", _built(size, partial(_gates, channels=channels))
    for size, channels in _SHORT:
        yield f"short_{size}_{channels}", _built(size, partial(_short, channels=channels))
    for inputs, outputs in _LINEAR:
        yield f"linear_{inputs}_{outputs}", _built(8, partial(_widened, channels=inputs), outputs=outputs)


def _built(size_px: int, draw: Callable[[Pen], Tensor], outputs: int = 10) -> Graph:
    pen = Pen(size_px)
    pen.linear(pen.mean(draw(pen)), outputs)
    return pen.graph()


def _stem(pen: Pen, channels: int) -> Tensor:
    return pen.conv(pen.input, channels, 3, stride=2)


def _widened(pen: Pen, channels: int) -> Tensor:
    return pen.conv(pen.input, channels)


def _pointwise(pen: Pen, few: int, many: int) -> Tensor:
    x = _widened(pen, few)
    for _ in range(_REPEATS):
        x = pen.conv(pen.conv(x, many, clamp=Clamp.RELU6), few)
    return x


def _depthwise(pen: Pen, channels: int, kernel: int, stride: int) -> Tensor:
    x = _widened(pen, channels)
    for repeat in range(_REPEATS):
        x = pen.conv(x, channels, kernel, stride=stride if repeat == 0 else 1, groups=channels, clamp=Clamp.RELU6)
    return x


def _short(pen: Pen, channels: int) -> Tensor:
    x = _widened(pen, channels)
    for _ in range(4 * _REPEATS):
        x = pen.conv(pen.conv(x, channels, 3, groups=channels), channels)
    return x


def _adds(pen: Pen, channels: int) -> Tensor:
    first = x = _widened(pen, channels)
    for _ in range(2 * _REPEATS):
        x = pen.binary(Add, x, first)
    return x


def _hard_swishes(pen: Pen, channels: int) -> Tensor:
    x = _widened(pen, channels)
    for _ in range(_REPEATS):
        x = pen.hard_swish(x)
    return x


def _gates(pen: Pen, channels: int) -> Tensor:
    x = _widened(pen, channels)
    for _ in range(_REPEATS):
        squeezed = pen.conv(pen.mean(x), max(8, channels // 4), clamp=Clamp.RELU)
        x = pen.binary(Mul, x, pen.conv(squeezed, channels))
    return x
