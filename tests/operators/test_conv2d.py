"""Conv2d: the integer model in the reference, and the reference's codes in every runtime and on Arm."""

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.devices import EmulatedCore
from mobile_sdk.graph.arithmetic import EXACT_IN_FLOAT32
from mobile_sdk.graph.operators import (
    Clamp,
    Concat,
    Conv2d,
    Graph,
    Mean,
    Quantization,
    Tensor,
)
from mobile_sdk.runtimes.tflite.export import write_model
from mobile_sdk.runtimes.tflite.model_file import read_structure
from tests.support import graphs
from tests.support.graphs import Builder, contract_for, int8_graph
from tests.support.operators.emulated_arm import BYTES, FACTORS, convolution, differing
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.random_cases import (
    GRIDS,
    SEEDS,
    grid,
    picture,
    random_pictures,
    tensor,
    weights,
)
from tests.support.operators.reference_cases import conv, square, square_pictures
from tests.support.operators.runtimes import CORE_ML, EXECUTORCH, EXTRAS, LITERT, assert_exact


@settings(max_examples=60)
@given(
    grids=st.tuples(GRIDS, GRIDS),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(*[st.integers(0, 3)] * 4),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    groups=st.sampled_from([1, 3]),
    multiplier=st.integers(1, 3),
    clamp=st.sampled_from(list(Clamp)),
    seed=st.integers(0, 2**31),
)
def test_any_convolution_is_the_integer_model(
    grids, kernel, stride, padding, dilation, groups, multiplier, clamp, seed
):
    random = np.random.default_rng(seed)
    weight = random.integers(-127, 128, (3 * multiplier, 3 // groups, *kernel)).astype(np.int8)
    bias = random.integers(-20_000, 20_000, len(weight)).astype(np.int32)
    fields = {"padding": padding, "stride": stride, "dilation": dilation, "groups": groups, "clamp": clamp}
    graph = conv(square(9, grids[0]), grids[1], weight, gain=400, bias=bias, **fields)
    assert_modelled(graph, square_pictures(2, 9, seed), values=1)


@pytest.mark.parametrize("zero", [-128, 127])
@pytest.mark.parametrize("weight", [127, -127])
def test_sums_beyond_two_to_the_24_stay_exact(zero, weight):
    """64 channels, 5 × 5: 51,816,000 at the furthest, where float32 would have lost the last two bits."""
    x = Tensor(name="wide", shape=(64, 8, 8), quantization=grid(0.01, zero))
    wide = np.zeros((64, 3, 1, 1), np.int8)
    wide[np.arange(64), np.arange(64) % 3] = 127
    first = conv(square(8), grid(1 / 128, 0), wide, gain=255).operators[0]
    assert isinstance(first, Conv2d)
    first = replace(first, output=x, weight_scales=np.full(64, 0.01 / (127 / 128), np.float32))
    bias = np.arange(-2, 2).astype(np.int32) * (2**22 - 1) // 2
    filters = np.full((4, 64, 5, 5), weight, np.int8)
    filters[1, ::2] = -weight  # half of the sums cancel
    filters[2, :, 0, 0] += -np.sign(weight)
    second = conv(x, grid(0.02, 3), filters, gain=128, padding=(2, 2, 2, 2), bias=bias).operators[0]
    graph = Graph(input=square(8), operators=(first, second))
    assert EXACT_IN_FLOAT32 < 64 * 25 * 255 * 127
    images = square_pictures(3)
    images[0], images[1] = 0, 255
    assert_modelled(graph, images, values=10)


def test_padding_and_codes_at_both_ends_are_exact():
    for zero in (-128, -1, 0, 127):
        weight = np.random.default_rng(zero + 128).choice([-127, 127], (6, 3, 3, 3)).astype(np.int8)
        graph = conv(square(8, grid(1 / 64, zero)), grid(0.5, -3), weight, gain=300, padding=(3, 0, 1, 2))
        images = np.random.default_rng(0).choice([0, 255], (3, 8, 8, 3)).astype(np.uint8)
        assert_modelled(graph, images)


@settings(max_examples=40)
@given(
    grids=st.tuples(GRIDS, GRIDS),
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.tuples(*[st.integers(0, 2)] * 4),
    dilation=st.sampled_from([(1, 1), (1, 1), (2, 2)]),
    groups=st.sampled_from(["one", "depthwise", "three of two"]),
    channels=st.integers(1, 3),
    clamp=st.sampled_from(list(Clamp)),
    seed=SEEDS,
)
def test_any_convolution_is_exact_in_litert_and_the_extras(
    tmp_path, grids, size, kernel, stride, padding, dilation, groups, channels, **others
):
    (x, y), clamp, seed = grids, others["clamp"], others["seed"]
    if dilation != (1, 1):
        size, stride = (size[0] + 2, size[1] + 2), (1, 1)
    source = picture(*size, x)
    doubled = Concat(output=tensor((6, *size), x, "doubled"), path="net.cat", parts=(source, source))
    inputs = doubled.output if groups == "three of two" else source
    count = 1 if groups == "one" else 3
    shape = (channels if count == 1 else 3 * channels, inputs.shape[0] // count, *kernel)
    extents = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
    rows, columns = ((size[i] + padding[2 * i] + padding[2 * i + 1] - extents[i]) // stride[i] + 1 for i in range(2))
    geometry: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": count}
    output = tensor((shape[0], rows, columns), y)
    conv = Conv2d(output=output, path="net.conv", input=inputs, clamp=clamp, **geometry, **weights(shape, x, y, seed))
    before = (doubled,) if groups == "three of two" else ()
    for runtime in (LITERT, *EXTRAS):
        assert_exact(runtime, Graph(input=source, operators=(*before, conv)), tmp_path, random_pictures(*size, seed))


@pytest.mark.parametrize("channels", [12, 24])
def test_a_convolution_in_groups_of_several_channels_is_one_operator_in_int8_and_in_float32(tmp_path, channels):
    for int8 in (True, False):
        build = Builder(int8=int8, seed=channels)
        build.conv(build.conv(build.input, 12, 3, activation="relu6"), channels, 3, groups=3)
        path = tmp_path / "groups.tflite"
        path.write_bytes(write_model(build.graph(), contract_for(build.graph())))
        structure = read_structure(path)
        assert structure.operators["CONV_2D"] == 2 and structure.partitions == 1 and structure.not_delegated == ()
        if int8:
            for runtime in (LITERT, *EXTRAS):
                assert_exact(runtime, build.graph(), tmp_path)


def test_biases_up_to_two_to_the_23_arrive_exactly(tmp_path):
    graph = int8_graph("conv chain")
    conv = graph.operators[2]
    assert isinstance(conv, Conv2d)
    bias = np.random.default_rng(0).integers(-(2**23) + 1, 2**23, len(conv.bias)).astype(np.int32)
    assert np.abs(bias).max() > 2**22  # from there on float32 loses units in ExecuTorch's own lowering
    spread = Quantization(scale=float(np.float32(2**24 * conv.weight_scales.max() * 6 / 255 / 255)), zero_point=0)
    step = replace(conv, bias=bias, output=replace(conv.output, quantization=spread))
    step = replace(step, weight_scales=np.full_like(conv.weight_scales, conv.weight_scales.max()))
    after = Mean(input=step.output, output=replace(step.output, name="mean", shape=(16,)), path="mean")
    assert_exact(EXECUTORCH, Graph(input=graph.input, operators=(*graph.operators[:2], step, after)), tmp_path)


@settings(max_examples=40)
@given(
    grids=st.tuples(GRIDS, GRIDS),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 3),
    padding=st.tuples(*[st.integers(0, 2)] * 4),
    groups=st.sampled_from([1, 3]),
    channels=st.sampled_from([3, 6, 9]),
    clamp=st.sampled_from(list(Clamp)),
    seed=st.integers(0, 2**31),
)
def test_any_convolution_is_exact_in_executorch(
    tmp_path, grids, kernel, stride, dilation, padding, groups, channels, clamp, seed
):
    random = np.random.default_rng(seed)
    source = Tensor(name="picture", shape=(3, 8, 8), quantization=grids[0])
    extent = (kernel - 1) * dilation + 1
    size = [(8 + padding[side] + padding[side + 1] - extent) // stride + 1 for side in (0, 2)]
    output = Tensor(name="conv", shape=(channels, *size), quantization=grids[1])
    weight = random.integers(-127, 128, (channels, 3 // groups, kernel, kernel)).astype(np.int8)
    gain = grids[1].scale / grids[0].scale / 127 / kernel
    numbers = {
        "weight": weight,
        "weight_scales": (gain * np.exp(random.normal(0, 1, channels))).astype(np.float32),
        "bias": random.integers(-20_000, 20_000, channels).astype(np.int32),
    }
    shape = {"stride": (stride, stride), "padding": padding, "dilation": (dilation, dilation), "groups": groups}
    conv = Conv2d(input=source, output=output, path="conv", clamp=clamp, **numbers, **shape)
    graph = Graph(input=source, operators=(conv,))
    images = random.integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    assert_exact(EXECUTORCH, graph, tmp_path, images)


def test_a_depthwise_convolution_with_several_filters_a_channel_is_exact_in_executorch(tmp_path):
    build = Builder(int8=True, seed=4)
    x = build.conv(build.conv(build.input, 4, 3, activation="relu6"), 12, 3, groups=4, stride=2)
    build.head(x)
    assert_exact(EXECUTORCH, build.graph(), tmp_path)


@settings(max_examples=20)
@given(
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.tuples(*[st.integers(0, 3)] * 4),
    groups=st.sampled_from([1, 3]),
    clamp=st.sampled_from(Clamp),
)
def test_a_convolution_of_any_geometry_and_clamp_is_exact_in_core_ml(
    tmp_path: Path,
    kernel: int,
    stride: int,
    dilation: int,
    padding: tuple[int, int, int, int],
    groups: int,
    clamp: Clamp,
) -> None:
    build = graphs.Builder(int8=True, seed=kernel)
    x = build.conv(build.input, 6, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups)
    last = build.operators[-1]
    assert isinstance(last, Conv2d)
    build.operators[-1] = dataclasses.replace(last, clamp=clamp)
    build.head(x)
    graph = build.graph()
    pictures = graphs.pictures(graph, 3)
    assert_exact(CORE_ML, graph, tmp_path, pictures)


@pytest.mark.parametrize("depthwise", [False, True], ids=["pointwise", "depthwise"])
def test_arm_and_reference_agree_on_every_accumulator_under_many_factors(
    depthwise: bool, arm_core: EmulatedCore, tmp_path: Path
) -> None:
    count = len(FACTORS)
    channels = count if depthwise else 1
    x = Tensor(name="x", shape=(channels, 16, 16), quantization=grid(0.0173, -19))
    y = Tensor(name="y", shape=(count, 16, 16), quantization=grid(0.0173, 21))
    conv = convolution(
        x, y, np.ones((count, 1), np.int8), FACTORS, np.arange(count) % 7 - 3, groups=count if depthwise else 1
    )
    pictures = np.broadcast_to(BYTES.reshape(1, 16, 16, 1), (1, 16, 16, channels)).copy()
    assert differing(Graph(input=x, operators=(conv,)), pictures, arm_core, tmp_path) == {}
