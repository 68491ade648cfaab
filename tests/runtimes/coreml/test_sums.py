"""Core ML: sums of codes are whole numbers that float32 holds, and Add's integer rule is made of such, in any order."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mobile_sdk.errors import CompileError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.arithmetic import EXACT_IN_FLOAT32
from mobile_sdk.graph.operators import Add, Clamp, Constant, Conv2d, Graph, Linear, Mean, Mul, Quantization, Tensor
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from mobile_sdk.runtimes.coreml.interpreter.interpreter import InterpreterSession
from mobile_sdk.runtimes.coreml.mil_writer import labels
from mobile_sdk.runtimes.exact_sums import (
    inexact_paths,
    is_proved,
    largest_sum,
    line_of_constant,
    split_factors,
)
from tests.support import graphs

ZERO_POINTS = st.integers(-128, 127)
LOG_RATIOS = st.floats(-9.99, 7.99)  # XNNPACK takes ratios of scales from 2^-10 to 2^8
CODES = np.arange(-128, 128, dtype=np.int64)


def grid(scale: float, zero_point: int = 0) -> Quantization:
    return Quantization(scale=float(np.float32(scale)), zero_point=zero_point)


def addition(a: Quantization, b: Quantization | Constant, y: Quantization, clamp: Clamp = Clamp.NONE) -> Add:
    operand = b if isinstance(b, Constant) else Tensor(name="b", shape=(1,), quantization=b)
    return Add(
        a=Tensor(name="a", shape=(1,), quantization=a),
        b=operand,
        output=Tensor(name="y", shape=(1,), quantization=y),
        clamp=clamp,
        path="net.sum",
    )


@settings(max_examples=60)
@given(log_a=LOG_RATIOS, log_b=LOG_RATIOS, zero_a=ZERO_POINTS, zero_b=ZERO_POINTS)
def test_split_sums_are_the_integer_rule_for_all_pairs_of_codes_and_never_round(
    log_a: float, log_b: float, zero_a: int, zero_b: int
) -> None:
    a, b, y = grid(2.0**log_a, zero_a), grid(2.0**log_b, zero_b), grid(1.0)
    factor_a, factor_b, shift = arithmetic.add_factors(a, b, y)
    left, right = (CODES - zero_a)[:, None], (CODES - zero_b)[None]
    expected = (left * factor_a + right * factor_b + (1 << (shift - 1))) >> shift
    split = split_factors(addition(a, b, y))
    # In float64, which rounds none of this: a float32 that is equal did not round either.
    high = left * np.float64(split.high_a) + right * np.float64(split.high_b)
    low = left * np.float64(split.low_a) + right * np.float64(split.low_b)
    total = high + np.floor(low) + 0.5
    for numbers in (high, low, total, total / split.step):
        assert np.array_equal(numbers.astype(np.float32), numbers)
    assert np.array_equal(split.low_a * np.float32(1024), np.rint(split.low_a * 1024))
    assert np.array_equal(np.rint(total / split.step), expected)
    assert not np.any(np.mod(total / split.step, 1) == 0.5)


@pytest.mark.parametrize("ratio", [2.0**-10, 2.0**-10 * 1.999, 1.0, 2.0**8 * 0.999])
def test_the_ends_of_the_permitted_scales_are_split(ratio: float) -> None:
    for low_ratio in (ratio, 2.0**-10):
        a, b, y = grid(ratio), grid(low_ratio), grid(1.0)
        factor_a, factor_b, shift = arithmetic.add_factors(a, b, y)
        split = split_factors(addition(a, b, y))
        assert float(split.high_a + split.low_a) * 1024 == factor_a
        assert float(split.high_b + split.low_b) * 1024 == factor_b
        assert float(split.step) == 2.0 ** (shift - 10)
        assert 13 <= shift <= 30


def test_scales_beyond_them_are_refused_with_the_path() -> None:
    with pytest.raises(CompileError, match=r"at net\.sum"):
        split_factors(addition(grid(2.0**12), grid(1.0), grid(1.0)))


@settings(max_examples=200)
@given(
    log_a=st.floats(-8, 3),
    zero_a=ZERO_POINTS,
    constant=st.integers(-127, 127),
    zero_y=ZERO_POINTS,
    clamp=st.sampled_from(Clamp),
)
def test_a_line_gives_what_the_integer_rule_gives_with_and_without_a_fused_multiply_add(
    log_a: float, zero_a: int, constant: int, zero_y: int, clamp: Clamp
) -> None:
    a, y = grid(2.0**log_a, zero_a), grid(6 / 255, zero_y)
    b = Constant(name="b", value=constant, quantization=grid(3 / 127))
    line = line_of_constant(addition(a, b, y, clamp))
    assume(line is not None)  # that lines are the rule is another test's claim
    assert line is not None
    factor_a, factor_b, shift = arithmetic.add_factors(a, grid(3 / 127), y)
    low, high = arithmetic.clamp_range(y, clamp)
    codes = CODES - zero_a
    expected = np.clip((codes * factor_a + constant * factor_b + (1 << (shift - 1))) >> shift, low, high)
    separate = codes.astype(np.float32) * line.factor + line.offset
    fused = (codes * np.float64(line.factor) + np.float64(line.offset)).astype(np.float32)
    for sums in (separate, fused):
        assert np.array_equal(np.clip(np.rint(sums), low, high), expected)


def test_h_swish_s_three_is_added_by_a_line_at_nearly_every_scale() -> None:
    three = Constant(name="three", value=127.0, quantization=grid(3 / 127))
    scales = np.exp(np.random.default_rng(0).uniform(-5, 1, 300))
    found = [line_of_constant(addition(grid(scale, -20), three, grid(6 / 255, -128))) for scale in scales]
    assert sum(line is not None for line in found) >= 298


def test_a_line_moved_off_its_codes_is_not_proved() -> None:
    three = Constant(name="three", value=127.0, quantization=grid(3 / 127))
    operator = addition(grid(0.0213, -20), three, grid(6 / 255, -128))
    line = line_of_constant(operator)
    assert line is not None
    assert is_proved(line, operator)
    assert not is_proved(dataclasses.replace(line, offset=line.offset + np.float32(0.01)), operator)
    assert not is_proved(dataclasses.replace(line, factor=line.factor * np.float32(1.001)), operator)


def without_a_line(a: Tensor) -> Add:
    """A ratio of nearly 1 puts all 256 sums near one another's ties, closer than float32 can tell."""
    width = 2.0**-18
    assert a.quantization is not None
    b = Constant(name="b", value=-15.0, quantization=grid(0.5 - width * 60 * 15 / 127))
    return Add(a=a, b=b, output=Tensor(name="y", shape=a.shape, quantization=grid(1.0)), path="net.sum")


