"""Rounds adaptively: every weight up or down so that the layer's output, not the weight, is nearest to the float one.

AdaRound finds the rounding by gradients (Nagel et al., arXiv 2004.10568). Here coordinate descent minimises the same
quadratic error, whose matrix is the second moment of the layer's inputs, and a step per channel is chosen on the way
(QuantEase, Behdin et al., arXiv 2309.01885, has the descent). Inputs count only if the activation after the layer is
not flat, since a ReLU6 cuts off the rest anyway, and a mean error does not count: biases are corrected.

Four bits leave so much noise that a layer's inputs are no longer the float net's. There a layer's weights are first
fitted, by least squares, to give the float net's output from the inputs that the rounded layers before it leave
(Lybrand, Saab, arXiv 2010.15703, choose codes by that error), and its bias takes up what is left of the mean.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from qat.calibration.bias_correction import Pair, PairedWalk, shift_bias
from qat.layers.quantizers.fake_quant import WEIGHT_LIMIT, weight_scales
from qat.layers.transposed import ConvTranspose2d
from qat.layers.weighted import Conv2d, Filters, Linear, Weighted
from qat.preparation.fake_quant_net import FakeQuantNet
from qat.steps import KINDS, absorbs, channel_axis, step_of

Halves = tuple[Tensor, Tensor]
"""These are moments of either half of the pictures."""

STEP_SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7)  # of the step under which the largest weight is code 127
SMALLER_SHARES = (0.6, 0.5, 0.4)  # for few codes too, which lose less by clipping their largest weights
MOST_POSITIONS = 8192  # of a layer's output, in each half of the pictures: more change its moments hardly at all
BLOCK = 64  # columns whose effect on the others is computed together
SWEEPS = 2  # sweeps over all weights: a third changes hardly any
SHRINKAGES = (0.05, 0.3, 2.0, 1e6)  # of moments towards their diagonal, for few pictures; the last rounds to nearest
RIDGES = (0.01, 0.05, 0.2, 1.0, 1e6)  # shares of the moments' diagonal; the last leaves the weights as they are
_HALVES = (slice(0, None, 2), slice(1, None, 2))  # of the pictures
FLAT_SHARE = 0.02  # the weight of an input if the activation after the layer is flat
MARGIN = 0.25  # beyond an activation's ends, where an error may still reach inside
OWN_MOMENTS = 64  # up to as many weights of a filter, every output channel has moments of its own inputs
WITHIN_CODE = 0.49  # steps around a code within which a weight rounds to it despite float32's errors
SILENT_GAIN = 1e-20  # weights below it are zero: no divisor may be one that a CPU flushes to zero


@dataclass(frozen=True, kw_only=True)
class RoundedWeights:
    """Holds a layer's rounded weights: `codes` (O, …) whole numbers, `scales` (O,), and their `loss`.

    The batch norm is folded. The loss (O,) is the mean square change of the output by rounding, by the given second
    moments.
    """

    codes: Tensor
    scales: Tensor
    loss: Tensor


@torch.no_grad()
def round_weights(net: FakeQuantNet, teacher: FakeQuantNet, pictures: Tensor) -> None:
    """Moves every weight of `net` to the code that loses least on `pictures` (N, 3, H, W), and steps to `scales`.

    `teacher` is its copy that does not round. No code is further than one from its weight's nearest.
    """
    _Rounding(teacher, net).run(net.on_one_grid(pictures))


@torch.no_grad()
def fit_and_round_weights(net: FakeQuantNet, teacher: FakeQuantNet, pictures: Tensor) -> None:
    """Rounds as `round_weights`, but first fits each layer to the inputs that the rounded layers before it leave.

    Biases then take up what is left of each channel's mean. It pays where codes are few: with four bits.
    """
    _FittedRounding(teacher, net).walk(pictures)


def second_moments(
    layer: Weighted, x: Tensor, counts: Tensor | None, every: int = 1, *, beside: Tensor | None = None
) -> Tensor:
    """Returns the covariances (groups, 1, K, K) of the inputs of a filter's K weights, over all positions.

    Of a map's rows and columns every so many-th counts. If `counts`, of the output's shape (N, O, …), is given,
    positions are weighted by it, separately for each output channel: (groups, O / groups, K, K). With `beside`, of the
    shape of `x`, they are the covariances of its inputs (rows) with those of `x` (columns).
    """
    values = _patches(layer, x, every)
    others = values if beside is None else _patches(layer, beside, every)
    if counts is None:
        return _covariance(others, values, torch.ones(values.shape[:2]))[:, None]
    if every > 1:
        counts = counts[..., ::every, ::every]
    by_channel = counts.movedim(channel_axis(counts.ndim), 0).reshape(len(values), -1, values.shape[1])
    return torch.stack([_covariance(others, values, own) for own in by_channel.unbind(1)], dim=1)


def choose_codes(weight: Tensor, halves: Halves, groups: int, limit: int = WEIGHT_LIMIT) -> RoundedWeights:
    """Returns the codes, up to `limit`, and steps of `weight` (O, …), batch norm folded, that lose least.

    `halves` are `second_moments` of either half of the pictures: one half's choice is evaluated on the other.
    """
    rows = weight.reshape(groups, len(weight) // groups, -1)
    one, other = halves
    everything = (one + other) / 2
    step = _best_step(rows, _shrunk(everything, 1.0), limit)
    shrinkage = min(
        SHRINKAGES, key=lambda s: _loss(_descend(rows, step, _shrunk(one, s), limit, 1) * step - rows, other).sum()
    )
    codes = _descend(rows, step, _shrunk(everything, shrinkage), limit)
    loss = _loss(codes * step - rows, everything)
    return RoundedWeights(codes=codes.reshape(weight.shape), scales=step.flatten(), loss=loss.flatten())


class _Rounding(fx.Interpreter):
    """Runs all pictures through the float net and, at each layer, rounds that of `net`."""

    def __init__(self, teacher: FakeQuantNet, net: FakeQuantNet) -> None:
        super().__init__(teacher.captured)
        self._net = net.captured

    def run_node(self, n: fx.Node) -> Any:
        exact = super().run_node(n)
        layer = self._net.get_submodule(str(n.target)) if n.op == "call_module" else None
        if isinstance(layer, Weighted) and layer.quantizing:  # others are kept in float
            (x,), _ = self.fetch_args_kwargs_from_env(n)
            own = _moments(layer, x, exact, absorbs(n))
            _write(layer, choose_codes(layer.folded()[0], own, layer.groups, layer.limit))
        return exact


class _FittedRounding(PairedWalk):
    """Runs all pictures through both nets and, at each layer, fits that of the rounded net, then rounds it."""

    def at_layer(self, layer: Weighted, x: Pair, exact: Tensor) -> None:
        if not layer.quantizing:
            return
        follower = absorbs(self.node)
        own = _moments(layer, x.rounded, exact, follower)
        _fit(layer, own, _moments(layer, x.rounded, exact, follower, beside=x.exact))
        _write(layer, choose_codes(layer.folded()[0], own, layer.groups, layer.limit))
        error = exact - layer(x.rounded)
        shift_bias(layer, error.movedim(channel_axis(error.ndim), 0).flatten(1).mean(1))


def _fit(layer: Weighted, own: Halves, crossed: Halves) -> None:
    """Moves the weights so that they give, from rounded inputs, their float outputs, as far as both halves agree."""
    weight, _ = layer.folded()
    rows = weight.reshape(layer.groups, len(weight) // layer.groups, -1)

    def loss(ridge: float) -> Tensor:
        fitted = _fitted(rows, own[0], crossed[0], ridge)
        change: Tensor = ((_times(fitted, own[1]) - 2 * _times(rows, crossed[1])) * fitted).sum()
        return change

    gain, _ = layer.folding()
    is_heard = (gain.abs() > SILENT_GAIN).reshape(-1, *[1] * (weight.ndim - 1))
    fitted = _fitted(rows, (own[0] + own[1]) / 2, (crossed[0] + crossed[1]) / 2, min(RIDGES, key=loss))
    unfolded = fitted.reshape(weight.shape) / gain.reshape(is_heard.shape)
    layer.weight.copy_(torch.where(is_heard, unfolded, layer.weight))
    layer.scales = None


def _fitted(rows: Tensor, own: Tensor, crossed: Tensor, ridge: float) -> Tensor:
    """Returns weights (groups, o, K) that give, from rounded inputs, what `rows` give from exact ones."""
    pulls, matrix = _times(rows, crossed - own), _shrunk(own, ridge)
    if own.shape[1] == 1:
        shift: Tensor = torch.linalg.solve(matrix[:, 0], pulls.transpose(1, 2)).transpose(1, 2)
    else:
        shift = torch.linalg.solve(matrix, pulls[..., None])[..., 0]
    return rows + shift


def _moments(
    layer: Weighted, x: Tensor, exact: Tensor, follower: fx.Node | None, *, beside: Tensor | None = None
) -> Halves:
    """Returns `second_moments` of either half of the pictures."""
    counts, every = _counts(layer, exact, follower), _every(layer, exact)
    one, other = (
        second_moments(
            layer,
            x[part],
            None if counts is None else counts[part],
            every,
            beside=None if beside is None else beside[part],
        )
        for part in (_HALVES if len(x) > 1 else (slice(None),) * 2)
    )
    return one, other


def _every(layer: Weighted, exact: Tensor) -> int:
    """Returns of how many rows and columns of the layer's output one is enough."""
    positions = len(exact) / 2 * exact[0, 0].numel() if isinstance(layer, Filters) else 1
    return math.ceil(math.sqrt(max(positions / MOST_POSITIONS, 1)))


