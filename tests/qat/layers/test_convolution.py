"""Our convolution is PyTorch's: the same values and gradients, whichever way they are computed."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from qat.calibration.calibration import calibrate
from qat.layers import convolution as module
from qat.layers.convolution import convolution
from qat.preparation.preparation import prepare
from qat.tasks.classification.training import fit
from qat.training.plan import TrainPlan
from tests.support.tiny_nets import Tiny, net, picture_set
from tests.support.training import small_task

DEPTHWISE = {"channels": 6, "filters": 6, "groups": 6}


def drawn(
    *, side: tuple[int, int], kernel: tuple[int, int], channels: int, filters: int, groups: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures, channels last, weights and biases."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(3, channels, *side, generator=random).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(filters, channels // groups, *kernel, generator=random)
    return x.requires_grad_(True), weight.requires_grad_(True), torch.randn(filters, generator=random).requires_grad_()


def gradients(tensors: tuple[Tensor, Tensor, Tensor], how: Any, *geometry: Any) -> tuple[Tensor, ...]:
    """The values, then the gradients of the three tensors."""
    y = how(*tensors, *geometry)
    weights = torch.linspace(-1, 2, y.numel()).reshape(y.shape)
    return y, *torch.autograd.grad((y * weights).sum(), tensors)


@pytest.mark.parametrize("padding", [(2, 2), (0, 0), (1, 3)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (2, 1)])
@pytest.mark.parametrize("kernel", [(5, 5), (3, 7), (1, 4)])
@pytest.mark.parametrize("side", [(7, 8), (9, 7)])
def test_wide_depthwise_layers_have_pytorchs_gradients(
    side: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> None:
    tensors = drawn(side=side, kernel=kernel, **DEPTHWISE)
    geometry = (stride, padding, (1, 1), 6)
    for found, wanted in zip(
        gradients(tensors, convolution, *geometry), gradients(tensors, F.conv2d, *geometry), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-3)


def test_columns_are_only_taken_apart_where_that_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    monkeypatch.setattr(module._WideDepthwise, "apply", lambda *arguments: taken.append(arguments) or arguments[0])
    plain = ((1, 1), (2, 2))
    for kernel, layer, dilation in (
        ((3, 3), DEPTHWISE, (1, 1)),
        ((5, 5), DEPTHWISE, (2, 2)),
        ((5, 5), {"channels": 6, "filters": 12, "groups": 6}, (1, 1)),
        ((5, 5), {"channels": 6, "filters": 6, "groups": 1}, (1, 1)),
    ):
        x, weight, _ = drawn(side=(9, 9), kernel=kernel, **layer)
        convolution(x, weight, None, *plain, dilation, layer["groups"])
    assert not taken
    x, weight, _ = drawn(side=(9, 9), kernel=(5, 5), **DEPTHWISE)
    convolution(x, weight, None, *plain, (1, 1), 6)
    assert len(taken) == 1


def test_a_map_of_one_pixel_meets_its_weights_as_a_linear_layer() -> None:
    tensors = drawn(side=(1, 1), kernel=(1, 1), channels=8, filters=5, groups=1)
    geometry = ((1, 1), (0, 0), (1, 1), 1)
    for found, wanted in zip(
        gradients(tensors, convolution, *geometry), gradients(tensors, F.conv2d, *geometry), strict=True
    ):
        assert found.shape == wanted.shape
        torch.testing.assert_close(found, wanted)


@given(
    st.tuples(st.integers(1, 9), st.integers(4, 9)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 8), st.integers(0, 8)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_wide_depthwise_layers_on_maps_smaller_than_their_filters_have_float64s_gradients(
    kernel: tuple[int, int],
    side: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> None:
    sizes = zip(side, padding, kernel, dilation, strict=True)
    assume(all(size + 2 * zeros > (taps - 1) * gap for size, zeros, taps, gap in sizes))
    tensors = drawn(side=side, kernel=kernel, **DEPTHWISE)
    are_equal(tensors, stride, padding, dilation, 6)


@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.sampled_from([(3, 2, 1), (4, 4, 1), (4, 8, 2), (4, 4, 4), (16, 9, 1)]),
)
def test_pointwise_layers_of_any_stride_have_float64s_gradients(
    side: tuple[int, int], stride: tuple[int, int], channels: tuple[int, int, int]
) -> None:
    inputs, filters, groups = channels
    tensors = drawn(side=side, kernel=(1, 1), channels=inputs, filters=filters, groups=groups)
    are_equal(tensors, stride, (0, 0), (1, 1), groups)


def are_equal(tensors: tuple[Tensor, Tensor, Tensor], *geometry: Any) -> None:
    """Asserts that values and gradients are those of float64."""
    exact = tuple(each.detach().double().contiguous().requires_grad_() for each in tensors)
    with NoStridedPointwise():
        found = gradients(tensors, convolution, *geometry)
    for one, other in zip(found, gradients(exact, F.conv2d, *geometry), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-4)


class NoStridedPointwise(TorchDispatchMode):
    """Inside the `with`, the kernel that writes beyond its memory is an error in place of a crash, now or later."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Looks for a dense 1 x 1 layer with a stride and no padding whose weights want a gradient."""
        if func is torch.ops.aten.convolution_backward.default:
            _, _, weight, _, stride, padding, _, _, _, groups, (_, wants_weight, _) = args
            is_pointwise = weight.shape[2:] == (1, 1) and groups == 1 and not any(padding)
            assert not (is_pointwise and wants_weight and max(stride) > 1), f"a stride of {stride}"
        return func(*args, **(kwargs or {}))


def strided_net() -> Tiny:
    """1 x 1 layers with strides, on the picture and inside."""
    return net(
        lambda self, x: self.last(F.relu(self.inner(self.first(x)))).mean((2, 3)),
        first=nn.Conv2d(3, 2, 1, stride=(2, 1), bias=False),
        inner=nn.Conv2d(2, 4, 1, stride=(1, 3), padding="valid"),
        last=nn.Conv2d(4, 3, 1, stride=2),
    )


def test_calibration_keeps_clear_of_the_kernel_that_writes_beyond_its_memory() -> None:
    prepared = prepare(strided_net(), small_task.CONTRACT)
    with NoStridedPointwise():
        calibrate(prepared, picture_set())


@pytest.mark.parametrize("way", ["float", "int8", "distilled"])
def test_training_keeps_clear_of_the_kernel_that_writes_beyond_its_memory(way: str) -> None:
    own, pictures = strided_net(), small_task.pictures(16, 8)
    plan = replace(small_task.PLAN, epochs=2)
    learner: nn.Module = own if way == "float" else prepare(own, small_task.CONTRACT)
    with NoStridedPointwise():
        if way == "distilled":
            calibrate(learner, pictures.train)
            fit(learner, pictures, TrainPlan.distil(2, after=plan), teacher=own, progress=False)
        else:
            fit(learner, pictures, plan, contract=small_task.CONTRACT, progress=False)
    assert own.first.forward.__func__ is nn.Conv2d.forward
