"""Normalises over the whole batch, of which several processes have a part each.

It works as PyTorch's SyncBatchNorm, which supports only GPUs: the moments that normalise, and in backward the sums for
the gradients, are those of all processes' images. Source: Ioffe, Szegedy 2015, arXiv 1502.03167, section 3.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def shared_batch_norms(net: nn.Module) -> Iterator[None]:
    """Makes batch norms in training, inside the `with`, normalise by the moments of all processes' images."""
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.forward = partial(_forward, norm)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def moved_statistics(module: nn.Module) -> list[Tensor]:
    """Returns the statistics that a step has moved if the module is a batch norm that saw its own part alone."""
    if not (isinstance(module, _BatchNorm) and module.training) or "forward" in vars(module):
        return []
    return [value for value in (module.running_mean, module.running_var) if value is not None]


def _forward(norm: _BatchNorm, x: Tensor) -> Tensor:
    if not norm.training:
        return type(norm).forward(norm, x)
    count, mean, variance = _moments(x)
    _update_statistics(norm, count, mean, variance)
    weight, bias = (norm.weight, norm.bias) if norm.affine else (torch.ones_like(mean), torch.zeros_like(mean))
    result: Tensor = _Normalised.apply(x, weight, bias, count, mean, variance, norm.eps)  # type: ignore[no-untyped-call]
    return result


@torch.no_grad()
def _moments(x: Tensor) -> tuple[float, Tensor, Tensor]:
    """Returns the count of values of a channel, their mean and (biased) variance, over all processes; (C,) both."""
    axes = [axis for axis in range(x.ndim) if axis != 1]
    own = x.numel() // x.shape[1]
    variance, mean = (value.double() for value in torch.var_mean(x, axes, correction=0))
    sums = torch.cat([own * mean, own * (variance + mean.square()), mean.new_tensor([own])])
    torch.distributed.all_reduce(sums)
    count = float(sums[-1])
    mean, square = (sums[:-1] / count).chunk(2)
    return count, mean.to(x.dtype), (square - mean.square()).clamp(min=0).to(x.dtype)


@torch.no_grad()
def _update_statistics(norm: _BatchNorm, count: float, mean: Tensor, variance: Tensor) -> None:
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked += 1
    momentum = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, momentum)
    norm.running_var.lerp_(variance * (count / max(count - 1, 1)), momentum)


class _Normalised(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, count: float, mean: Tensor, variance: Tensor, eps: float
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.count, ctx.eps = count, eps
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance = ctx.saved_tensors
        of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        sums = torch.cat([of_weight, of_bias]).double()
        torch.distributed.all_reduce(sums)
        along, level = (sums / ctx.count).to(x.dtype).chunk(2)
        inverse = torch.rsqrt(variance + ctx.eps)
        slope = along * weight * inverse.square()  # the gradient through the variance, per unit of `x`
        shift = level * weight * inverse - slope * mean
        shape = (1, -1, *[1] * (x.ndim - 2))
        of_x -= shift.reshape(shape)
        return of_x.addcmul_(x, slope.reshape(shape), value=-1), of_weight, of_bias, None, None, None, None
