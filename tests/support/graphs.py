"""Small graphs with realistic weights and scales, int8 and their float32 twins, for every test that needs one.

`GRAPHS` maps a name to a recipe; `int8_graph(name)` and `float_graph(name)` build it. Both twins come from one seed:
the float net is the int8 net without rounding. Ranges are measured on random pictures, so the codes use their range.
"""

from collections.abc import Callable

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph.operators import Graph
from tests.support.graph_builder import CLASSES, Builder, Wire, pictures

__all__ = ["CLASSES", "GRAPHS", "Builder", "Wire", "contract_for", "float_graph", "int8_graph", "pictures"]


def int8_graph(name: str, *, seed: int = 0) -> Graph:
    """The int8 graph of that recipe."""
    return _built(name, seed, int8=True)


def float_graph(name: str, *, seed: int = 0) -> Graph:
    """The float32 twin of `int8_graph(name, seed=seed)`."""
    return _built(name, seed, int8=False)


def contract_for(graph: Graph) -> Contract:
    """A contract that fits the graph's input and classes."""
    labels = tuple(f"label {index}" for index in range(graph.output.shape[0]))
    return Contract(name="test", labels=labels, image=ImageSpec(size_px=graph.input.shape[1]))


def _conv_chain(build: Builder) -> Wire:
    x = build.conv(build.input, 8, 3, stride=2, activation="relu6")
    x = build.conv(x, 8, 3, groups=8, activation="relu6")
    x = build.conv(x, 16, activation="relu")
    x = build.conv(x, 16, 3, stride=2, groups=16, activation="clamped relu")
    x = build.conv(x, 12, 3, groups=4, dilation=2)
    return build.head(x)


def _uneven_padding(build: Builder) -> Wire:
    x = build.conv(build.input, 8, 3, stride=2, activation="relu6", padding=(0, 1, 0, 1))
    x = build.conv(x, 8, 3, stride=2, groups=8, padding=(0, 1, 0, 1))
    return build.head(x)


def _inverted_residual(build: Builder) -> Wire:
    x = build.conv(build.input, 8, 3, stride=2, activation="relu6")
    x = build.inverted_residual(build.conv(x, 8), 24)
    return build.head(build.inverted_residual(x, 24))


def _hard_swish(build: Builder) -> Wire:
    x = build.hard_swish(build.conv(build.input, 8, 3, stride=2))
    x = build.hard_swish(build.conv(x, 8, 5, groups=8))
    return build.head(build.conv(x, 12))


def _squeeze_excite(build: Builder) -> Wire:
    x = build.conv(build.input, 8, 3, stride=2, activation="relu")
    x = build.squeeze_excite(build.conv(x, 8, 3, groups=8, activation="relu"))
    x = build.squeeze_excite(build.hard_swish(build.conv(x, 16)))
    return build.linear(build.mean(build.conv(x, 12), keep_shape=False))


def _concat_pool(build: Builder) -> Wire:
    x = build.max_pool(build.conv(build.input, 8, 3, activation="relu6"), 3, 2, (1, 1, 1, 1))
    x = build.concat(x, build.conv(x, 4, activation="relu6"), build.conv(x, 8, 3, activation="relu6"))
    return build.head(build.max_pool(x, 2, 2))


def _grouped_shuffled(build: Builder) -> Wire:
    """ShuffleNet's pieces: convolutions in groups, shuffles, and half of the channels passing by."""
    x = build.conv(build.input, 12, 3, stride=2, activation="relu6")
    x = build.shuffle(build.conv(x, 24, groups=3, activation="relu6"), 3)
    x = build.conv(build.conv(x, 24, 3, groups=24), 12, groups=4)
    x = build.shuffle(build.concat(build.channels(x, 6, 12), build.channels(x, 0, 6), build.channels(x, 1, 5)), 2)
    return build.head(x)


def _atrous_pyramid(build: Builder) -> Wire:
    """A segmenter's pieces: atrous convolutions, a pooled map spread over all pixels, and maps that grow."""
    x = build.conv(build.conv(build.input, 8, 3, stride=2, activation="relu6"), 8, 3, groups=8, dilation=2)
    pooled = build.resize(build.conv(build.mean(x), 4, activation="relu6"), (8, 8))
    x = build.concat(build.conv(x, 6, 3, dilation=4, activation="relu6"), pooled)
    return build.head(build.conv(build.resize(x, (32, 16)), 12, 3, stride=2))


def _linear_head(build: Builder) -> Wire:
    return build.linear(build.reshape(build.mean(build.input)))


def _mobile_block(build: Builder) -> Wire:
    """All of MobileNetV3's pieces in one small net, with residual sums."""
    x = build.conv(build.hard_swish(build.conv(build.input, 16, 3, stride=2)), 8)
    for _ in range(2):
        wide = build.hard_swish(build.conv(x, 32))
        deep = build.hard_swish(build.conv(wide, 32, 5, groups=32))
        x = build.add(x, build.conv(build.squeeze_excite(deep), 8))
    x = build.mean(build.hard_swish(build.conv(x, 32)))
    return build.reshape(build.conv(build.hard_swish(build.conv(x, 48)), CLASSES))


def _four_bit_weights(build: Builder) -> Wire:
    """A net whose pointwise and linear layers have 4-bit weights, beside layers that cannot; some counts are odd."""
    x = build.conv(build.conv(build.input, 8, 3, stride=2, activation="relu6"), 8, bits=4)
    wide = build.conv(x, 26, activation="relu6", bits=4)
    deep = build.conv(wide, 26, 3, groups=26, activation="relu6")
    x = build.conv(build.add(x, build.conv(deep, 8, bits=4)), 34, activation="clamped relu", bits=4)
    x = build.mean(build.conv(build.conv(x, 7, bits=4), 46, activation="relu"))
    return build.linear(build.reshape(build.conv(x, 10, activation="relu6", bits=4)), bits=4)


GRAPHS: dict[str, Callable[[Builder], Wire]] = {
    "conv chain": _conv_chain,
    "uneven padding": _uneven_padding,
    "inverted residual": _inverted_residual,
    "hard swish": _hard_swish,
    "squeeze excite": _squeeze_excite,
    "concat pool": _concat_pool,
    "grouped and shuffled": _grouped_shuffled,
    "atrous pyramid": _atrous_pyramid,
    "linear head": _linear_head,
    "mobile block": _mobile_block,
    "four-bit weights": _four_bit_weights,
}


def _built(name: str, seed: int, *, int8: bool) -> Graph:
    builder = Builder(int8=int8, seed=seed)
    GRAPHS[name](builder)
    return builder.graph()
