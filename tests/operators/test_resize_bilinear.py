"""Bilinear resizing: the same codes in the reference, every runtime, fake quantization and on Arm; refusals."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from mobile_sdk.bundle.lowering import lower
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.devices import EmulatedCore
from mobile_sdk.errors import CaptureError
from mobile_sdk.graph.interpolation import is_settled
from mobile_sdk.graph.operators import Graph, MaxPool2d, Quantization, ResizeBilinear, Tensor
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.onnx import OnnxRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.verification.verification import verify
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.capture.capture import capture
from qat.data.picture_set import PictureSet
from qat.freezing.freezing import freeze
from qat.layers.quantizers.fake_quant import Range, TensorQuantizer
from qat.layers.resizing import ResizeBilinear as ResizeLayer
from qat.preparation.preparation import prepare
from qat.steps import Kind, step_of
from tests.support.operators.emulated_arm import differing
from tests.support.operators.integer_models import assert_modelled

SIDES = st.tuples(st.integers(1, 5), st.integers(1, 5))
FACTORS = st.sampled_from([1, 2, 4, 8, 16, 32, 64])
GROWN = st.tuples(SIDES, st.tuples(FACTORS, FACTORS)).map(lambda pair: (pair[0], grown(*pair)))
ANY = st.tuples(st.integers(1, 70), st.integers(1, 70))
MAPS = st.one_of(GROWN, st.tuples(st.just((1, 1)), ANY), st.tuples(SIDES, ANY), st.tuples(ANY, ANY))
CONTRACT = Contract(name="maps", labels=("a", "b", "c"))


def grown(side: tuple[int, int], factors: tuple[int, int]) -> tuple[int, int]:
    return side[0] * factors[0], side[1] * factors[1]


def are_settled(side: tuple[int, int], size: tuple[int, int], align_corners: bool) -> bool:
    return all(is_settled(*sides, align_corners=align_corners) for sides in zip(side, size, strict=True))


def resize(side: tuple[int, int], size: tuple[int, int], zero_point: int, align_corners: bool = False) -> Graph:
    grid = Quantization(scale=1 / 32, zero_point=zero_point)
    source = Tensor(name="x", shape=(3, *side), quantization=grid)
    output = Tensor(name="y", shape=(3, *size), quantization=grid)
    up = ResizeBilinear(input=source, output=output, path="net.up", align_corners=align_corners)
    return Graph(input=source, operators=(up,))


def random_pictures(graph: Graph, seed: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *graph.input.shape[1:], 3)).astype(np.uint8)


@settings(max_examples=40)
@given(sides=MAPS, zero_point=st.integers(-128, 127), align_corners=st.booleans(), seed=st.integers(0, 2**31))
def test_any_resizing_is_the_integer_model(sides, zero_point, align_corners, seed):
    graph = resize(*sides, zero_point, align_corners)
    assert_modelled(graph, random_pictures(graph, seed), values=1)


@settings(max_examples=25)
@given(sides=MAPS, zero_point=st.integers(-128, 127), align_corners=st.booleans(), seed=st.integers(0, 2**31))
def test_any_resizing_is_exact_in_one_partition(sides, zero_point, align_corners, seed, tmp_path: Path):
    assume(are_settled(*sides, align_corners))
    graph = resize(*sides, zero_point, align_corners)
    images = random_pictures(graph, seed)
    expected = Reference(graph).run(images)
    for runtime in (TfliteRuntime(), ExecuTorchRuntime(), OnnxRuntime()):
        path = tmp_path / runtime.model_file
        session = runtime.load(path, runtime.export(graph, CONTRACT, path), threads=1)
        np.testing.assert_array_equal(np.stack([session.run(image) for image in images]), expected)
        session.close()
        structure = runtime.structure(path)
        assert structure.partitions == 1 and structure.not_delegated == ()


@pytest.mark.parametrize(
    ("side", "size", "align_corners"),
    [
        ((4, 4), (8, 32), False),
        ((2, 2), (64, 64), False),
        ((1, 1), (40, 40), False),
        ((5, 5), (20, 20), False),
        ((8, 8), (24, 13), False),
        ((10, 10), (5, 7), False),
        ((8, 8), (16, 40), True),
        ((20, 20), (39, 9), True),
        ((40, 40), (20, 1), True),
    ],
)
def test_core_ml_resizes_exactly(side, size, align_corners, tmp_path: Path) -> None:
    grid = Quantization(scale=1 / 128, zero_point=0)
    picture = Tensor(name="picture", shape=(3, 40, 40), quantization=grid)
    small = Tensor(name="small", shape=(3, *side), quantization=grid)
    pool = 40 // side[0]
    window = {"kernel": (pool, pool), "stride": (pool, pool), "padding": (0, 0, 0, 0)}
    operators = (
        MaxPool2d(input=picture, output=small, path="net.pool", **window),
        ResizeBilinear(
            input=small,
            output=Tensor(name="y", shape=(3, *size), quantization=grid),
            path="net.up",
            align_corners=align_corners,
        ),
    )
    graph = Graph(input=picture, operators=operators)
    contract = Contract(name="maps", labels=("a", "b", "c"), image=ImageSpec(size_px=40))
    path = tmp_path / "model.mlpackage"
    session = CoreMLRuntime().load(path, CoreMLRuntime().export(graph, contract, path), threads=1)
    images = random_pictures(graph, 3)
    found = np.stack([session.run(image) for image in images])
    np.testing.assert_array_equal(found, Reference(graph).run(images).astype(np.float32) / 128)


@pytest.mark.parametrize(
    ("size", "align_corners"),
    [
        ((128, 8), False),
        ((512, 32), False),
        ((2048, 128), False),
        ((192, 7), False),
        ((127, 13), True),
        ((31, 3), True),
    ],
)
def test_arm_and_reference_agree_on_all_codes(size, align_corners, cortex_a76: EmulatedCore, tmp_path: Path) -> None:
    """Columns that go through all codes beside columns that go through them at another pace."""
    graph = resize((64, 4), size, -3, align_corners)
    codes = np.arange(256, dtype=np.uint8)
    columns = np.stack([codes, codes * 7, codes * 31 + 5, 255 - codes], axis=1).reshape(4, 64, 4)
    pictures = np.stack([columns, columns[:, :, ::-1], columns * 3], axis=-1)
    assert differing(graph, pictures, cortex_a76, tmp_path) == {}


class Growing(nn.Module):
    """Two convolutions, the second on a map four times as large."""

    def __init__(self, **settings: object) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=8, padding=1)
        self.up = nn.Upsample(**settings)
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(self.last(self.up(self.first(x))), x.shape[2:], mode="bilinear")


def test_fake_quantization_evaluates_the_codes_that_phones_compute() -> None:
    torch.manual_seed(0)
    contract = Contract(name="maps", labels=("a", "b"), image=ImageSpec(size_px=32))
    net = Growing(scale_factor=4, mode="bilinear").eval()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    x = torch.from_numpy((pixels.astype(np.float32) - 128) / 128).permute(0, 3, 1, 2)
    fake = prepare(net, contract).train()
    fake(x)
    fake.eval()
    program = freeze(fake, contract)
    codes = Reference(program.graph).run(pixels).astype(np.float32)
    grid = program.graph.output.quantization
    assert grid is not None
    with torch.no_grad():
        found = fake(x).permute(0, 2, 3, 1).numpy() / grid.scale + grid.zero_point
    assert np.mean(np.abs(found - codes) > 1e-3) < 0.01  # biases are on a grid there
    assert len(np.unique(codes)) > 50
    whole = fake.train()(x)
    whole.sum().backward()
    assert all(parameter.grad is not None for parameter in fake.captured.parameters())


@pytest.mark.parametrize(("size", "align_corners"), [((32, 16), False), ((13, 10), True), ((3, 11), False)])
def test_a_resized_tensor_has_the_codes_of_the_operator_halves_included(size, align_corners) -> None:
    graph = resize((4, 4), size, 0, align_corners)
    images = random_pictures(graph, 5, 20)
    quantizer = TensorQuantizer(bounds=Range(low=-4.0, high=4 - 1 / 32))
    assert quantizer.quantization() == graph.input.quantization
    layer = ResizeLayer(size, align_corners=align_corners)
    layer.use_grid_of(quantizer)
    values = (torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32)) - 128) / 32
    codes = (layer(values) * 32).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(codes, Reference(graph).run(images))


def test_a_saved_program_resizes_as_the_net_did(tmp_path: Path) -> None:
    contract = Contract(name="maps", labels=("a", "b"), image=ImageSpec(size_px=32))
    random = np.random.default_rng(1)
    pictures = PictureSet(sources=tuple(random.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)), targets=(0,) * 8)
    program = quantize(Growing(scale_factor=4, mode="bilinear"), contract, pictures, CalibrationPlan.extremes())
    program.save(tmp_path / "program.pt2")
    assert Program.load(tmp_path / "program.pt2").graph.digest() == program.graph.digest()
    resized = [operator for operator in program.graph.operators if isinstance(operator, ResizeBilinear)]
    assert [operator.output.shape[1:] for operator in resized] == [(16, 16), (32, 32)]


class OfAPart(nn.Module):
    """Resizes the middle of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        part = functional.interpolate(x[:, :, 8:24, 8:24], size=(8, 8), mode="bilinear")
        return self.conv(part).mean((2, 3))


