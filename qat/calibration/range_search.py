"""Searches ranges: the ends of every activation's grid that lose least of the net's outputs, in place of the extremes.

A range that leaves out rare large values has smaller steps for all others. The loss is the mean square of the changes
by rounding and clipping (the "MSE" criterion of Nagel et al., arXiv 2106.08295, section 3.1), each weighted by the
square of the outputs' gradient: a change counts as much as it reaches the outputs (the diagonal of Gauss and Newton's
matrix, as in BRECQ, Li et al., arXiv 2102.05426, section 3.2). A ReLU6's tensor, whose ends are 0 and 6, may end below
6.
"""

from collections.abc import Callable, Iterator
from math import prod

import torch
from torch import Tensor, fx, nn

from mobile_sdk.graph.operators import Clamp
from qat.calibration.noise import SMALL, outputs_of
from qat.layers.quantizers.fake_quant import SMALLEST_SPAN, TensorQuantizer
from qat.layers.quantizers.step_gradients import LEVELS
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.steps import traits_of

BINS = 2048  # eight a step: a bin's own width adds 1 / 64 to a step's noise
SHARES = torch.arange(100, 29, -1, dtype=torch.float64) / 100  # shares of an end that are tried
ROUNDS = 2  # rounds over both ends
BATCH_PIXELS = 8 * 224 * 224  # whose values and gradients are held at a time: some 1 GiB for a MobileNet
MOST_VALUES = 2**19  # of a tensor and a batch that are counted
BEYOND = 0.25  # share of an end by which another picture's value is taken to lie beyond it
LEAST_WEIGHT = 0.05  # of a value, in mean weights of its tensor: other pictures' gradients are elsewhere


