"""Numbers at the ends of what the runtimes accept and hold: inside, both are exact; outside, no file is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.bundle.manifest import StructureEntry
from mobile_sdk.cli.deployment.export import left_out
from mobile_sdk.contract import Contract
from mobile_sdk.errors import CaptureError, CompileError
from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.checks import limits
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import INT32_MAX, Conv2d, Graph, MaxPool2d, Mean, Quantization
from mobile_sdk.graph.reference import Reference
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.freezing.freezing import float_twin
from qat.layers.integer_rounding import LARGEST_BIAS, snap_weights
from tests.support.operators import one_operator
from tests.support.operators.one_operator import contract_for, graph_of, picture, tensor
from tests.support.tiny_nets import CONTRACT, LABELS, SIZE_PX, net, picture_set, rgb

RUNTIMES = (TfliteRuntime(), ExecuTorchRuntime())
ZERO_POINTS = st.integers(-128, 127)


def assert_exact(graph: Graph, contract: Contract, pictures: NDArray[np.uint8], folder: Path) -> NDArray[Any]:
    """Every element of both runtimes is the reference's, all of it computed by XNNPACK; gives the codes."""
    expected = Reference(graph).run(pictures)
    for runtime in RUNTIMES:
        path = folder / runtime.model_file
        session = runtime.load(path, runtime.export(graph, contract, path), threads=1)
        found = np.stack([session.run(each) for each in pictures])
        session.close()
        np.testing.assert_array_equal(found.reshape(expected.shape), expected, err_msg=runtime.name)
        structure = runtime.structure(path)
        assert (structure.partitions, structure.not_delegated) == (1, ()), runtime.name
    return expected


# -- scales

RANGES = {
    "convolution": arithmetic.REQUANTIZATION_RANGE,
    "depthwise": arithmetic.REQUANTIZATION_RANGE,
    "linear": arithmetic.REQUANTIZATION_RANGE,
    "sum": arithmetic.ADD_RATIO_RANGE,
    "sum with a constant": arithmetic.ADD_RATIO_RANGE,
    "product": arithmetic.PRODUCT_RATIO_RANGE,
    "square": arithmetic.PRODUCT_RATIO_RANGE,
    "product with a constant": arithmetic.PRODUCT_RATIO_RANGE,
}


@pytest.mark.parametrize("kind", RANGES)
def test_at_both_ends_of_its_scales_an_operator_is_exact_and_beyond_them_refused(kind: str, tmp_path: Path) -> None:
    least, end = RANGES[kind]
    pictures = rgb(4, one_operator.SIDE_PX, seed=3)
    for ratio in (least, end * (1 - 2.0**-12)):
        graph = graph_of(kind, ratio)
        assert_exact(graph, contract_for(graph), pictures, tmp_path)
    for ratio in (least / 1.01, end):
        graph = graph_of(kind, ratio)
        for runtime in (*RUNTIMES, CoreMLRuntime()):
            path = tmp_path / f"refused {runtime.model_file}"
            with pytest.raises(CompileError, match=r"expected .* at y, found"):
                runtime.export(graph, contract_for(graph), path)
            assert not path.exists()


@pytest.mark.parametrize("ratio", [2.0**-30, 2.0**-8, 300.0])
def test_a_mean_takes_any_two_scales(ratio: float, tmp_path: Path) -> None:
    graph = graph_of("mean", ratio)
    assert_exact(graph, contract_for(graph), rgb(4, one_operator.SIDE_PX, seed=3), tmp_path)


@pytest.mark.parametrize("scale", [1e-34, 1e30])
@pytest.mark.parametrize("kind", ["convolution", "sum", "mean"])
def test_scales_as_far_as_float32_holds_them_in_full_are_exact(kind: str, scale: float, tmp_path: Path) -> None:
    graph = graph_of(kind, 1.0, scale)
    assert_exact(graph, contract_for(graph), rgb(4, one_operator.SIDE_PX, seed=3), tmp_path)


@pytest.mark.parametrize("scale", [1e-38, 1e-39, 1e38])
def test_a_scale_that_float32_does_not_hold_in_full_is_refused(scale: float) -> None:
    with pytest.raises(CompileError, match=r"expected scales in .* at a, found"):
        limits.check_graph(graph_of("convolution", 1.0, scale))