def test_a_net_may_resize_a_part_of_the_picture_which_has_no_quantizer(tmp_path: Path) -> None:
    contract = Contract(name="maps", labels=("a", "b"), image=ImageSpec(size_px=32))
    random = np.random.default_rng(2)
    pictures = PictureSet(sources=tuple(random.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)), targets=(0,) * 8)
    program = quantize(OfAPart().eval(), contract, pictures, CalibrationPlan.extremes())
    assert any(isinstance(operator, ResizeBilinear) for operator in program.graph.operators)
    (bundle,) = lower(program, tmp_path, runtimes="tflite", progress=False)
    verdict = verify(bundle, program, pictures, progress=False)
    assert verdict.comparison is not None and verdict.comparison.is_exact


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (
            {"scale_factor": 1.6, "mode": "bilinear"},
            "to .6.4, 6.4., which are parts of pixels: pass size=.6, 6. or rec",
        ),
        ({"scale_factor": 2, "mode": "bicubic"}, "upsample_bicubic2d.* at up"),
    ],
)
def test_other_resizings_are_refused_with_their_module(settings: dict[str, object], found: str) -> None:
    with pytest.raises(CaptureError, match=found) as refusal:
        capture(Growing(**settings), 32)
    assert "bilinear resizing" in refusal.value.hint


def test_a_size_that_processors_round_differently_is_refused_with_the_nearest_that_they_do_not() -> None:
    with pytest.raises(CaptureError, match=r"from .10, 10. to .227, 20., which processors .*: resize to .226, 20."):
        capture(Growing(size=(227, 20), mode="bilinear"), 80)


def test_a_resizing_to_the_same_size_vanishes() -> None:
    captured = capture(Growing(size=4, mode="bilinear", align_corners=True), 32)
    steps = [step for node in captured.graph.nodes if (step := step_of(node)) is not None]
    assert [step.shape for step in steps if step.kind is Kind.RESIZE] == [(2, 32, 32)]


def test_interpolation_goes_up_and_never_beyond_its_neighbours() -> None:
    graph = resize((1, 2), (1, 8), 0)
    row = np.array([[[[0] * 3, [255] * 3]]], np.uint8)
    codes = Reference(graph).run(row)[0, 0, :, 0].tolist()
    assert codes == [-128, -128, -96, -32, 31, 95, 127, 127]
    assert all(a <= b for a, b in pairwise(codes))
