"""The reference against models in numpy's 64-bit integers, written from the rules, on extremes and at random."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mobile_sdk.errors import SettingError
from mobile_sdk.graph import arithmetic, reference
from mobile_sdk.graph.operators import (
    Activation,
    ActivationKind,
    Add,
    ChannelShuffle,
    ChannelSlice,
    Clamp,
    Concat,
    Constant,
    Conv2d,
    Graph,
    Linear,
    MaxPool2d,
    Mean,
    Mul,
    Operator,
    Quantization,
    Reshape,
    ResizeBilinear,
    Tensor,
)
from mobile_sdk.graph.reference import Reference
from tests.support.graphs import GRAPHS, float_graph, int8_graph, pictures

Codes = NDArray[np.int64]


def grid(scale: float, zero_point: int = 0) -> Quantization:
    return Quantization(scale=float(np.float32(scale)), zero_point=zero_point)


ZERO = st.integers(-128, 127)
GRIDS = st.builds(lambda exponent, zero: grid(2.0**exponent, zero), st.floats(-6, 0), ZERO)


# -- the models: centred codes in, codes out


def rounded_to_float32(accumulators: Codes, factors: NDArray[np.float32], y: Quantization, clamp: Clamp) -> Codes:
    low, high = arithmetic.clamp_range(y, clamp)
    return np.clip(np.rint(accumulators.astype(np.float32) * factors), low, high).astype(np.int64) + y.zero_point


def model_conv2d(operator: Conv2d, x: Codes) -> Codes:
    """Sums of products, tap by tap, in int64."""
    assert operator.weight_scales is not None
    top, bottom, left, right = operator.padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    outputs, inputs, *kernel = operator.weight.shape
    (rows, columns), per_group = operator.output.shape[1:], outputs // operator.groups
    total = np.zeros((len(x), outputs, rows, columns), np.int64)
    for channel in range(outputs):
        first = channel // per_group * inputs
        for i, dy, dx in np.ndindex(inputs, *kernel):
            y0, x0 = dy * operator.dilation[0], dx * operator.dilation[1]
            y1, x1 = y0 + (rows - 1) * operator.stride[0] + 1, x0 + (columns - 1) * operator.stride[1] + 1
            window = x[:, first + i, y0 : y1 : operator.stride[0], x0 : x1 : operator.stride[1]]
            total[:, channel] += window * int(operator.weight[channel, i, dy, dx])
    total += operator.bias.astype(np.int64).reshape(-1, 1, 1)
    source, output = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    factors = arithmetic.requantization(source, operator.weight_scales, output).reshape(-1, 1, 1)
    return rounded_to_float32(total, factors, output, operator.clamp)


def model_linear(operator: Linear, x: Codes) -> Codes:
    assert operator.weight_scales is not None
    total = x @ operator.weight.astype(np.int64).T + operator.bias.astype(np.int64)
    source, output = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    factors = arithmetic.requantization(source, operator.weight_scales, output)
    return rounded_to_float32(total, factors, output, operator.clamp)


def model_add(operator: Add, a: Codes, b: Codes) -> Codes:
    y = arithmetic.quantization_of(operator.output)
    operands = (arithmetic.quantization_of(operator.a), arithmetic.quantization_of(operator.b))
    factor_a, factor_b, shift = arithmetic.add_factors(*operands, y)
    low, high = arithmetic.clamp_range(y, operator.clamp)
    return np.clip((a * factor_a + b * factor_b + (1 << (shift - 1))) >> shift, low, high) + y.zero_point


def model_mul(operator: Mul, a: Codes, b: Codes) -> Codes:
    y = arithmetic.quantization_of(operator.output)
    operands = (arithmetic.quantization_of(operator.a), arithmetic.quantization_of(operator.b))
    factor = float(arithmetic.product_factor(*operands, y))  # times 65,025 at most: exact in float64
    low, high = arithmetic.clamp_range(y, operator.clamp)
    if operator.a == operator.b:
        values = (a * operands[0].scale).astype(np.float32)
        squares = values * values * (np.float32(1) / np.float32(y.scale)) + np.float32(y.zero_point)
        return np.clip(np.rint(squares).astype(np.int64), low + y.zero_point, high + y.zero_point)
    return np.clip(np.rint((a * b * factor).astype(np.float32)), low, high).astype(np.int64) + y.zero_point


def model_mean(operator: Mean, x: Codes) -> Codes:
    source, y = arithmetic.quantization_of(operator.input), arithmetic.quantization_of(operator.output)
    count = x.shape[2] * x.shape[3]
    factor, offset = arithmetic.mean_terms(source, y, count)
    uncentred = (x + source.zero_point).sum(axis=(2, 3)).astype(np.float32)
    codes = np.clip(np.rint(uncentred * factor + offset), -128, 127)
    return codes.astype(np.int64).reshape(-1, *operator.output.shape)


def model_max_pool2d(operator: MaxPool2d, x: Codes) -> Codes:
    top, bottom, left, right = operator.padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=-1000)
    windows = np.lib.stride_tricks.sliding_window_view(x, operator.kernel, axis=(2, 3))
    largest = windows[:, :, :: operator.stride[0], :: operator.stride[1]].max(axis=(4, 5))
    return largest + arithmetic.quantization_of(operator.output).zero_point


def modelled(graph: Graph, images: NDArray[np.uint8]) -> dict[str, Codes]:
    """Codes of every tensor by the models above."""
    values = {graph.input.name: images.transpose(0, 3, 1, 2).astype(np.int64) - 128}
    for operator in graph.operators:
        values[operator.output.name] = _model(operator, [_centred(operand, values) for operand in operator.inputs])
    return values


def _centred(operand: Tensor | Constant, values: dict[str, Codes]) -> Codes:
    zero = arithmetic.quantization_of(operand).zero_point
    return np.array(int(operand.value) - zero) if isinstance(operand, Constant) else values[operand.name] - zero


def _model(operator: Operator, operands: list[Codes]) -> Codes:
    match operator:
        case Conv2d():
            return model_conv2d(operator, *operands)
        case Linear():
            return model_linear(operator, *operands)
        case Add():
            return model_add(operator, *operands)
        case Mul():
            return model_mul(operator, *operands)
        case Mean():
            return model_mean(operator, *operands)
        case MaxPool2d():
            return model_max_pool2d(operator, *operands)
    return model_rearranged(operator, *operands) + arithmetic.quantization_of(operator.output).zero_point


def model_rearranged(operator: Operator, *operands: Codes) -> Codes:
    """Centred codes in, centred codes out."""
    if isinstance(operator, ChannelSlice):
        return operands[0][:, operator.start : operator.stop]
    if isinstance(operator, ChannelShuffle):
        rows = operands[0].shape[1] // operator.groups
        order = [rows * column + row for row in range(rows) for column in range(operator.groups)]
        return operands[0][:, order]
    if isinstance(operator, ResizeBilinear):
        return model_resized(operator, *operands)
    assert isinstance(operator, Concat | Reshape)
    return np.concatenate(operands, axis=1).reshape(-1, *operator.output.shape)


def model_resized(operator: ResizeBilinear, x: Codes) -> Codes:
    """One axis after the other, in whole numbers: an output pixel's centre lies so far between two input pixels'."""
    shares = 1
    for axis in (2, 3):
        count = x.shape[axis]
        factor = operator.output.shape[axis - 1] // count
        place = (2 * np.arange(count * factor) + 1 - factor).clip(0, 2 * factor * (count - 1))  # in 1 / (2 * factor)
        before, share = np.divmod(place, 2 * factor)
        after, share = (before + 1).clip(max=count - 1), share.reshape([-1 if side == axis else 1 for side in range(4)])
        x = x.take(before, axis) * (2 * factor - share) + x.take(after, axis) * share
        shares *= 2 * factor
    return (2 * x + shares) // (2 * shares)


def assert_modelled(graph: Graph, images: NDArray[np.uint8], *, values: int = 2) -> None:
    """Every tensor of the reference equals the model's; the output takes at least so many different codes."""
    found, expected = Reference(graph).trace(images), modelled(graph, images)
    assert found.keys() == expected.keys()
    for name, codes in expected.items():
        assert found[name].dtype == np.int8
        np.testing.assert_array_equal(found[name], codes, err_msg=name)
    assert len(np.unique(found[graph.output.name])) >= values, "the codes say nothing"


