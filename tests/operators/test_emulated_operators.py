"""Single operators on the emulated Cortex-A76: both runtimes compute the reference's codes where rounding is hardest.

Every case tries all that an operator can meet, not a sample: all pairs of codes, all codes under many factors, or the
sums on both sides of every step between two codes.
"""

from pathlib import Path

import numpy as np
import pytest

from mobile_sdk.devices import CortexA76
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Add, Graph, Mul, Tensor
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from tests.support.operators.emulated_arm import (
    BYTES,
    FACTORS,
    PAIRS,
    convolution,
    differing,
    grid,
    mean_graph,
    on_arm,
    pair_graph,
    sums_around_steps,
    with_sums,
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
    x: tuple[float, int], y: tuple[float, int], side: int, cortex_a76: CortexA76, tmp_path: Path
) -> None:
    from_grid, wanted = grid(*x), grid(*y)
    scale = arithmetic.settle_mean_scale(from_grid, wanted, side**2)
    assert scale == pytest.approx(wanted.scale, rel=1e-3)
    settled = grid(scale, wanted.zero_point)
    sums = sums_around_steps(from_grid, settled, side**2)
    assert differing(mean_graph(from_grid, settled, side, len(sums)), with_sums(sums, side), cortex_a76, tmp_path) == {}


def test_litert_on_arm_fuses_the_mean_that_executorch_and_x86_round_twice(
    cortex_a76: CortexA76, tmp_path: Path
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


@pytest.mark.parametrize(
    ("a", "b", "y"),
    [
        ((0.02, 3), (6 / 255, -128), (0.03, -7)),  # h-swish's gate
        ((1 / 64, -5), (1 / 128, 9), (1 / 32, 4)),  # ties everywhere before settling
        ((0.0173, 40), (1 / 255, -128), (0.0171, 38)),  # squeeze-and-excite's gate
    ],
)
def test_arm_and_reference_agree_on_a_settled_product_of_every_pair(
    a: tuple[float, int], b: tuple[float, int], y: tuple[float, int], cortex_a76: CortexA76, tmp_path: Path
) -> None:
    grid_a, grid_b, wanted = grid(*a), grid(*b), grid(*y)
    codes_b = np.arange(-128, 128) - grid_b.zero_point
    settled = grid(arithmetic.settle_product_scale(grid_a, codes_b, grid_b.scale, wanted), wanted.zero_point)
    assert differing(pair_graph(Mul, grid_a, grid_b, settled), PAIRS, cortex_a76, tmp_path) == {}


@pytest.mark.parametrize(
    ("a", "b", "y"),
    [
        ((1 / 64, -128), (1 / 64, 127), (1 / 32, 0)),  # a tie in every other pair
        ((0.0004, 12), (0.3, -9), (0.29, 5)),  # a ratio near XNNPACK's limit of 2^-10
    ],
)
def test_arm_and_reference_agree_on_a_sum_of_every_pair(
    a: tuple[float, int], b: tuple[float, int], y: tuple[float, int], cortex_a76: CortexA76, tmp_path: Path
) -> None:
    assert differing(pair_graph(Add, grid(*a), grid(*b), grid(*y)), PAIRS, cortex_a76, tmp_path) == {}


@pytest.mark.parametrize("depthwise", [False, True], ids=["pointwise", "depthwise"])
def test_arm_and_reference_agree_on_every_accumulator_under_many_factors(
    depthwise: bool, cortex_a76: CortexA76, tmp_path: Path
) -> None:
    count = len(FACTORS)
    channels = count if depthwise else 1
    x = Tensor(name="x", shape=(channels, 16, 16), quantization=grid(0.0173, -19))
    y = Tensor(name="y", shape=(count, 16, 16), quantization=grid(0.0173, 21))
    conv = convolution(
        x, y, np.ones((count, 1), np.int8), FACTORS, np.arange(count) % 7 - 3, groups=count if depthwise else 1
    )
    pictures = np.broadcast_to(BYTES.reshape(1, 16, 16, 1), (1, 16, 16, channels)).copy()
    assert differing(Graph(input=x, operators=(conv,)), pictures, cortex_a76, tmp_path) == {}