@torch.no_grad()
def search_ranges(net: FakeQuantNet, pictures: Tensor) -> None:
    """Moves the ranges of `net`, which are the extremes of `pictures` (N, 3, H, W), to those that lose least.

    Those of outputs stay: a score that is cut no longer tells which one wins.
    """
    net.eval()
    net.quantize(False)
    histograms = _Histograms(net)
    random = torch.Generator().manual_seed(0)
    count = max(1, BATCH_PIXELS // prod(pictures.shape[2:]))
    for start in range(0, len(pictures), count):
        histograms.add(net.on_one_grid(pictures[start : start + count]), random)
    net.quantize(True)
    for quantizer in histograms.found:
        counts, *extremes = histograms.with_one_beyond(quantizer)
        low, high = best_ends(counts, *extremes, moves_low=quantizer.bounds.low is None)
        quantizer.low.fill_(low)
        quantizer.high.fill_(high)


def best_ends(counts: Tensor, low: float, high: float, *, moves_low: bool) -> tuple[float, float]:
    """Returns the ends within `low` and `high` that lose least, for a histogram of equal bins between them."""
    if 0 < high - low < SMALL:  # squares would leave float32
        ends = best_ends(counts, low / (high - low), high / (high - low), moves_low=moves_low)
        return ends[0] * (high - low), ends[1] * (high - low)
    places = torch.arange(len(counts), dtype=torch.float64)
    centres = low + (places + 0.5) * (high - low) / len(counts)
    ends = (low, high)
    for _ in range(ROUNDS):
        ends = ends[0], _least(high, lambda tried: range_loss(ends[0], tried, centres, counts))  # noqa: B023
        if moves_low:
            ends = _least(low, lambda tried: range_loss(tried, ends[1], centres, counts)), ends[1]  # noqa: B023
    return ends


def range_loss(low: Tensor | float, high: Tensor | float, centres: Tensor, counts: Tensor) -> Tensor:
    """Returns the mean square changes by grids from `low` to `high` of values `centres` with `counts`.

    One of the ends may be (K,) and the result is, too.
    """
    low, high = torch.as_tensor(low).clamp(max=0.0)[..., None], torch.as_tensor(high).clamp(min=0.0)[..., None]
    step = (high - low).clamp(min=1e-12)[..., 0] / LEVELS
    clipped = ((centres - centres.clamp(low, high)).square() * counts).sum(-1)
    is_rounded = (centres >= low) & (centres <= high) & (centres != 0)
    return (clipped + (counts * is_rounded).sum(-1) * step**2 / 12) / counts.sum()


def _least(end: float, loss: Callable[[Tensor], Tensor]) -> float:
    tried = end * SHARES
    return float(tried[loss(tried).argmin()])


class _Histograms(fx.Interpreter):
    """Sums the weights of every tensor's float values: `found[quantizer] = (weights of the bins, low, high)`."""

    def __init__(self, net: FakeQuantNet) -> None:
        super().__init__(net.captured)
        self.found: dict[TensorQuantizer, tuple[Tensor, float, float]] = {}
        self._sizes: dict[TensorQuantizer, int] = {}
        self._values: list[tuple[TensorQuantizer, Tensor]] = []
        self._places = {node: quantizer for quantizer, nodes in movable(net).items() for node in nodes}

    def add(self, pictures: Tensor, random: torch.Generator) -> None:
        """Adds the values on `pictures`, weighted by the gradient of a random mix of the outputs."""
        self._values = []
        with torch.enable_grad():
            outputs = outputs_of(self.run(pictures.requires_grad_(True)))
            mixes = list(_mixes(outputs, random))
            if mixes:
                torch.autograd.backward(mixes)
        for quantizer, value in self._values:
            low, high = _ends(quantizer)
            inside, weights = _some(value.detach()).double(), _weights(value)
            places = ((inside - low) * (BINS / (high - low))).floor_().clamp_(0, BINS - 1).long()
            counts = torch.bincount(places, weights, minlength=BINS)
            before = self.found.get(quantizer)
            self.found[quantizer] = (counts if before is None else before[0] + counts, low, high)
            self._sizes[quantizer] = self._sizes.get(quantizer, 0) + weights.numel()
        for parameter in self.module.parameters():
            parameter.grad = None

    def with_one_beyond(self, quantizer: TensorQuantizer) -> tuple[Tensor, float, float]:
        """Returns a tensor's histogram, and in it one more value of mean weight beyond each end that can move.

        Without it, the ends of few values, as a mean over a map has them, are those that fit these values too well.
        """
        counts, low, high = self.found[quantizer]
        width, one = (high - low) / BINS, float(counts.sum()) / self._sizes[quantizer]
        below = int(-low * BEYOND / width) if quantizer.bounds.low is None else 0
        above = int(high * BEYOND / width) if quantizer.bounds.high is None else 0
        counts = nn.functional.pad(counts, (below, above))
        counts[0] += one * (below > 0)
        counts[-1] += one * (above > 0)
        return counts, low - below * width, high + above * width

    def run_node(self, n: fx.Node) -> object:
        value = super().run_node(n)
        if n in self._places:
            if value.requires_grad:
                value.retain_grad()
            self._values.append((self._places[n], value))
        return value


def _mixes(outputs: tuple[Tensor, ...], random: torch.Generator) -> Iterator[Tensor]:
    """Yields a random sum of every output, in units that let each count alike.

    The square of its gradient is, on average, the sum of those of the output's numbers.
    """
    for output in outputs:
        if output.requires_grad:
            size = output.detach().square().mean().sqrt().clamp(min=SMALL)
            yield (output * torch.randn(output.shape, generator=random)).sum() / size


def _some(value: Tensor) -> Tensor:
    """Returns the numbers of `value`, or every so many-th of many, at all places of its rows in turn."""
    every = max(1, value.numel() // MOST_VALUES)
    while every > 1 and value.shape[-1] % every == 0:
        every += 1
    return value.flatten()[::every]


def _weights(value: Tensor) -> Tensor:
    """Returns the weight of each number of `_some`: the squared gradient, in its mean; 1 for a tensor that has none."""
    gradient = _some(torch.zeros_like(value) if value.grad is None else value.grad)
    largest = gradient.abs().amax()
    if not 0 < largest < torch.inf:
        return torch.ones_like(gradient, dtype=torch.float64)
    squares = (gradient / largest).double().square()
    return squares / squares.mean() + LEAST_WEIGHT


def _ends(quantizer: TensorQuantizer) -> tuple[float, float]:
    low, high = float(quantizer.low), float(quantizer.high)
    if quantizer.bounds.floor is not None:
        low = max(low, quantizer.bounds.floor)
    least = max(min(1e-6, -low / BINS), SMALLEST_SPAN)  # a histogram has some width
    return min(low, 0.0), max(high, least)


def movable(net: FakeQuantNet) -> dict[TensorQuantizer, list[fx.Node]]:
    """Returns the quantizers whose ends may move, and where they are: those of outputs stay, and fixed ones.

    A ReLU6's may move, too, as a grid that ends below 6 clamps as well.
    """
    outputs = net.output_quantizers()
    found: dict[TensorQuantizer, list[fx.Node]] = {}
    for node in net.captured.graph.nodes:
        quantizer = net.quantizer_at(node)
        if quantizer is not None and quantizer not in outputs and (not quantizer.is_fixed or _is_of_relu6(node)):
            found.setdefault(quantizer, []).append(node)
    return found


def _is_of_relu6(node: fx.Node) -> bool:
    traits = traits_of(node.all_input_nodes[0])
    return traits is not None and traits.clamp is Clamp.RELU6