def test_a_weight_of_minus_128_and_a_pooling_between_two_grids_are_refused() -> None:
    image = picture()
    layer = one_operator.convolution(image, tensor("y", one_operator.MAP, 1.0), 1.0)
    layer.weight[0, 0] = -128
    with pytest.raises(CompileError, match=r"expected weights in \[-127, 128\) at y, found -128"):
        limits.check_graph(Graph(input=image, operators=(layer,)))
    window: dict[str, Any] = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0, 0, 0)}
    pool = MaxPool2d(input=image, output=tensor("y", (3, 4, 4), 1.0), path="y", **window)
    with pytest.raises(CompileError, match="1 output scale"):
        limits.check_graph(Graph(input=image, operators=(pool,)))


def test_a_second_partition_is_said_at_export_by_the_operators_outside() -> None:
    whole: dict[str, Any] = {"operators": {"MUL": 3}, "int8_weight_share": 1.0, "float_convolutions": 0}
    whole |= {"partitions": 1, "not_delegated": (), "bytes_by_part": {}}
    assert left_out(StructureEntry(**whole)) is None
    refused = ("MUL", "XNNPACK refused it")
    said = left_out(StructureEntry(**whole | {"partitions": 2, "not_delegated": (refused, refused)}))
    assert said is not None and "found 2 partitions; outside: 2 MUL" in said


# -- sums in int32


def whole_map(weight: NDArray[np.int8], bias: NDArray[np.int32], zero_point: int) -> Graph:
    """One convolution over the whole picture; `weight` (O, 3, S, S). Its largest sums span the output's grid."""
    image = picture(weight.shape[-1], zero_point)
    weight_scale = 2.0**-40
    output = tensor("y", (len(weight), 1, 1), 2.0**31 * weight_scale / 128 / 100)
    ones: dict[str, Any] = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1, "path": "y"}
    scales = np.full(len(weight), weight_scale, np.float32)
    layer = Conv2d(input=image, output=output, weight=weight, weight_scales=scales, bias=bias, **ones)
    return Graph(input=image, operators=(layer,))


def extreme_pictures(weight: NDArray[np.int8]) -> NDArray[np.uint8]:
    """For every channel the pictures of its greatest and of its least sum."""
    signs = np.concatenate([weight, -weight]).transpose(0, 2, 3, 1)
    return np.where(signs > 0, 255, 0).astype(np.uint8)


@settings(max_examples=6)
@given(zero_point=ZERO_POINTS, seed=st.integers(0, 99), share=st.sampled_from([0.0, 0.3, 1.0]))
def test_sums_that_reach_the_ends_of_int32_are_exact_and_one_further_is_refused(
    zero_point: int, seed: int, share: float, tmp_path: Path
) -> None:
    random, side = np.random.default_rng(seed), 149  # 3 * 149² * 127 * 255 is just above 2^31
    weight = np.where(random.random((4, 3, side, side)) < share, -1, 1) * random.integers(90, 101, (4, 1, 1, 1))
    codes, grid = weight.astype(np.int8), picture(side, zero_point).quantization
    assert grid is not None
    least, greatest = arithmetic.sum_ranges(codes, np.zeros(4, np.int32), grid)
    to_end = np.where(np.arange(4) % 2, INT32_MAX - greatest, -INT32_MAX - 1 - least)  # each to one of the two ends
    graph = whole_map(codes, to_end.astype(np.int32), zero_point)
    expected = assert_exact(graph, contract_for(graph), extreme_pictures(codes), tmp_path)
    assert expected.max() == 100 and expected.min() == -100  # the factor brings 2^31 to code 100
    further = to_end + np.where(np.arange(4) % 2, 1, -1)
    with pytest.raises(CompileError, match=r"expected sums that int32 holds at y, found -?\d"):
        Reference(whole_map(codes, further.astype(np.int32), zero_point))
    with pytest.raises(CompileError, match="int32"):
        TfliteRuntime().export(whole_map(codes, further.astype(np.int32), zero_point), contract_for(graph), tmp_path)


def test_a_mean_of_4096_by_4096_codes_is_the_largest_that_int32_holds() -> None:
    for side, is_held in ((4096, True), (4097, False)):
        image = picture(side)
        mean = Mean(input=image, output=tensor("y", (3, 1, 1), 1 / 128), path="y")
        graph = Graph(input=image, operators=(mean,))
        if is_held:
            limits.check_graph(graph)
        else:
            with pytest.raises(CompileError, match="int32"):
                limits.check_graph(graph)


