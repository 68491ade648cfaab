"""ConvTranspose2d: the integer model in the reference, and the reference's codes in every runtime and on Arm."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from mobile_sdk.graph.operators import Clamp, ConvTranspose2d, Graph, Quantization, Tensor
from mobile_sdk.program.program import Program
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.calibration.weight_rounding import second_moments
from qat.capture.capture import capture
from qat.data.picture_set import PictureSet
from qat.layers.transposed import ConvTranspose2d as Layer
from tests.support.graphs import float_graph
from tests.support.operators.emulated_arm import differing
from tests.support.operators.integer_models import assert_modelled
from tests.support.operators.one_operator import contract_for
from tests.support.operators.random_cases import SEEDS, ZERO, grid, picture, random_pictures, tensor, weights
from tests.support.operators.runtimes import GIVING_CODES, RUNTIMES, assert_exact, assert_near_float
from tests.support.tiny_nets import CONTRACT, SIZE_PX, net

GEOMETRIES = [  # kernel, stride, padding
    ((2, 2), (2, 2), (0, 0, 0, 0)),
    ((3, 3), (2, 2), (1, 0, 1, 0)),  # PyTorch's padding of 1 and output_padding of 1
    ((4, 4), (2, 2), (1, 1, 1, 1)),
    ((5, 3), (3, 1), (0, 3, 2, 0)),
    ((3, 5), (2, 2), (0, 0, 1, 1)),  # a larger map than LiteRT's SAME has
    ((5, 3), (2, 1), (1, 1, 2, 1)),  # a larger one, and a border that is left away
    ((2, 2), (3, 3), (0, 0, 0, 0)),  # gaps between the filters hold the bias alone
]


def spread(
    geometry: Any, *, channels: int = 5, side: tuple[int, int] = (8, 8), x: Quantization | None = None, **fields: Any
) -> Graph:
    kernel, stride, padding = geometry
    source = picture(*side, x or grid(1 / 64, 7))
    y = fields.pop("y", grid(1 / 16, -20))
    numbers = weights((channels, 3, *kernel), source.quantization, y, fields.pop("seed", 0))
    rows, columns = (
        (side[axis] - 1) * stride[axis] + kernel[axis] - padding[2 * axis] - padding[2 * axis + 1] for axis in (0, 1)
    )
    layer = ConvTranspose2d(
        output=tensor((channels, rows, columns), y),
        path="net.up",
        input=source,
        stride=stride,
        padding=padding,
        **numbers,
        **fields,
    )
    return Graph(input=source, operators=(layer,))


ANY = st.tuples(
    st.tuples(st.integers(1, 5), st.integers(1, 5)), st.tuples(st.integers(1, 3), st.integers(1, 3))
).flatmap(
    lambda both: st.tuples(
        st.just(both[0]),
        st.just(both[1]),
        st.tuples(*(st.integers(0, size - 1) for size in both[0] for _ in range(2))),
    )
)


@settings(max_examples=20)
@given(geometry=ANY, zeros=st.tuples(ZERO, ZERO), clamp=st.sampled_from(list(Clamp)), seed=SEEDS)
def test_any_transposed_convolution_is_the_integer_model_and_exact_in_litert_executorch_and_onnx(
    tmp_path, geometry, zeros, clamp, seed
):
    grids = {"x": grid(1 / 64, zeros[0]), "y": grid(1 / 16, zeros[1])}
    graph = spread(geometry, side=(6, 5), clamp=clamp, seed=seed, **grids)
    images = random_pictures(6, 5, seed)
    assert_modelled(graph, images, values=1)
    for runtime in GIVING_CODES:
        assert_exact(runtime, graph, tmp_path, images)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_every_runtime_is_exact(runtime, geometry, tmp_path):
    assert_exact(runtime, spread(geometry), tmp_path)


@pytest.mark.parametrize("geometry", GEOMETRIES[1:4])
def test_arm_and_reference_agree(geometry, arm_core, tmp_path):
    graph = spread(geometry, channels=19)
    assert differing(graph, random_pictures(8, 8), arm_core, tmp_path) == {}


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_file_is_read_back_as_what_was_asked_for_and_another_stride_is_seen(runtime, tmp_path):
    graphs = [spread(geometry) for geometry in (GEOMETRIES[0], GEOMETRIES[0], ((2, 2), (3, 3), (0, 0, 0, 0)))]
    paths = [tmp_path / str(index) / runtime.model_file for index in range(3)]
    for graph, path in zip(graphs, paths, strict=True):
        path.parent.mkdir()
        runtime.export(graph, contract_for(graph), path)
    assert runtime.differences(paths[1], paths[0], graphs[0]) == []
    assert runtime.differences(paths[2], paths[0], graphs[0]) != []


SETTINGS: dict[str, dict[str, Any]] = {
    "of two pixels": {"kernel_size": 2, "stride": 2},
    "with output padding": {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1, "bias": False},
    "with more output padding than padding": {"kernel_size": 2, "stride": 3, "output_padding": (1, 2)},
    "depthwise": {"kernel_size": 4, "stride": 2, "padding": 1, "groups": 6, "bias": False},
    "in groups, dilated": {"kernel_size": (3, 2), "stride": (2, 1), "padding": (2, 1), "dilation": 2, "groups": 2},
}


def upsampling(settings: dict[str, Any]) -> nn.Module:
    torch.manual_seed(0)
    up = nn.Sequential(nn.ConvTranspose2d(6, 6, **settings), nn.BatchNorm2d(6), nn.ReLU())
    with torch.no_grad():
        up[1].running_mean.uniform_(-0.1, 0.1), up[1].running_var.uniform_(0.1, 0.3), up[1].weight.uniform_(-2, 2)
    return net(
        lambda self, x: self.head(self.up(F.relu(self.stem(x))).mean((2, 3))),
        stem=nn.Conv2d(3, 6, 3, stride=2),
        up=up,
        head=nn.Linear(6, 5),
    )


@pytest.mark.parametrize("form", SETTINGS)
def test_a_nets_layer_is_captured_with_its_batch_norm_and_exact_after_calibration(form, tmp_path):
    own = upsampling(SETTINGS[form])
    images = np.random.default_rng(0).integers(0, 256, (6, SIZE_PX, SIZE_PX, 3)).astype(np.uint8)
    program = quantize(own, CONTRACT, PictureSet(sources=tuple(images), targets=(0,) * 6), CalibrationPlan())
    (layer,) = (operator for operator in program.graph.operators if isinstance(operator, ConvTranspose2d))
    assert layer.path.startswith("up.0")
    for runtime in RUNTIMES:
        assert_exact(runtime, program.graph, tmp_path, images)
    program.save(tmp_path / "program.pt2")
    assert Program.load(tmp_path / "program.pt2").graph.digest() == program.graph.digest()


def test_a_layers_gradients_are_those_of_pytorchs_own():
    own = upsampling(SETTINGS["in groups, dilated"])
    captured = capture(own, 16)
    x = torch.rand(2, 3, 16, 16)
    for module in captured.modules():
        if hasattr(module, "quantizing"):
            module.quantizing = False
    own.eval()(x).sum().backward(), captured.eval()(x).sum().backward()
    (layer,) = (module for module in captured.modules() if isinstance(module, Layer))
    expected = own.up[0].weight.grad.reshape(2, 3, 3, 3, 2).transpose(1, 2).reshape(6, 3, 3, 2)
    torch.testing.assert_close(layer.weight.grad, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("form", SETTINGS)
def test_the_moments_of_a_filters_inputs_predict_the_variance_of_the_output(form):
    captured = capture(upsampling(SETTINGS[form]), 16)
    (layer,) = (module for module in captured.modules() if isinstance(module, Layer))
    x = torch.rand(2, 6, 5, 4)
    moments = second_moments(layer, x, None)
    rows = layer.weight.detach().reshape(layer.groups, 6 // layer.groups, -1)
    expected = layer.apply_weights(x, layer.weight, None).transpose(0, 1).flatten(1).var(1, correction=0)
    found = ((rows @ moments[:, 0]) * rows).sum(-1).flatten()
    torch.testing.assert_close(found, expected.detach(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_float_graphs_layer_is_near_the_float_reference(runtime, tmp_path):
    graph = float_graph("conv chain")
    x = graph.operators[0].output
    random = np.random.default_rng(0)
    layer = ConvTranspose2d(
        output=Tensor(name="up", shape=(4, 2 * x.shape[1], 2 * x.shape[2]), quantization=None),
        path="net.up",
        input=x,
        weight=random.normal(0, 0.1, (4, x.shape[0], 3, 3)).astype(np.float32),
        weight_scales=None,
        bias=np.ones(4, np.float32),
        stride=(2, 2),
        padding=(1, 0, 1, 0),
    )
    assert_near_float(runtime, replace(graph, operators=(graph.operators[0], layer)), tmp_path)
