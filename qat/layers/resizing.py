"""Resizes bilinearly on the input's int8 grid, with the phones' rounding."""

from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from mobile_sdk.graph.interpolation import resized_codes
from qat.layers.quantizers.fake_quant import TensorQuantizer


class ResizeBilinear(nn.Module):
    """Interpolates to `size` (rows, columns), between pixels' centres or between corner pixels, on its input's grid."""

    def __init__(self, size: tuple[int, int], *, align_corners: bool = False) -> None:
        super().__init__()
        self.size, self.align_corners = size, align_corners
        self._grid: tuple[TensorQuantizer, ...] = ()  # in a tuple, as the net registers it at the input

    def use_grid_of(self, quantizer: TensorQuantizer) -> None:
        """Rounds results as `quantizer` rounds the input."""
        self._grid = (quantizer,)

    def forward(self, x: Tensor) -> Tensor:
        """Returns `x` (N, C, H, W) at the size; its gradient is that of the unrounded interpolation."""
        for quantizer in self._grid:
            if quantizer.is_rounding:
                scale = quantizer.quantization().scale
                rounded: Tensor = _Resized.apply(x, self.size, self.align_corners, scale)  # type: ignore[no-untyped-call]
                return rounded
        return F.interpolate(x, size=self.size, mode="bilinear", align_corners=self.align_corners)


def give_grids(prepared: fx.GraphModule) -> None:
    """Gives every resizing of a prepared net the quantizer of its input's grid; the picture's own has none."""
    modules = dict(prepared.named_modules(remove_duplicate=False))
    for node in prepared.graph.nodes:
        layer = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, ResizeBilinear):
            source = node
            while source.op != "placeholder" and not isinstance(modules.get(str(source.target)), TensorQuantizer):
                source = source.all_input_nodes[0]
            if isinstance(quantizer := modules.get(str(source.target)), TensorQuantizer):
                layer.use_grid_of(quantizer)


class _Resized(torch.autograd.Function):
    """Interpolates whole codes as phones do."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: tuple[int, int], align_corners: bool, scale: float) -> Tensor:
        ctx.geometry = size, x.shape, align_corners
        return resized_codes((x / scale).round_(), size, align_corners=align_corners).mul_(scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return torch.ops.aten.upsample_bilinear2d_backward(gradient, *ctx.geometry), None, None, None
