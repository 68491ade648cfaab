"""Counts a net's parameters and multiply-adds from the module itself."""

import copy
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from mobile_sdk.errors import CaptureError

# These give the shape that they read, which torch takes long to find; subclasses may compute more.
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid, nn.SiLU, nn.GELU, nn.Dropout)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Holds the parameters and multiply-adds of a net.

    `parameters` counts everything that is learned, batch norm's scales and shifts (`batch_norm_parameters`) included.
    `multiply_adds` counts what the papers count, for one image: convolutions and linear layers, those of the
    squeeze-and-excite included; not biases, batch norm, activations, pooling, nor element-wise additions and products.
    """

    parameters: int
    batch_norm_parameters: int
    multiply_adds: int


def count_cost(net: nn.Module, size_px: int | tuple[int, int]) -> Cost:
    """Counts the parameters of `net`, and its multiply-adds for one RGB image, square or (height, width).

    Only shapes are computed (on the meta device). That takes milliseconds after a process's first call, in which torch
    loads another second of itself. `net` is not changed.

    Raises CaptureError when the net does not accept such an image.
    """
    height, width = (size_px, size_px) if isinstance(size_px, int) else size_px
    shapes = _on_meta_device(net).eval()
    for module in shapes.modules():
        if isinstance(module, _BatchNorm) and type(module) in _NORMS:
            module.forward = partial(_normed_shape, module)  # type: ignore[method-assign]
        elif type(module) in _ACTIVATIONS:
            module.forward = _same_shape
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            shapes(torch.empty(1, 3, height, width, device="meta"))
    except (RuntimeError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise CaptureError(
            f"expected a net that takes a 1×3×{height}×{width} picture, found: {reason}",
            hint="choose a larger size_px, or check the net's forward()",
        ) from error
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    return Cost(
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        batch_norm_parameters=sum(parameter.numel() for norm in norms for parameter in norm.parameters()),
        multiply_adds=counter.get_total_flops() // 2,
    )


def _normed_shape(norm: _BatchNorm, x: Tensor) -> Tensor:
    """Returns `x`, which a batch norm gives its shape; raises ValueError where the norm would refuse its channels."""
    if x.shape[1] != norm.num_features:
        raise ValueError(f"a batch norm of {norm.num_features} channels that reads {x.shape[1]}")
    return x


def _same_shape(x: Tensor) -> Tensor:
    return x


def _on_meta_device(net: nn.Module) -> nn.Module:
    """Copies the modules without the tensors: `deepcopy`'s memo maps each tensor to one on the meta device."""
    memo: dict[int, object] = {}
    for parameter in net.parameters():
        memo[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), requires_grad=False)
    for buffer in net.buffers():
        memo[id(buffer)] = buffer.to("meta")
    return copy.deepcopy(net, memo)
