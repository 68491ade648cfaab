"""Measures ranges: each tensor takes, of sizes beside the one that was found, that with least noise in the outputs.

A search by histograms and gradients takes each change for a small one. But a clipped value is no small change, and
what comes after it, a ReLU6 above all, clips too. So each tensor alone is rounded, on the ends that were found and on
narrower and wider ones, and the rest of the net is computed in float: the noise of the outputs decides.
"""

import torch
from torch import Tensor, fx

from qat.calibration.noise import Outputs, noise_share
from qat.calibration.range_search import movable
from qat.layers.quantizers.fake_quant import TensorQuantizer
from qat.layers.weighted import Weighted
from qat.preparation.fake_quant_net import FakeQuantNet

ROUNDS = ((0.6, 0.75, 0.87, 1.15, 1.35), (0.7, 0.85, 1.15))  # factors of both ends; each round has other pictures
MOST_PICTURES = 12  # in a round
FEWEST_PICTURES = 2
MOST_MULTIPLY_ADDS = 2.5e11  # of a factor, over all tensors and pictures: some five seconds of a core


@torch.no_grad()
def measure_ranges(net: FakeQuantNet, pictures: Tensor) -> None:
    """Moves the ranges of `net`, but those of its outputs, to the factor that loses least on float `pictures` (N, …).

    A net that is too large to be computed so often keeps its ranges.
    """
    net.eval()
    net.quantize(False)
    rest = _RestOfNet(net)
    count = rest.affordable(net.on_one_grid(pictures[:1]))
    for turn, factors in enumerate(ROUNDS):
        chosen = pictures[turn :: max(1, len(pictures) // count)][:count] if count else pictures[:0]
        if len(chosen) >= FEWEST_PICTURES:
            rest.start(net.on_one_grid(chosen))
            for quantizer in rest.places:
                _choose(quantizer, factors, rest)
    net.quantize(True)


def _choose(quantizer: TensorQuantizer, factors: tuple[float, ...], rest: "_RestOfNet") -> None:
    low, high = float(quantizer.low), float(quantizer.high)
    quantizer.quantizing = True
    least, best = float(noise_share(rest.outputs(quantizer), rest.wanted)), (low, high)
    for factor in factors:
        ends = _moved(quantizer, low * factor, high * factor)
        _set(quantizer, ends)
        noise = float(noise_share(rest.outputs(quantizer), rest.wanted))
        if noise < least:
            least, best = noise, ends
    _set(quantizer, best)
    quantizer.quantizing = False


def _moved(quantizer: TensorQuantizer, low: float, high: float) -> tuple[float, float]:
    """Returns the ends as far as mathematics allows: those of a ReLU6 or a sigmoid stay within theirs."""
    bounds = quantizer.bounds
    if bounds.low is not None:
        low = bounds.low
    elif bounds.floor is not None:
        low = max(low, bounds.floor)
    return low, high if bounds.high is None else min(high, bounds.high)


def _set(quantizer: TensorQuantizer, ends: tuple[float, float]) -> None:
    quantizer.low.fill_(ends[0])
    quantizer.high.fill_(ends[1])


class _RestOfNet(fx.Interpreter):
    """Computes again what depends on one quantizer alone; `places` are the nodes of those whose ends may move."""

    def __init__(self, net: FakeQuantNet) -> None:
        super().__init__(net.captured, garbage_collect_values=False)
        self._nodes = list(net.captured.graph.nodes)
        self.places = movable(net)
        self.wanted: Outputs = ()
        self._values: dict[fx.Node, object] = {}

    def affordable(self, one: Tensor) -> int:
        """Returns on how many pictures every tensor may be tried, from the net's multiply-adds on `one` of them."""
        self.start(one)
        multiply_adds = 0
        for node, value in self._values.items():
            module = self.fetch_attr(str(node.target)) if node.op == "call_module" else None
            if isinstance(module, Weighted) and isinstance(value, Tensor):
                multiply_adds += value.numel() * module.weight[0].numel()
        return min(MOST_PICTURES, int(MOST_MULTIPLY_ADDS // max(1, multiply_adds * len(self.places))))

    def start(self, pictures: Tensor) -> None:
        """Computes and keeps every value for `pictures`."""
        self.wanted = self.run(pictures)
        self._values = dict(self.env)

    def outputs(self, quantizer: TensorQuantizer) -> Outputs:
        """Returns the net's outputs as `quantizer` is now, all others as they were at the start."""
        self.env = dict(self._values)
        first, changed = set(self.places[quantizer]), set[fx.Node]()
        result: Outputs = self.wanted
        for node in self._nodes:
            if node in first or not changed.isdisjoint(node.all_input_nodes):
                changed.add(node)
                self.env[node] = result = self.run_node(node)
        return result
