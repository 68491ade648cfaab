"""Corrects biases: a layer's bias cancels the shift that rounding causes in its mean output.

Source: Nagel et al., arXiv 1906.04721, section 4.2, from images as in its appendix D. Layers are corrected in the order
of computation, so that each also cancels what the layers before it leave.
"""

import torch
from torch import Tensor, nn

from qat.calibration.paired_walk import Pair, PairedWalk
from qat.layers.weighted import Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.steps import channel_axis


@torch.no_grad()
def correct_biases(net: FakeQuantNet, teacher: FakeQuantNet, pictures: Tensor) -> None:
    """Moves the biases of `net`, whose ranges are known, so that no layer's channel has a mean error on `pictures`.

    Pictures are floats (N, 3, H, W); `teacher` is the net's copy that does not round. Means are those before the
    layer's activation, and before its own output is rounded.
    """
    _Correction(teacher, net).walk(pictures)


def shift_bias(layer: Weighted, shift: Tensor) -> None:
    """Adds `shift` (O,) to the layer's output, through its batch norm if it has one."""
    if layer.norm is not None:
        layer.norm.bias.add_(shift)
    elif layer.bias is not None:
        layer.bias.add_(shift)
    else:
        layer.bias = nn.Parameter(shift.clone())


class _Correction(PairedWalk):
    def at_layer(self, layer: Weighted, x: Pair, exact: Tensor) -> None:
        error = exact - layer(x.rounded)
        shift_bias(layer, error.movedim(channel_axis(error.ndim), 0).flatten(1).mean(1))
