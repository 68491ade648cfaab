"""Measures what rounding the weights of each layer alone costs: their share of noise in the scores.

The rest of the net computes in float, so that shares of several layers add up as independent noises do. Weights are
rounded as calibration rounds them, by the moments of the layer's inputs. At 8 bits that is what keeping the layer in
float32 takes away: its inputs and outputs are codes there too, as the layers around it are in int8.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from qat.calibration.noise import computed, sqnr_db
from qat.calibration.weight_rounding import round_weights
from qat.layers.weighted import Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.progress import track


@torch.no_grad()
def noise_shares(
    net: FakeQuantNet, layers: Mapping[str, Sequence[str]], pictures: Tensor, judged: Tensor, bits: int
) -> Iterator[tuple[str, float]]:
    """Yields the name of each of `layers` and the noise share of the scores with its weights alone at `bits`, 4 or 8.

    `layers` maps names to the modules of `net.captured`. Weights are rounded by float `pictures` (N, C, H, W), and
    noise is measured on the float inputs `judged`. `net` does not change.
    """
    exact = copy.deepcopy(net).eval()
    exact.quantize(False)
    rounded = _rounded(exact, [module for modules in layers.values() for module in modules], pictures, bits)
    wanted = computed(exact, judged)
    for layer, modules in track(layers.items(), what=f"sensitivity of layers to {bits} bits", total=len(layers)):
        with _taking_weights(exact, rounded, modules):
            found = computed(exact, judged)
        yield layer, 10 ** (-sqnr_db(found, wanted) / 10)


@torch.no_grad()
def activations_share(net: FakeQuantNet, judged: Tensor) -> float:
    """Returns the noise share of the scores with all activations rounded and no weights, on float inputs `judged`.

    It is what the noise comes to, at least, however many layers are kept in float32. `net` does not change.
    """
    exact, rounded = copy.deepcopy(net).eval(), copy.deepcopy(net).eval()
    exact.quantize(False)
    for layer in rounded.captured.modules():
        if isinstance(layer, Weighted):
            layer.quantizing = False
    return float(10 ** (-sqnr_db(computed(rounded, judged), computed(exact, judged)) / 10))


def _rounded(exact: FakeQuantNet, modules: Sequence[str], pictures: Tensor, bits: int) -> FakeQuantNet:
    """Returns a copy in which the weights of `modules` have so many bits."""
    rounded = copy.deepcopy(exact)
    for layer in (_weighted(rounded, module) for module in modules):
        layer.scales, layer.weight_bits, layer.quantizing = None, bits, True
    round_weights(rounded, exact, pictures)
    return rounded


@contextmanager
def _taking_weights(exact: FakeQuantNet, rounded: FakeQuantNet, modules: Sequence[str]) -> Iterator[None]:
    """Gives the modules of `exact` the weights of `rounded` within the block."""
    layers = [_weighted(exact, module) for module in modules]
    kept = [layer.weight.detach().clone() for layer in layers]
    for layer, module in zip(layers, modules, strict=True):
        layer.weight.copy_(_weighted(rounded, module).rounded_weight())
    try:
        yield
    finally:
        for layer, weight in zip(layers, kept, strict=True):
            layer.weight.copy_(weight)


def _weighted(net: FakeQuantNet, module: str) -> Weighted:
    layer = net.captured.get_submodule(module)
    assert isinstance(layer, Weighted)
    return layer