def test_a_constant_without_a_line_is_added_by_split_sums_and_exactly(tmp_path: Path) -> None:
    picture = Tensor(name="picture", shape=(3, 16, 16), quantization=grid(1 + 2.0**-18))
    add = without_a_line(picture)
    assert line_of_constant(add) is None
    mean = Mean(
        input=add.output, output=Tensor(name="mean", shape=(3,), quantization=add.output.quantization), path="net.mean"
    )
    graph = Graph(input=picture, operators=(add, mean))
    package = tmp_path / CoreMLRuntime.model_file
    interface = CoreMLRuntime().export(graph, graphs.contract_for(graph), package)
    assert CoreMLRuntime().structure(package).operators["floor"] == 1
    session = InterpreterSession(package, interface, threads=1)
    bytes_ = np.resize(np.arange(256, dtype=np.uint8), (16, 16, 3))
    found, expected = session.trace(bytes_), Reference(graph).trace(bytes_[np.newaxis])
    assert np.array_equal(found["op000_y_code"], expected["y"])
    assert np.array_equal(found["op001_mean_code"], expected["mean"])


def test_the_largest_sum_is_one_that_a_picture_reaches_and_that_float32_holds() -> None:
    x = Tensor(name="x", shape=(512,), quantization=grid(1.0, -128))
    weight = np.full((1, 512), 127, np.int8)
    linear = Linear(
        input=x,
        output=Tensor(name="y", shape=(1,), quantization=grid(2.0**17)),
        weight=weight,
        weight_scales=np.ones(1, np.float32),
        bias=np.array([7], np.int32),
        path="net.linear",
    )
    assert largest_sum(linear) == 512 * 127 * 255 + 7 < EXACT_IN_FLOAT32
    graph = Graph(input=x, operators=(linear,))
    assert inexact_paths(graph) == []
    wide = dataclasses.replace(linear, bias=np.array([2**24], np.int32))
    assert inexact_paths(dataclasses.replace(graph, operators=(wide,))) == ["net.linear"]
    mean = Mean(input=Tensor(name="x", shape=(3, 256, 256), quantization=x.quantization), output=x, path="net.mean")
    assert largest_sum(mean) == 256 * 256 * 255


