"""Single operators on the emulated Cortex-A76: both runtimes compute the reference's codes where rounding is hardest.

Every case tries all that an operator can meet, not a sample: all pairs of codes, all codes under many factors, or the
sums on both sides of every step between two codes.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mobile_sdk.contract import Contract
from mobile_sdk.devices import CortexA76
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Add, Conv2d, Graph, Mean, Mul, Quantization, Tensor
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime

Pictures = NDArray[np.uint8]
BYTES = np.arange(256, dtype=np.uint8)
PAIRS: Pictures = np.stack(np.meshgrid(BYTES, BYTES, indexing="ij"), axis=-1)[np.newaxis]  # (1, 256, 256, 2)
CONTRACT = Contract(name="operator", labels=("no", "labels"))
UNIT = Quantization(scale=1 / 128, zero_point=0)
FACTORS = np.concatenate([[0.5, 0.25, 0.1, 0.3, 0.7, 1.5, 2.5, 1.0], np.geomspace(0.004, 3, 56)])


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


def grid(scale: float, zero_point: int) -> Quantization:
    return Quantization(scale=float(np.float32(scale)), zero_point=zero_point)


def mean_graph(x: Quantization, y: Quantization, side: int, channels: int) -> Graph:
    source = Tensor(name="x", shape=(channels, side, side), quantization=x)
    mean = Mean(input=source, output=Tensor(name="y", shape=(channels, 1, 1), quantization=y), path="mean")
    return Graph(input=source, operators=(mean,))


def pair_graph(type_: type[Add | Mul], a: Quantization, b: Quantization, y: Quantization) -> Graph:
    """The operator on the two channels of a picture, each of whose bytes is a code of `a` and of `b`."""
    size = PAIRS.shape[1]
    pair = Tensor(name="pair", shape=(2, size, size), quantization=UNIT)
    operands = [Tensor(name=f"operand{i}", shape=(1, size, size), quantization=own) for i, own in enumerate((a, b))]
    picks = [copy_of_channel(pair, index, operand) for index, operand in enumerate(operands)]
    output = Tensor(name="y", shape=(1, size, size), quantization=y)
    return Graph(input=pair, operators=(*picks, type_(a=operands[0], b=operands[1], output=output, path="pair")))


def copy_of_channel(source: Tensor, index: int, target: Tensor) -> Conv2d:
    """Picks one channel and keeps its codes: the factor is 1, and the bias takes the new zero point away again."""
    own = arithmetic.quantization_of(target)
    weight = np.zeros((1, 2), np.int8)
    weight[0, index] = 1
    return convolution(source, target, weight, np.array([own.scale / UNIT.scale]), np.array([-own.zero_point]))


def convolution(
    x: Tensor, y: Tensor, weight: NDArray[np.int8], weight_scales: NDArray[Any], bias: NDArray[Any], groups: int = 1
) -> Conv2d:
    """A 1 × 1 convolution; `weight` is (O, I/groups)."""
    return Conv2d(
        input=x,
        output=y,
        path=y.name,
        weight=weight[:, :, np.newaxis, np.newaxis],
        weight_scales=weight_scales.astype(np.float32),
        bias=bias.astype(np.int32),
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        dilation=(1, 1),
        groups=groups,
    )


def sums_around_steps(x: Quantization, y: Quantization, count: int) -> NDArray[np.int64]:
    """The sums of codes next to every step from one mean to the next."""
    factor, offset = arithmetic.mean_terms(x, y, count)
    steps = np.rint((np.arange(-128, 127) + 0.5 - np.float64(offset)) / factor).astype(np.int64)
    sums = np.unique((steps[:, np.newaxis] + [-1, 0, 1]).clip(-128 * count, 127 * count))
    assert len(sums) > 60
    return sums


def with_sums(sums: NDArray[np.int64], side: int) -> Pictures:
    """One picture (1, side, side, channels) whose codes add up to these sums, a channel each."""
    base, rest = np.divmod(sums, side**2)
    codes = base + (np.arange(side**2)[:, np.newaxis] < rest)
    return (codes + 128).astype(np.uint8).reshape(1, side, side, -1)


def differing(graph: Graph, pictures: Pictures, device: CortexA76, folder: Path) -> dict[str, int]:
    """Runtime → how many elements differ from the reference on Arm, where any do."""
    expected = Reference(graph).run(pictures)
    assert len(np.unique(expected)) > 20
    runtimes: list[Any] = [TfliteRuntime(), ExecuTorchRuntime()]
    found = {runtime.name: on_arm(runtime, graph, pictures, device, folder) for runtime in runtimes}
    counts = {name: int(np.count_nonzero(codes.reshape(expected.shape) != expected)) for name, codes in found.items()}
    return {name: count for name, count in counts.items() if count}


def on_arm(runtime: Any, graph: Graph, pictures: Pictures, device: CortexA76, folder: Path) -> NDArray[np.int8]:
    model = folder / runtime.model_file
    interface = runtime.export(graph, CONTRACT, model)
    with device.loaded(runtime, model, interface) as run:
        codes: NDArray[np.int8] = run(pictures)
    return codes
