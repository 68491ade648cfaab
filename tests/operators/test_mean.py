"""Mean: the integer model in the reference, and the reference's codes in every runtime and on Arm."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.devices import EmulatedCore
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import (
    Graph,
    Mean,
)
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from tests.support.graph_builder import Builder, Wire
from tests.support.operators.emulated_arm import differing, mean_graph, on_arm, sums_around_steps, with_sums
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.random_cases import (
    GRIDS,
    RATIOS,
    ZERO,
    grid,
    picture,
    random_pictures,
    tensor,
)
from tests.support.operators.reference_cases import one, square, square_pictures
from tests.support.operators.runtimes import (
    EXTRAS,
    LITERT,
    RUNTIMES,
    assert_exact,
    assert_near_float,
    float32,
    int8,
)


@settings(max_examples=60)
@given(x=GRIDS, ratio=st.sampled_from([0.1, 0.4, 0.5]) | st.floats(0.05, 4), size=st.integers(1, 17), zero=ZERO)
def test_any_mean_is_the_integer_model(x, ratio, size, zero):
    y = grid(x.scale * ratio, zero)
    for shape in ((3,), (3, 1, 1)):
        graph = one(Mean, shape, y, square(size, x), input=square(size, x))
        assert_modelled(graph, square_pictures(3, size), values=1)


@settings(max_examples=40)
@given(x=GRIDS, ratio=RATIOS, zero=ZERO, height=st.integers(1, 17), width=st.integers(1, 17), keep=st.booleans())
def test_any_mean_is_exact_over_odd_sizes_too_in_litert_and_the_extras(tmp_path, x, ratio, zero, height, width, keep):
    source = picture(height, width, x)
    y = grid(x.scale * ratio, zero)
    mean = Mean(output=tensor((3, 1, 1) if keep else (3,), y), path="net.mean", input=source)
    for runtime in (LITERT, *EXTRAS):
        assert_exact(
            runtime, Graph(input=source, operators=(mean,)), tmp_path, random_pictures(height, width, zero + 128)
        )


@pytest.mark.parametrize(
    ("x", "y", "side"),
    [
        (
            (0.5648334622383118, -124),
            (0.06420861184597015, -94),
            14,
        ),  # of a MobileNetV3-Large: differed before settling
        ((0.0039, 8), (0.013, -37), 3),  # ratio 0.3
        ((0.05, 33), (0.1, 11), 7),  # ratio 0.5: ties
        ((0.03, 115), (0.012, 38), 28),
    ],
)
def test_arm_and_reference_agree_on_a_settled_mean(
    x: tuple[float, int], y: tuple[float, int], side: int, cortex_a76: EmulatedCore, tmp_path: Path
) -> None:
    from_grid, wanted = grid(*x), grid(*y)
    scale = arithmetic.settle_mean_scale(from_grid, wanted, side**2)
    assert scale == pytest.approx(wanted.scale, rel=1e-3)
    settled = grid(scale, wanted.zero_point)
    sums = sums_around_steps(from_grid, settled, side**2)
    assert differing(mean_graph(from_grid, settled, side, len(sums)), with_sums(sums, side), cortex_a76, tmp_path) == {}


def test_litert_on_arm_fuses_the_mean_that_executorch_and_x86_round_twice(
    cortex_a76: EmulatedCore, tmp_path: Path
) -> None:
    """Why scales of means are settled; where this fails, LiteRT's arithmetic has changed."""
    x, y, side = grid(0.5648334622383118, -124), grid(0.06420861184597015, -94), 14
    factor, _ = arithmetic.mean_terms(x, y, side**2)
    sums = sums_around_steps(x, y, side**2)
    graph, pictures = mean_graph(x, y, side, len(sums)), with_sums(sums, side)
    fused_offset = np.float32(y.zero_point - np.float64(x.zero_point * side**2) * factor)
    fused = (sums * np.float64(factor) + np.float64(fused_offset)).astype(np.float32)
    fused_codes, reference = np.rint(fused).clip(-128, 127), Reference(graph).run(pictures).ravel()
    assert np.count_nonzero(fused_codes != reference) > 0
    assert np.array_equal(on_arm(TfliteRuntime(), graph, pictures, cortex_a76, tmp_path).ravel(), fused_codes)
    assert np.array_equal(on_arm(ExecuTorchRuntime(), graph, pictures, cortex_a76, tmp_path).ravel(), reference)


def averaged(build: Builder) -> Wire:
    return build.mean(build.conv(build.input, 12, 3))


def test_the_reference_is_the_integer_model() -> None:
    assert_modelled(int8(averaged), random_pictures(16, 16))


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_every_runtime_is_exact_in_int8_and_near_in_float32(runtime: Any, tmp_path: Path) -> None:
    assert_exact(runtime, int8(averaged), tmp_path)
    assert_near_float(runtime, float32(averaged), tmp_path)
