"""Rates of training for fake-quantized layers, in steps of their own int8 grids."""

from typing import Any

from torch import nn

from qat.fake_quant import weight_scales
from qat.layers import Weighted


def groups_in_steps(net: nn.Module, rate: float, weight_steps: float) -> list[dict[str, Any]]:
    """An optimizer's groups of parameters: `rate` for all, and for each layer's weights what is `weight_steps` of it.

    A group's `rate_share` is what its rate is of the plan's. Steps are the median of the layer's output channels': from
    layer to layer they differ by a factor of twenty, so that one rate for all is too high here or too low there.
    """
    layers = [module for module in net.modules() if isinstance(module, Weighted)]
    own = {id(layer.weight) for layer in layers}
    others = [each for each in net.parameters() if each.requires_grad and id(each) not in own]
    return [
        {"params": others, "rate_share": 1.0},
        *({"params": [layer.weight], "rate_share": weight_steps * _step(layer) / rate} for layer in layers),
    ]


def _step(layer: Weighted) -> float:
    scales = weight_scales(layer.weight) if layer.scales is None else layer.scales
    return float(scales.median())
