"""Our convolution is PyTorch's: the same values and gradients, whichever way they are computed."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from qat import convolution as module
from qat.convolution import convolution

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