def _counts(layer: Weighted, exact: Tensor, follower: fx.Node | None) -> Tensor | None:
    """Returns the weight of each position: smaller where the activation is flat; None means that all are equal."""
    clamp = None if follower is None else KINDS[step_of(follower).kind].clamp  # type: ignore[union-attr]
    if clamp is None or layer.weight[0].numel() > OWN_MOMENTS:
        return None
    low, high = clamp.bounds
    is_steep: Tensor = (exact > low - MARGIN) & (exact < high + MARGIN)
    return is_steep.float().clamp_(min=FLAT_SHARE)


def _patches(layer: Weighted, x: Tensor, every: int) -> Tensor:
    """Returns the filters' inputs, (groups, positions, K)."""
    if isinstance(layer, Linear):
        return x.reshape(1, -1, x.shape[-1])
    assert isinstance(layer, Conv2d | ConvTranspose2d)
    columns = layer.columns(x, every)
    count, _, places = columns.shape
    return (
        columns.reshape(count, layer.groups, -1, places).permute(1, 0, 3, 2).reshape(layer.groups, count * places, -1)
    )


def _covariance(rows: Tensor, columns: Tensor, counts: Tensor) -> Tensor:
    """Returns (groups, K, K) of two sets of values (groups, positions, K), weighted by `counts` (groups, positions)."""
    shares = (counts / counts.sum(1, keepdim=True))[..., None]
    centred = columns - (columns * shares).sum(1, keepdim=True)
    return (rows * shares).transpose(1, 2) @ centred


