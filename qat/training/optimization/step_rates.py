"""Sets training rates of fake-quantized nets in steps of their own int8 grids."""

from typing import Any

from torch import nn

from qat.layers.quantizers.fake_quant import TensorQuantizer
from qat.layers.weighted import Weighted


def groups_in_steps(net: nn.Module, rate: float, weight_steps: float, range_share: float) -> list[dict[str, Any]]:
    """Returns an optimizer's groups of parameters, each with `rate_share`: its rate over `rate`, the plan's.

    A layer's weights get `weight_steps` of their step, the median of its channels': steps differ between layers by a
    factor of twenty, so that one rate for all is too high here or too low there. Its batch norm gets `rate` times its
    own median gain, which is how far its channels deviate; learned steps and ranges get `range_share` of themselves.
    """
    layers = [module for module in net.modules() if isinstance(module, Weighted)]
    own = [(layer.weight, weight_steps * _step(layer)) for layer in layers]
    own += [(layer.scales, range_share * _step(layer)) for layer in layers if isinstance(layer.scales, nn.Parameter)]
    for norm in (layer.norm for layer in layers if layer.norm is not None):
        gain = float(norm.weight.detach().abs().median())
        own += [(norm.weight, rate * gain), (norm.bias, rate * gain)]
    for quantizer in (module for module in net.modules() if isinstance(module, TensorQuantizer)):
        ends = (quantizer.low, quantizer.high)
        span = float(quantizer.high.detach() - quantizer.low.detach())
        own += [(end, range_share * span) for end in ends if isinstance(end, nn.Parameter)]
    known = {id(parameter) for parameter, _ in own}
    others = [each for each in net.parameters() if each.requires_grad and id(each) not in known]
    return [
        {"params": others, "rate_share": 1.0},
        *({"params": [parameter], "rate_share": own_rate / rate} for parameter, own_rate in own),
    ]


def _step(layer: Weighted) -> float:
    return float(layer.steps().detach().median())
