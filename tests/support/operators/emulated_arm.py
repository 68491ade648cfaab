"""The emulated Cortex-A76 on graphs of one operator, where rounding is hardest.

Every case tries all that an operator can meet, not a sample: all pairs of codes, all codes under many factors, or the
sums on both sides of every step between two codes.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.contract import Contract
from mobile_sdk.devices import EmulatedCore
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.operators import Add, Conv2d, Graph, Mean, Mul, Quantization, Sub, Tensor
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime

Pictures = NDArray[np.uint8]
BYTES = np.arange(256, dtype=np.uint8)
PAIRS: Pictures = np.stack(np.meshgrid(BYTES, BYTES, indexing="ij"), axis=-1)[np.newaxis]  # (1, 256, 256, 2)
CONTRACT = Contract(name="operator", labels=("no", "labels"))
UNIT = Quantization(scale=1 / 128, zero_point=0)
FACTORS = np.concatenate([[0.5, 0.25, 0.1, 0.3, 0.7, 1.5, 2.5, 1.0], np.geomspace(0.004, 3, 56)])


def mean_graph(x: Quantization, y: Quantization, side: int, channels: int) -> Graph:
    source = Tensor(name="x", shape=(channels, side, side), quantization=x)
    mean = Mean(input=source, output=Tensor(name="y", shape=(channels, 1, 1), quantization=y), path="mean")
    return Graph(input=source, operators=(mean,))


def pair_graph(type_: type[Add | Sub | Mul], a: Quantization, b: Quantization, y: Quantization) -> Graph:
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


def differing(graph: Graph, pictures: Pictures, device: EmulatedCore, folder: Path) -> dict[str, int]:
    """Runtime → how many elements differ from the reference on Arm, where any do."""
    expected = Reference(graph).run(pictures)
    assert len(np.unique(expected)) > 20
    runtimes: list[Any] = [TfliteRuntime(), ExecuTorchRuntime()]
    found = {runtime.name: on_arm(runtime, graph, pictures, device, folder) for runtime in runtimes}
    counts = {name: int(np.count_nonzero(codes.reshape(expected.shape) != expected)) for name, codes in found.items()}
    return {name: count for name, count in counts.items() if count}


def on_arm(runtime: Any, graph: Graph, pictures: Pictures, device: EmulatedCore, folder: Path) -> NDArray[np.int8]:
    model = folder / runtime.model_file
    interface = runtime.export(graph, CONTRACT, model)
    with device.loaded(runtime, model, interface) as run:
        codes: NDArray[np.int8] = run(pictures)
    return codes