# -- the tests


def picture(size: int = 8, quantization: Quantization | None = None) -> Tensor:
    return Tensor(name="picture", shape=(3, size, size), quantization=quantization or grid(1 / 128))


def one(kind: type[Operator], shape: tuple[int, ...], y: Quantization, source: Tensor, **fields: Any) -> Graph:
    output = Tensor(name="result", shape=shape, quantization=y)
    return Graph(input=source, operators=(kind(output=output, path="net.result", **fields),))


def random_pictures(count: int, size: int = 8, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def conv(
    source: Tensor,
    y: Quantization,
    weight: NDArray[np.int8],
    *,
    gain: float,
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    clamp: Clamp = Clamp.NONE,
    bias: NDArray[np.int32] | None = None,
) -> Graph:
    """One convolution; `gain` is about the requantization factor times the largest accumulator, in output codes."""
    top, bottom, left, right = padding
    extents = [(size - 1) * step + 1 for size, step in zip(weight.shape[2:], dilation, strict=True)]
    rows = (source.shape[1] + top + bottom - extents[0]) // stride[0] + 1
    columns = (source.shape[2] + left + right - extents[1]) // stride[1] + 1
    reach = 255 * np.abs(weight.astype(np.int64)).reshape(len(weight), -1).sum(axis=1).clip(1)
    scales = gain * y.scale / arithmetic.quantization_of(source).scale / reach
    return one(
        Conv2d,
        (len(weight), rows, columns),
        y,
        source,
        input=source,
        weight=weight,
        weight_scales=scales.astype(np.float32),
        bias=np.zeros(len(weight), np.int32) if bias is None else bias,
        clamp=clamp,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )


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