def _shrunk(moments: Tensor, shrinkage: float) -> Tensor:
    diagonal = moments.diagonal(dim1=2, dim2=3)
    more = shrinkage * (diagonal + diagonal.mean(-1, keepdim=True)).clamp(min=1e-12)
    return moments + torch.diag_embed(more)


def _best_step(rows: Tensor, matrix: Tensor, limit: int) -> Tensor:
    """Returns the step (groups, O / groups, 1) that loses least with the nearest codes."""
    finest = rows.abs().amax(-1, keepdim=True).clamp(min=SILENT_GAIN) / limit
    best, least = finest, torch.full_like(finest, torch.inf)
    for share in STEP_SHARES if limit == WEIGHT_LIMIT else (*STEP_SHARES, *SMALLER_SHARES):
        step = finest * share
        loss = _loss(_nearest(rows, step, limit) * step - rows, matrix)
        best, least = torch.where(loss < least, step, best), torch.minimum(loss, least)
    return best


def _nearest(rows: Tensor, step: Tensor, limit: int) -> Tensor:
    return (rows / step).round().clamp(-limit, limit)


def _descend(rows: Tensor, step: Tensor, matrix: Tensor, limit: int, sweeps: int = SWEEPS) -> Tensor:
    """Returns codes (groups, O / groups, K) beside the nearest ones, each in turn moved to the least loss."""
    codes = _nearest(rows, step, limit)
    lowest, highest = (codes - 1).clamp(min=-limit), (codes + 1).clamp(max=limit)
    error = codes * step - rows
    diagonal = matrix.diagonal(dim1=2, dim2=3)
    starts = range(0, rows.shape[-1], BLOCK)
    for block in [slice(start, start + BLOCK) for start in starts] * sweeps:
        pulls = _times(error, matrix[..., block])  # one product of matrices; a column then changes those of its block
        for place, k in enumerate(range(*block.indices(rows.shape[-1]))):
            wanted = (codes[..., k] - pulls[..., place] / diagonal[..., k] / step[..., 0]).round()
            codes[..., k] = torch.minimum(torch.maximum(wanted, lowest[..., k]), highest[..., k])
            changed = codes[..., k] * step[..., 0] - rows[..., k]
            pulls += (changed - error[..., k])[..., None] * matrix[..., k, block]
            error[..., k] = changed
    return codes


def _loss(error: Tensor, matrix: Tensor) -> Tensor:
    """Returns the mean square error of the output by an error of the weights, (groups, O / groups, 1)."""
    return (_times(error, matrix) * error).sum(-1, keepdim=True)


def _times(error: Tensor, matrix: Tensor) -> Tensor:
    """Multiplies `error` (groups, o, K) by `matrix` (groups, o or 1, K, M), for each output channel its own."""
    if matrix.shape[1] == 1:
        return error @ matrix[:, 0]
    return (error[..., None, :] @ matrix)[..., 0, :]


def _write(layer: Weighted, chosen: RoundedWeights) -> None:
    """Gives the layer its steps, and moves weights just so far that they round to their codes: training starts there.

    Codes are those of the weights with their batch norm folded; a channel that the batch norm silences does not change.
    """
    gain, _ = layer.folding()
    shape = (-1, *[1] * (layer.weight.ndim - 1))
    is_heard = (gain.abs() > SILENT_GAIN) & chosen.codes.flatten(1).any(1)
    scales = torch.where(is_heard, chosen.scales / gain.abs(), weight_scales(layer.weight, layer.limit))
    codes = chosen.codes * torch.where(gain < 0, -1.0, 1.0).reshape(shape)
    inside = (layer.weight / scales.reshape(shape)).clamp(codes - WITHIN_CODE, codes + WITHIN_CODE)
    layer.weight.copy_(torch.where(is_heard.reshape(shape), inside * scales.reshape(shape), layer.weight))
    layer.scales = scales
