"""Draws MobileNet-MultiHardware MAX and AVG, whose latencies are published and which the project does not train.

The layers are those of Chu et al. 2020, "Discovering Multi-Hardware Mobile Models via Architecture Search", arXiv
2008.08178, as tensorflow/models writes them in official/vision/modeling/backbones/mobilenet.py. At width 1.5 they have
8.9 and 10.0 million weights, which is what table 6 of MobileNetV4's paper says of them.
"""

from mobile_sdk.graph.builder import GraphBuilder
from mobile_sdk.graph.operators import Add, Clamp, Graph, Tensor
from qat.nets.blocks import make_divisible

Block = tuple[int, int, int, int]
"""This is an inverted bottleneck: its kernel, stride, channels and expansion."""

_STEM, _LAST, _HIDDEN = 32, 960, 1280
BLOCKS: dict[str, tuple[Block, ...]] = {
    "mobilenet_multi_max": (
        *((3, 2, 32, 3), (5, 2, 64, 6), (3, 1, 64, 2), (3, 1, 64, 2)),
        *((5, 2, 128, 6), (3, 1, 128, 4), (3, 1, 128, 3), (3, 1, 128, 3), (3, 1, 128, 6), (3, 1, 128, 3)),
        *((3, 2, 160, 6), (5, 1, 160, 4), (3, 1, 160, 5), (5, 1, 160, 4)),
    ),
    "mobilenet_multi_avg": (
        *((3, 2, 32, 3), (3, 1, 32, 2), (5, 2, 64, 5), (3, 1, 64, 3), (3, 1, 64, 2), (3, 1, 64, 3)),
        *((5, 2, 128, 6), (3, 1, 128, 3), (3, 1, 128, 3), (3, 1, 128, 3), (3, 1, 160, 6), (3, 1, 160, 4)),
        *((3, 2, 192, 6), (5, 1, 192, 4), (5, 1, 192, 4), (5, 1, 192, 4)),
    ),
}


def multi_hardware_graph(name: str, *, width: float, size_px: int, classes: int) -> Graph:
    """Returns the int8 graph of one of `BLOCKS`, with random weights."""
    build = GraphBuilder(size_px)
    x = build.conv(build.input, make_divisible(_STEM * width), 3, stride=2, clamp=Clamp.RELU)
    for kernel, stride, channels, expansion in BLOCKS[name]:
        x = _bottleneck(build, x, kernel, stride, make_divisible(channels * width), expansion)
    x = build.conv(x, make_divisible(_LAST * width), clamp=Clamp.RELU)
    x = build.conv(build.mean(x), make_divisible(_HIDDEN * width), clamp=Clamp.RELU)
    build.linear(x, classes)
    return build.graph()


def _bottleneck(build: GraphBuilder, x: Tensor, kernel: int, stride: int, channels: int, expansion: int) -> Tensor:
    inner = x.shape[0] * expansion
    y = build.conv(x, inner, clamp=Clamp.RELU)
    y = build.conv(y, inner, kernel, stride=stride, groups=inner, clamp=Clamp.RELU)
    y = build.conv(y, channels)
    return build.binary(Add, y, x) if y.shape == x.shape else y