@given(
    inputs=st.integers(1, 200_000),
    mixed=st.booleans(),
    x=st.builds(lambda e, z: Quantization(scale=2.0**e, zero_point=z), st.integers(-12, 4), ZERO_POINTS),
    bias=st.floats(-1e3, 1e3),
    seed=st.integers(0, 99),
)
@settings(max_examples=40)
def test_snapped_weights_of_any_number_of_inputs_never_leave_int32(inputs, mixed, x, bias, seed) -> None:
    codes = np.random.default_rng(seed).integers(-127 if mixed else 100, 128, (2, inputs)).astype(np.int8)
    y = Quantization(scale=2.0, zero_point=0)
    snapped = snap_weights(codes, np.full(2, 1e-3), np.full(2, bias), x, y, path="head")
    least, greatest = arithmetic.sum_ranges(snapped["weight"], snapped["bias"], x)
    assert least.min() >= -INT32_MAX - 1 and greatest.max() <= INT32_MAX
    assert np.abs(snapped["bias"]).max() <= LARGEST_BIAS + 1
    real = snapped["weight"] * snapped["weight_scales"][:, None].astype(np.float64)
    assert np.abs(real - codes * 1e-3).max() <= snapped["weight_scales"].max() / 2 * 1.001


def test_a_layer_of_so_many_inputs_that_no_weights_would_be_left_is_refused() -> None:
    codes = np.full((1, 9_000_000), 127, np.int8)
    x, y = Quantization(scale=0.125, zero_point=-128), Quantization(scale=1.0, zero_point=0)
    with pytest.raises(CaptureError, match=r"int32 holds at head, found 9,000,000 inputs"):
        snap_weights(codes, np.full(1, 1e-3), np.zeros(1), x, y, path="head")


# -- nets whose numbers are extreme


class Net(nn.Module):
    """Two convolutions, what a test makes of them, and a linear layer on the mean."""

    def __init__(self, body: Callable[["Net", Tensor], Tensor], factor: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.body = body
        self.head = nn.Linear(body(self, torch.zeros(1, 3, SIZE_PX, SIZE_PX)).shape[1], len(LABELS))
        with torch.no_grad():
            for layer in (self.a, self.b, self.head):
                layer.weight.mul_(factor)
                layer.bias.mul_(factor)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self, x).mean((2, 3)))


BODIES: dict[str, Callable[[Net, Tensor], Tensor]] = {
    "h-swish": lambda net, x: net.b(F.hardswish(net.a(x))),
    "a gate of a convolution": lambda net, x: net.a(x) * F.hardsigmoid(net.b(net.a(x))),
    "a gate alone": lambda net, x: F.hardsigmoid(net.a(x) + net.b(net.a(x))),
    "a gate that others share": lambda net, x: (lambda y: y * F.hardsigmoid(y))(net.a(x)),
    "a sum": lambda net, x: net.a(x) + net.b(F.relu(net.a(x))),
    "a sum with the picture": lambda net, x: x + net.a(x)[:, :3],
    "a constant": lambda net, x: net.a(x) + 0.5,
    "a product": lambda net, x: net.a(x) * net.b(net.a(x)),
    "a square": lambda net, x: net.a(x) * net.a(x),
    "a concatenation with the picture": lambda net, x: torch.cat([x, net.a(x)], 1),
    "an average": lambda net, x: F.avg_pool2d(net.a(x), 2),
}


def calibrated(net: nn.Module, plan: CalibrationPlan | None = None, *, count: int = 6) -> Any:
    return quantize(net, CONTRACT, picture_set(count, SIZE_PX, seed=1), plan or CalibrationPlan.extremes())


def fidelity_db(program: Any, net: nn.Module, pictures: NDArray[np.uint8]) -> float:
    """The int8 scores beside the float twin's."""
    grid = arithmetic.quantization_of(program.graph.output)
    floats = FloatReference(float_twin(net, CONTRACT).graph).run(pictures).astype(np.float64)
    noise = (Reference(program.graph).run(pictures).astype(np.float64) - grid.zero_point) * grid.scale - floats
    return float(10 * np.log10((floats**2).sum() / (noise**2).sum()))


@pytest.mark.parametrize("factor", [1e-6, 1e4])
@pytest.mark.parametrize("body", BODIES)
def test_a_net_whose_weights_are_all_tiny_or_huge_is_exact_and_near_its_float_twin(body, factor, tmp_path) -> None:
    net = Net(BODIES[body], factor).eval()
    program, pictures = calibrated(net), rgb(6, SIZE_PX, seed=1)
    assert_exact(program.graph, CONTRACT, pictures, tmp_path)
    assert fidelity_db(program, net, pictures) > 30


@pytest.mark.parametrize("with_biases", [True, False])
def test_every_stage_of_the_default_calibration_works_in_a_net_of_tiny_values(with_biases: bool) -> None:
    net = Net(BODIES["a sum"], 1e-6).eval()
    if not with_biases:
        for layer in (net.a, net.b, net.head):
            nn.init.zeros_(layer.bias)
    program = calibrated(net, CalibrationPlan())
    assert fidelity_db(program, net, rgb(6, SIZE_PX, seed=1)) > 35
    stages: Any = program.record.settings["calibration"]
    # On crops of one held-back picture of noise, whose scores are small. Ranges measured on such noise fit it too well,
    # at any size of values, and are undone.
    assert all(stage["sqnr_db"] > 20 for stage in stages if stage["is_kept"])