@pytest.mark.parametrize(
    ("zero_points", "clamp"),
    [((0, 0, 0), Clamp.NONE), ((-128, 5, -77), Clamp.RELU6), ((33, -128, 101), Clamp.RELU)],
)
@pytest.mark.parametrize("scales", [(2.0**-6, 2.0**-7), (0.0173, 1 / 256), (0.5, 2.0**-9)])
@pytest.mark.parametrize("kind", ["add", "add a constant", "mul", "mul by a constant", "square"])
def test_all_pairs_of_codes_give_the_reference_s_codes_ties_among_them(
    kind: str, scales: tuple[float, float], zero_points: tuple[int, int, int], clamp: Clamp, tmp_path: Path
) -> None:
    graph = _pairwise(kind, scales, zero_points, clamp)
    rows, columns = np.indices((256, 256)).astype(np.uint8)
    picture = np.stack([rows, columns, rows], axis=-1)
    package = tmp_path / CoreMLRuntime.model_file
    interface = CoreMLRuntime().export(graph, graphs.contract_for(graph), package)
    found = InterpreterSession(package, interface, threads=1).trace(picture)
    expected = Reference(graph).trace(picture[np.newaxis])
    assert np.unique(expected["a"]).size == np.unique(expected["b"]).size == 256
    assert np.unique(expected["y"]).size >= 2
    for label, operator in zip(labels(graph), graph.operators, strict=True):
        assert np.array_equal(found[f"{label}_code"], expected[operator.output.name])


def _pairwise(kind: str, scales: tuple[float, float], zero_points: tuple[int, int, int], clamp: Clamp) -> Graph:
    """`a` is a picture's red and `b` its green, code for code; `y` their sum or product."""
    unit = Quantization(scale=1.0, zero_point=0)
    picture = Tensor(name="picture", shape=(3, 256, 256), quantization=unit)
    a, b = (_channel(picture, index, scales[index], zero_points[index]) for index in range(2))
    product = kind in ("mul", "mul by a constant", "square")
    other = scales[0] if kind == "square" else scales[1]
    wanted = scales[0] * other * 32 if product else max(scales) * 1.5
    y = Tensor(name="y", shape=a.output.shape, quantization=grid(wanted, zero_points[2]))
    seconds: dict[str, Tensor | Constant] = {
        "square": a.output,
        "mul by a constant": Constant(name="c", value=101.0, quantization=b.output.quantization),
        "add a constant": Constant(name="c", value=101.0, quantization=b.output.quantization),
    }
    second = seconds.get(kind, b.output)
    operator = (Mul if product else Add)(a=a.output, b=second, clamp=clamp, output=y, path="net.y")
    mean = Mean(input=y, output=Tensor(name="mean", shape=(2,), quantization=grid(wanted, 3)), path="net.mean")
    return Graph(input=picture, operators=(a, b, operator, mean))


def _channel(picture: Tensor, index: int, scale: float, zero_point: int) -> Conv2d:
    """One channel of the picture, twice, under another grid, its codes as they are."""
    weight = np.zeros((2, 3, 1, 1), np.int8)
    weight[:, index] = 1
    return Conv2d(
        input=picture,
        output=Tensor(name="ab"[index], shape=(2, 256, 256), quantization=grid(scale, zero_point)),
        weight=weight,
        weight_scales=np.full(2, scale, np.float32),
        bias=np.full(2, -zero_point, np.int32),
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        dilation=(1, 1),
        groups=1,
        path=f"net.channel_{index}",
    )
