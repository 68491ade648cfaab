"""Resizes bilinearly on the input's int8 grid, with the phones' rounding."""

from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from qat.layers.fake_quant import TensorQuantizer


class ResizeBilinear(nn.Module):
    """Interpolates to `size` (rows, columns) between the centres of pixels, on the grid of its input."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self._grid: tuple[TensorQuantizer, ...] = ()  # in a tuple, as the net registers it at the input

    def use_grid_of(self, quantizer: TensorQuantizer) -> None:
        """Rounds results as `quantizer` rounds the input."""
        self._grid = (quantizer,)

    def forward(self, x: Tensor) -> Tensor:
        """Returns `x` (N, C, H, W) at the size; its gradient is that of the unrounded interpolation."""
        for quantizer in self._grid:
            if quantizer.is_rounding:
                rounded: Tensor = _Resized.apply(x, self.size, quantizer.quantization().scale)  # type: ignore[no-untyped-call]
                return rounded
        return _interpolated(x, self.size)


def give_grids(prepared: fx.GraphModule) -> None:
    """Gives every resizing of a prepared net the quantizer of its input's grid."""
    modules = dict(prepared.named_modules(remove_duplicate=False))
    for node in prepared.graph.nodes:
        layer = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, ResizeBilinear):
            source = node
            while not isinstance(quantizer := modules.get(str(source.target)), TensorQuantizer):
                source = source.all_input_nodes[0]
            layer.use_grid_of(quantizer)


class _Resized(torch.autograd.Function):
    """Interpolates whole codes, which float32 holds exactly: so halves are exact, and are rounded up."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: tuple[int, int], scale: float) -> Tensor:
        ctx.sizes = size, x.shape
        return _interpolated((x / scale).round_(), size).add_(0.5).floor_().mul_(scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        size, shape = ctx.sizes
        return torch.ops.aten.upsample_bilinear2d_backward(gradient, size, shape, False), None, None


def _interpolated(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
