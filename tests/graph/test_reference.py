"""The reference against models in numpy's 64-bit integers, written from the rules, on extremes and at random."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.errors import SettingError
from mobile_sdk.graph import arithmetic, reference
from mobile_sdk.graph.operators import (
    Activation,
    ActivationKind,
    Add,
    Clamp,
    Constant,
    Conv2d,
    Graph,
    MaxPool2d,
    Mean,
    Mul,
    Tensor,
)
from mobile_sdk.graph.reference import Reference
from tests.support.graphs import GRAPHS, float_graph, int8_graph, pictures
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.random_cases import GRIDS, ZERO, grid
from tests.support.operators.reference_cases import conv, one, picture, random_pictures


@pytest.mark.parametrize("name", GRAPHS)
def test_every_tensor_of_every_graph_equals_the_integer_model(name):
    graph = int8_graph(name)
    assert_modelled(graph, pictures(graph, 3), values=4)


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
    graph = conv(picture(9, grids[0]), grids[1], weight, gain=400, bias=bias, **fields)
    assert_modelled(graph, random_pictures(2, 9, seed), values=1)


@pytest.mark.parametrize("zero", [-128, 127])
@pytest.mark.parametrize("weight", [127, -127])
def test_sums_beyond_two_to_the_24_stay_exact(zero, weight):
    """64 channels, 5 × 5: 51,816,000 at the furthest, where float32 would have lost the last two bits."""
    x = Tensor(name="wide", shape=(64, 8, 8), quantization=grid(0.01, zero))
    wide = np.zeros((64, 3, 1, 1), np.int8)
    wide[np.arange(64), np.arange(64) % 3] = 127
    first = conv(picture(8), grid(1 / 128, 0), wide, gain=255).operators[0]
    assert isinstance(first, Conv2d)
    first = replace(first, output=x, weight_scales=np.full(64, 0.01 / (127 / 128), np.float32))
    bias = np.arange(-2, 2).astype(np.int32) * (2**22 - 1) // 2
    filters = np.full((4, 64, 5, 5), weight, np.int8)
    filters[1, ::2] = -weight  # half of the sums cancel
    filters[2, :, 0, 0] += -np.sign(weight)
    second = conv(x, grid(0.02, 3), filters, gain=128, padding=(2, 2, 2, 2), bias=bias).operators[0]
    graph = Graph(input=picture(8), operators=(first, second))
    assert reference.EXACT_IN_FLOAT32 < 64 * 25 * 255 * 127
    images = random_pictures(3)
    images[0], images[1] = 0, 255
    assert_modelled(graph, images, values=10)


def test_padding_and_codes_at_both_ends_are_exact():
    for zero in (-128, -1, 0, 127):
        weight = np.random.default_rng(zero + 128).choice([-127, 127], (6, 3, 3, 3)).astype(np.int8)
        graph = conv(picture(8, grid(1 / 64, zero)), grid(0.5, -3), weight, gain=300, padding=(3, 0, 1, 2))
        images = np.random.default_rng(0).choice([0, 255], (3, 8, 8, 3)).astype(np.uint8)
        assert_modelled(graph, images)


@settings(max_examples=60)
@given(
    a=GRIDS,
    ratio=st.sampled_from([0.1, 0.4, 0.5, 1.0, 2.0]) | st.floats(0.01, 100),
    zero=st.integers(-128, 127),
    clamp=st.sampled_from(list(Clamp)),
    operand=st.sampled_from(["tensor", "itself", "constant"]),
    code=st.integers(-128, 127),
)
def test_any_sum_and_any_product_is_the_integer_model_on_all_codes(a, ratio, zero, clamp, operand, code):
    source = picture(16, a)
    mirrored = conv(source, grid(a.scale, -5), -np.eye(3, dtype=np.int8).reshape(3, 3, 1, 1), gain=255).operators[0]
    constant = Constant(name="c", value=code, quantization=grid(a.scale * 0.7, 0))
    other: Any = {"tensor": mirrored.output, "itself": source, "constant": constant}[operand]
    images = np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)  # every code occurs
    for kind, scale in ((Add, a.scale * ratio), (Mul, a.scale * arithmetic.quantization_of(other).scale * 100 * ratio)):
        graph = one(kind, (3, 16, 16), grid(scale, zero), source, a=source, b=other, clamp=clamp)
        assert_modelled(Graph(input=source, operators=(mirrored, *graph.operators)), images, values=1)


@settings(max_examples=60)
@given(x=GRIDS, ratio=st.sampled_from([0.1, 0.4, 0.5]) | st.floats(0.05, 4), size=st.integers(1, 17), zero=ZERO)
def test_any_mean_is_the_integer_model(x, ratio, size, zero):
    y = grid(x.scale * ratio, zero)
    for shape in ((3,), (3, 1, 1)):
        graph = one(Mean, shape, y, picture(size, x), input=picture(size, x))
        assert_modelled(graph, random_pictures(3, size), values=1)


@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 1, 0)])
def test_padding_never_wins_a_maximum(padding):
    source = picture(8, grid(1 / 64, 100))
    rows = (8 + padding[0] + padding[1] - 3) // 2 + 1
    columns = (8 + padding[2] + padding[3] - 3) // 2 + 1
    window = {"kernel": (3, 3), "stride": (2, 2), "padding": padding}
    graph = one(MaxPool2d, (3, rows, columns), grid(1 / 64, 100), source, input=source, **window)
    images = random_pictures(2) // 4  # below the zero point: zeros would win
    assert_modelled(graph, images)
    assert Reference(graph).run(images).max() < 0


def test_pictures_in_one_batch_or_one_by_one_get_the_same_codes(monkeypatch):
    graph = int8_graph("mobile block")
    images = pictures(graph, 7)
    together = Reference(graph).run(images)
    assert len(np.unique(together, axis=0)) == 7
    monkeypatch.setattr(reference, "BATCH_PIXELS", 3 * 16 * 16)
    np.testing.assert_array_equal(Reference(graph).run(images), together)
    np.testing.assert_array_equal(np.concatenate([Reference(graph).run(image[None]) for image in images]), together)


@pytest.mark.parametrize("name", GRAPHS)
def test_run_gives_what_trace_gives_for_the_last_tensor(name):
    graph = int8_graph(name)
    images = pictures(graph, 3)
    traced = Reference(graph).trace(images)
    assert list(traced) == [graph.input.name, *(operator.output.name for operator in graph.operators)]
    np.testing.assert_array_equal(Reference(graph).run(images), traced[graph.output.name])
    np.testing.assert_array_equal(traced[graph.input.name], images.transpose(0, 3, 1, 2).astype(int) - 128)


def test_the_pictures_are_left_as_they_are():
    graph = int8_graph("conv chain")
    images = pictures(graph, 2)
    before = images.copy()
    Reference(graph).run(images)
    np.testing.assert_array_equal(images, before)


def test_the_number_of_threads_changes_nothing():
    graph = int8_graph("mobile block")
    images, threads = pictures(graph, 4), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = Reference(graph).run(images)
        torch.set_num_threads(2)
        np.testing.assert_array_equal(Reference(graph).run(images), alone)
    finally:
        torch.set_num_threads(threads)


def test_a_float_graph_is_refused_and_its_own_reference_named():
    with pytest.raises(SettingError, match="FloatReference"):
        Reference(float_graph("conv chain"))


def test_an_operator_without_an_integer_rule_is_refused_with_its_path():
    graph = int8_graph("conv chain")
    output = replace(graph.output, name="swish")
    swish = Activation(output=output, path="net.swish", input=graph.output, kind=ActivationKind.HARD_SWISH)
    with pytest.raises(SettingError, match=r"Activation at net\.swish"):
        Reference(Graph(input=graph.input, operators=(*graph.operators, swish)))
