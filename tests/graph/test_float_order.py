"""Float32 layers that are called exact are exact: in both runtimes, on x86 and Arm, in the hardest cases."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from mobile_sdk import runtimes
from mobile_sdk.devices import EmulatedCore
from mobile_sdk.graph.checks.exactness import order_dependent_paths
from mobile_sdk.graph.checks.value_ranges import held_in
from mobile_sdk.graph.operators import (
    Add,
    ChannelSlice,
    Clamp,
    Constant,
    Dequantize,
    Graph,
    Mul,
    Operator,
    Quantize,
    ResizeBilinear,
    Tensor,
)
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from tests.support.operators.emulated_arm import PAIRS, differing
from tests.support.operators.random_cases import grid
from tests.support.tiny_nets import CONTRACT, Tiny, net, picture_set, rgb
from tests.support.written_here import WRITTEN_HERE

MASKS = CONTRACT.model_copy(update={"task": "segmentation"})
TEST = np.concatenate([rgb(6, seed=5), np.zeros((1, 16, 16, 3), np.uint8), np.full((1, 16, 16, 3), 255, np.uint8)])


def resized_net(factor: int | tuple[int, int], channels: int = 12) -> Tiny:
    """A segmenter that ends in a convolution and its map, resized."""
    down = (factor, factor) if isinstance(factor, int) else factor
    return net(
        lambda self, x: F.interpolate(self.last(F.max_pool2d(self.stem(x), down)), scale_factor=down, mode="bilinear"),
        stem=nn.Conv2d(3, channels, 3, padding=1),
        last=nn.Conv2d(channels, 5, 1),
    )


def two_scales() -> Tiny:
    """As LR-ASPP: a map is resized, gated and added to another; what is kept meets a resizing twice."""

    def forward(self: Tiny, x: torch.Tensor) -> torch.Tensor:
        low = F.relu(self.stem(x))
        deep = F.relu6(self.deep(low))
        high = F.interpolate(deep * F.hardsigmoid(self.gate(deep.mean((2, 3), keepdim=True))), (8, 8), mode="bilinear")
        return F.interpolate(self.of_low(low) + self.of_high(high), (16, 16), mode="bilinear")

    return net(
        forward,
        stem=nn.Conv2d(3, 8, 3, stride=2, padding=1),
        deep=nn.Conv2d(8, 8, 3, stride=2, padding=1),
        gate=nn.Conv2d(8, 8, 1),
        of_low=nn.Conv2d(8, 5, 1),
        of_high=nn.Conv2d(8, 5, 1),
    )


def one_pixel() -> Tiny:
    """A map of one pixel, repeated, as the pooling branch of a segmenter ends."""
    return net(
        lambda self, x: F.interpolate(self.last(self.stem(x).mean((2, 3), keepdim=True)), (16, 16), mode="bilinear"),
        stem=nn.Conv2d(3, 8, 3, padding=1),
        last=nn.Conv2d(8, 5, 1),
    )


KEPT: dict[str, tuple[Tiny, tuple[str, ...]]] = {
    "2": (resized_net(2), ("last",)),
    "8": (resized_net(8), ("last",)),
    "4 down, 8 across": (resized_net((4, 8), channels=40), ("last",)),
    "both branches": (two_scales(), ("of_low", "of_high")),
    "the sum": (two_scales(), ("<root>",)),
    "before the gate": (two_scales(), ("deep", "of_high")),
    "one pixel": (one_pixel(), ("last",)),
}


def mixed(made: Tiny, *keep: str) -> Graph:
    return quantize(made, MASKS, picture_set(8), CalibrationPlan.extremes(), keep_float=keep).graph


@pytest.mark.parametrize("runtime", WRITTEN_HERE)
@pytest.mark.parametrize("case", KEPT)
def test_a_kept_layer_before_resizing_is_as_exact_as_it_is_said_to_be(case: str, runtime: str, tmp_path: Path) -> None:
    made, keep = KEPT[case]
    graph, chosen = mixed(made, *keep), runtimes.get(runtime)
    model = tmp_path / chosen.model_file
    session = chosen.load(model, chosen.export(graph, MASKS, model), threads=1)
    found = np.stack([session.run(picture) for picture in TEST])
    wanted = Reference(graph).run(TEST)
    if chosen.requirement(graph).exact:
        assert np.array_equal(in_steps(found.reshape(wanted.shape), graph), in_steps(wanted, graph))


@pytest.mark.parametrize("case", [case for case in KEPT if case not in ("the sum", "before the gate")])
def test_a_kept_convolution_before_resizing_is_exact(case: str) -> None:
    made, keep = KEPT[case]
    assert order_dependent_paths(mixed(made, *keep)) == []


def test_rounding_before_resizing_costs_less_than_a_fifth_of_an_int8_step() -> None:
    """Beside the same graph without the two sums that round."""
    graph = mixed(*[KEPT["8"][0], *KEPT["8"][1]])
    rounding = [each for each in graph.operators if isinstance(each, Add)]
    assert len(rounding) == 2
    resize = next(each for each in graph.operators if isinstance(each, ResizeBilinear))
    plain = [replace(resize, input=rounding[0].a) if each is resize else each for each in graph.operators]
    other = replace(graph, operators=tuple(each for each in plain if each not in rounding))
    assert order_dependent_paths(other) == ["<root>"]
    assert not TfliteRuntime().requirement(other).exact
    first, second = (Reference(each).run(TEST) for each in (graph, other))
    assert 0 < np.abs(first - second).max() < np.ptp(second) / 255 / 5


def test_a_resizing_that_leaves_no_room_for_exact_values_is_named() -> None:
    made = resized_net(8)
    with torch.no_grad():  # two channels that take each other away, and could be far apart for all that one knows
        made.stem.weight[1], made.stem.bias[1] = made.stem.weight[0], made.stem.bias[0]
        made.last.weight[:, 0], made.last.weight[:, 1] = 1000, -1000
    graph = mixed(made, "last")
    assert order_dependent_paths(graph) == ["<root>"]
    assert "<root> is float32" in ExecuTorchRuntime().requirement(graph).why


@settings(max_examples=15)
@given(st.sampled_from(sorted(KEPT)), st.integers(0, 2**31))
def test_every_value_lies_in_the_interval_and_on_the_unit_that_are_known_of_its_tensor(case: str, seed: int) -> None:
    made, keep = KEPT[case]
    graph = mixed(made, *keep)
    pictures = np.random.default_rng(seed).integers(0, 256, (2, 16, 16, 3), np.uint8)
    values = Reference(graph).trace(pictures)
    for name, held in held_in(graph.operators).items():
        if held is None:
            continue
        found = values[name].astype(np.float64)
        assert held.low <= found.min() and found.max() <= held.high, name
        assert np.isinf(held.unit) or (np.remainder(found, held.unit) == 0).all(), name


# -- one operator after the other, on all pairs of codes


def two_halves(scale: float, zero_point: int) -> tuple[Tensor, list[Operator], Tensor, Tensor]:
    """A picture of two channels, and both as float32 values."""
    codes = Tensor(name="picture_codes", shape=(2, 256, 256), quantization=grid(scale, zero_point))
    operators: list[Operator] = []
    for index, name in enumerate("ab"):
        part = Tensor(name=f"{name}.codes", shape=(1, 256, 256), quantization=codes.quantization)
        values = Tensor(name=name, shape=part.shape, quantization=None)
        operators += [ChannelSlice(output=part, path=name, input=codes, start=index, stop=index + 1)]
        operators += [Dequantize(output=values, path=name, input=part)]
    return codes, operators, operators[1].output, operators[3].output


def elementwise(scale: float, factor: float, clamp: Clamp, wanted: float | None) -> Graph:
    """`clamp(a * factor + b) * b`, in float32 or as codes."""
    codes, operators, a, b = two_halves(scale, 7)
    constant = Constant(name="factor", value=float(np.float32(factor)), quantization=None)
    operators.append(Mul(output=replace(a, name="product"), path="product", a=a, b=constant))
    operators.append(Add(output=replace(a, name="sum"), path="sum", a=operators[-1].output, b=b, clamp=clamp))
    operators.append(Mul(output=replace(a, name="square"), path="square", a=operators[-1].output, b=b))
    if wanted is not None:
        output = replace(a, name="codes", quantization=grid(wanted, -3))
        operators.append(Quantize(output=output, path="codes", input=operators[-1].output))
    return Graph(input=codes, operators=tuple(operators))


ELEMENTWISE = [
    elementwise(0.1, 1 / 3, Clamp.NONE, None),
    elementwise(0.0173, 1 / 6, Clamp.RELU6, None),
    elementwise(1 / 128, 0.7, Clamp.RELU, 0.01),
    elementwise(0.5, 0.5, Clamp.NONE, 0.25),  # ties everywhere
    elementwise(0.3, 1.0, Clamp.NONE, 0.18),
]


def differing_here(graph: Graph, runtime: Any, given: NDArray[np.uint8], folder: Path) -> int:
    model = folder / runtime.model_file
    session = runtime.load(model, runtime.export(graph, CONTRACT, model), threads=1)
    found = np.stack([session.run(picture) for picture in given])
    wanted = Reference(graph).run(given)
    return int((found.reshape(wanted.shape) != wanted).sum())


@pytest.mark.parametrize("runtime", [TfliteRuntime(), ExecuTorchRuntime()], ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("graph", ELEMENTWISE, ids=["thirds", "sixths", "codes", "ties", "inverse"])
def test_products_sums_clamps_and_conversions_of_every_pair_of_codes_are_the_references(
    graph: Graph, runtime: Any, tmp_path: Path
) -> None:
    assert order_dependent_paths(graph) == []
    assert differing_here(graph, runtime, PAIRS, tmp_path) == 0


@pytest.mark.slow
@pytest.mark.parametrize("graph", ELEMENTWISE, ids=["thirds", "sixths", "codes", "ties", "inverse"])
def test_arm_fuses_no_product_with_a_sum_either(graph: Graph, cortex_a76: EmulatedCore, tmp_path: Path) -> None:
    assert differing(graph, PAIRS, cortex_a76, tmp_path) == {}


@pytest.mark.slow
@pytest.mark.parametrize("case", ["8", "both branches"])
def test_arm_resizes_kept_layers_to_the_references_values(case: str, cortex_a76: EmulatedCore, tmp_path: Path) -> None:
    made, keep = KEPT[case]
    assert differing(mixed(made, *keep), TEST, cortex_a76, tmp_path) == {}
