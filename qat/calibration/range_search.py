"""Searches ranges: the ends of every activation's grid that lose least, in place of the extremes.

A range that leaves out rare large values has smaller steps for all others. The loss is measured on a histogram, as the
mean square of the changes by rounding and clipping (the "MSE" criterion of Nagel et al., arXiv 2106.08295, section
3.1). A ReLU6's tensor, whose ends are 0 and 6, may end below 6.
"""

import torch
from torch import Tensor, fx

from mobile_sdk.graph.operators import Clamp
from qat.calibration.noise import SMALL
from qat.layers.quantizers.fake_quant import SMALLEST_SPAN, TensorQuantizer
from qat.layers.quantizers.step_gradients import LEVELS
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.steps import traits_of

BINS = 2048  # eight a step: a bin's own width adds 1 / 64 to a step's noise
SHARES = [share / 100 for share in range(100, 29, -1)]  # shares of an end that are tried
ROUNDS = 2  # rounds over both ends


@torch.no_grad()
def search_ranges(net: FakeQuantNet, pictures: Tensor) -> None:
    """Narrows the ranges of `net`, which are the extremes of `pictures` (N, 3, H, W), to those that lose least."""
    net.eval()
    net.quantize(False)
    histograms = _Histograms(net.captured)
    histograms.run(net.on_one_grid(pictures))
    net.quantize(True)
    for quantizer, (counts, *extremes) in histograms.found.items():
        low, high = best_ends(counts, *extremes, moves_low=quantizer.bounds.low is None)
        quantizer.low.fill_(low)
        quantizer.high.fill_(high)


def best_ends(counts: Tensor, low: float, high: float, *, moves_low: bool) -> tuple[float, float]:
    """Returns the ends within `low` and `high` that lose least, for a histogram of equal bins between them."""
    if 0 < high - low < SMALL:  # squares would leave float32
        ends = best_ends(counts, low / (high - low), high / (high - low), moves_low=moves_low)
        return ends[0] * (high - low), ends[1] * (high - low)
    centres = low + (torch.arange(len(counts)) + 0.5) * (high - low) / len(counts)
    ends, best = (low, high), range_loss(low, high, centres, counts)
    for _ in range(ROUNDS):
        for share in SHARES:
            tried = [(ends[0], high * share), (low * share, ends[1])]
            for each in tried[: 1 + moves_low]:
                if (loss := range_loss(*each, centres, counts)) < best:
                    best, ends = loss, each
    return ends


def range_loss(low: float, high: float, centres: Tensor, counts: Tensor) -> float:
    """Returns the mean square change by a grid from `low` to `high` of values `centres` with `counts`."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = max(high - low, 1e-12) / LEVELS
    inside = centres.clamp(low, high)
    clipped = ((centres - inside).square() * counts).sum()
    rounded = counts[(centres >= low) & (centres <= high) & (centres != 0)].sum() * step**2 / 12
    return float((clipped + rounded) / counts.sum())


class _Histograms(fx.Interpreter):
    """Counts the float values of every tensor: `found[quantizer] = (counts, low, high)`."""

    def __init__(self, captured: fx.GraphModule) -> None:
        super().__init__(captured)
        self.found: dict[TensorQuantizer, tuple[Tensor, float, float]] = {}

    def run_node(self, n: fx.Node) -> object:
        value = super().run_node(n)
        module = self.fetch_attr(str(n.target)) if n.op == "call_module" else None
        if isinstance(module, TensorQuantizer) and (not module.is_fixed or _may_end_early(n)):
            low, high = _ends(module)
            counts = torch.histc(value, BINS, low, high)  # values outside are not counted
            before = self.found.get(module)
            self.found[module] = (counts if before is None else before[0] + counts, low, high)
        return value


def _ends(quantizer: TensorQuantizer) -> tuple[float, float]:
    low, high = float(quantizer.low), float(quantizer.high)
    if quantizer.bounds.floor is not None:
        low = max(low, quantizer.bounds.floor)
    least = max(min(1e-6, -low / BINS), SMALLEST_SPAN)  # a histogram has some width
    return min(low, 0.0), max(high, least)


def _may_end_early(node: fx.Node) -> bool:
    """Returns whether the fixed ends are those of a ReLU6: a grid that ends below 6 clamps as well."""
    traits = traits_of(node.all_input_nodes[0])
    return traits is not None and traits.clamp is Clamp.RELU6