def test_scores_that_no_scale_tells_apart_are_refused() -> None:
    net = Net(BODIES["a constant"], 1.0).eval()
    with torch.no_grad():
        net.head.weight.mul_(1e-30)
        net.head.bias.zero_()
    with pytest.raises(CaptureError, match="expected scores that differ by 8e-25 at least, found"):
        calibrated(net)
    nn.init.zeros_(net.head.weight)
    calibrated(net)  # dead scores are what the net says


@pytest.mark.parametrize(
    "body",
    [lambda net, x: net.b(F.relu6(net.a(x))), lambda net, x: (lambda y: net.b(F.relu6(y)) + y)(net.a(x))],
    ids=["of a convolution", "alone"],
)
def test_a_relu6_of_huge_values_keeps_its_grid(body: Callable[[Net, Tensor], Tensor], tmp_path: Path) -> None:
    net, pictures = Net(body, 1.0).eval(), rgb(6, SIZE_PX, seed=1)
    with torch.no_grad():
        net.a.weight.mul_(1e6)
        net.b.weight.mul_(1e6)
    program = calibrated(net)
    assert_exact(program.graph, CONTRACT, pictures, tmp_path)
    assert fidelity_db(program, net, pictures) > 25


@pytest.mark.parametrize("factor", [1e-5, 1e-9, 3e-7])
def test_a_tiny_factor_before_a_concatenation_is_one_partition(factor: float, tmp_path: Path) -> None:
    net = Net(lambda net, x: torch.cat([x, x * factor], 1), 1.0).eval()
    assert_exact(calibrated(net).graph, CONTRACT, rgb(4, SIZE_PX, seed=2), tmp_path)


def test_a_linear_layer_on_76800_values_of_one_sign_is_exact(tmp_path: Path) -> None:
    class Flattened(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.head = nn.Conv2d(3, 300, 1), nn.Linear(300 * SIZE_PX**2, len(LABELS))
            with torch.no_grad():
                self.stem.weight.fill_(0.3)
                self.stem.bias.fill_(1.2)
                signs = torch.tensor([1.0, -1.0, 0.5, 1.0, -0.3]).reshape(-1, 1)
                self.head.weight.copy_(signs.expand(-1, 300 * SIZE_PX**2) / 76_800)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.relu(self.stem(x)).flatten(1))

    net = Flattened().eval()
    program = calibrated(net)
    white = np.full((1, SIZE_PX, SIZE_PX, 3), 255, np.uint8)
    pictures = np.concatenate([white, 0 * white, rgb(4, SIZE_PX, seed=1)])
    assert_exact(program.graph, CONTRACT, pictures, tmp_path)
    assert fidelity_db(program, net, pictures[2:]) > 40


@pytest.mark.parametrize("bias", [-4.0, -2.99, 0.0, 4.0])
@pytest.mark.parametrize("activation", [F.hardsigmoid, F.hardswish, F.relu6, F.relu], ids=lambda each: each.__name__)
def test_a_squeeze_and_excite_of_a_map_that_is_constant_is_exact(activation: Any, bias: float, tmp_path: Path) -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        y = activation(self.stem(x))
        return self.last((y * F.hardsigmoid(self.gate(y.mean((2, 3), keepdim=True)))).mean((2, 3)))

    own = net(forward, stem=nn.Conv2d(3, 4, 3), gate=nn.Conv2d(4, 4, 1), last=nn.Linear(4, len(LABELS)))
    with torch.no_grad():
        own.stem.weight.zero_()
        own.stem.bias.fill_(bias)
    program = calibrated(own, CalibrationPlan())
    assert_exact(program.graph, CONTRACT, rgb(6, SIZE_PX, seed=1), tmp_path)


def test_a_tensor_and_a_multiple_of_it_that_share_a_grid_are_refused_in_one_line() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        y = self.stem(x)
        return self.last(torch.cat([y, F.relu(y * 1e-3)], 1).mean((2, 3)))

    own = net(forward, stem=nn.Conv2d(3, 4, 3), last=nn.Linear(8, len(LABELS)))
    with pytest.raises(CaptureError, match="one grid can hold at stem") as refused:
        quantize(own, CONTRACT, picture_set(4), CalibrationPlan.extremes())
    assert "put a convolution between" in refused.value.hint
