"""A graph with three outputs: scores, a map in the middle, and a map that later operators read."""

from dataclasses import replace

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph.operators import Graph, Head
from tests.support.graph_builder import SIZE_PX, Builder

CONTRACT = Contract(name="several", task="features", image=ImageSpec(size_px=SIZE_PX))


def several_outputs(*, int8: bool = True) -> Graph:
    build = Builder(int8=int8, seed=0)
    first = build.conv(build.input, 8, 3, stride=2, activation="relu6")
    side = build.conv(first, 5, 3)
    read = build.conv(first, 12, 3, stride=2, activation="relu6")
    scores = build.head(read)
    named = {"scores": scores, "rgb.side": side, "op1": read}
    heads = tuple(Head(name=name, tensor=wire.tensor) for name, wire in named.items())
    return replace(build.graph(), heads=heads)
