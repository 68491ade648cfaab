"""Splits an inverted residual t ways: its expanded channels in t parts, one after the other, their outputs added.

`F(x) = sum_i (A_i N B_i)(x)`: expansion, depthwise filter and activations do not depend on other channels, so that only
an inner tensor of n/t channels is alive at a time, and the multiply-adds stay equal. Source: MobileNetV2, arXiv
1801.04381, section 5.1, which finds t between 2 and 5 useful. In int8 the partial sums are tensors on grids of their
own: a net is split before `prepare`, which then sees them as the runtimes will.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from mobile_sdk.arguments import expect
from mobile_sdk.errors import SettingError
from qat.preparation.arguments import expect_float_net

_LAYERS = "1x1 convolution, norm, activation, depthwise convolution, norm, activation, 1x1 convolution, norm"


class SplitBranch(nn.Module):
    """Computes the branch of an inverted residual as a sum of parts: (N, C, H, W) to (N, outputs, H', W')."""

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the first part's output plus all others'."""
        first, *others = self.parts
        total: Tensor = first(x)
        for part in others:
            total = total + part(x)
        return total


def split_blocks(net: nn.Module, parts: Mapping[str, int]) -> nn.Module:
    """Returns an equal copy of `net` in evaluation mode with the blocks at those paths split into so many parts.

    The batch norm after a projection is folded into its weights, with its present statistics. Raises SettingError for a
    path without an inverted residual, and for fewer than 2 parts or more than it has expanded channels.
    """
    expect_float_net(net)
    expect("parts", parts, Mapping, hint='give the blocks\' paths and how many parts: {"features.3": 2}')
    net = copy.deepcopy(net).eval()
    modules = dict(net.named_modules())
    for path, count in parts.items():
        if path not in modules:
            raise SettingError(f"expected a block of the net, found no module {path}", hint="write its module path")
        branch = _find_branch(path, modules[path])
        channels = branch.expand.out_channels
        expect(f"parts of {path}", count, int)
        if not 2 <= count <= channels:
            reason = f"expected 2 to {channels} parts of {path}, found {count}"
            raise SettingError(reason, hint="2 to 5 are useful: narrower parts lose time")
        setattr(modules[path], branch.name, branch.split(count))
    return net


@dataclass(frozen=True, kw_only=True, eq=False)
class _Branch:
    """Holds the layers of an inverted residual; `name` is the block's name for them."""

    name: str
    expand: nn.Conv2d
    expand_norm: nn.BatchNorm2d
    activation: nn.Module
    depthwise: nn.Conv2d
    depthwise_norm: nn.BatchNorm2d
    deep_activation: nn.Module
    project: nn.Conv2d
    project_norm: nn.BatchNorm2d

    @property
    def is_splittable(self) -> bool:
        """Returns whether only the projection mixes channels."""
        pointwise = all(conv.kernel_size == (1, 1) and conv.groups == 1 for conv in (self.expand, self.project))
        own_filters = self.depthwise.groups == self.depthwise.out_channels == self.expand.out_channels
        activations = (self.activation, self.deep_activation)
        return pointwise and own_filters and not any(list(each.parameters()) for each in activations)

    @torch.no_grad()
    def split(self, count: int) -> SplitBranch:
        """Returns the branch in `count` parts of nearly equal width."""
        channels = self.expand.out_channels
        ends = [channels * index // count for index in range(count + 1)]
        return SplitBranch([self._part(slice(first, stop)) for first, stop in pairwise(ends)])

    def _part(self, channels: slice) -> nn.Sequential:
        return nn.Sequential(
            _filters(self.expand, channels),
            _norm(self.expand_norm, channels),
            copy.deepcopy(self.activation),
            _filters(self.depthwise, channels),
            _norm(self.depthwise_norm, channels),
            copy.deepcopy(self.deep_activation),
            self._projection(channels),
        )

    def _projection(self, channels: slice) -> nn.Conv2d:
        """Returns the weights that read these channels, times the norm's gain; the first part has its shift as bias."""
        norm, is_first = self.project_norm, channels.start == 0
        assert norm.running_mean is not None and norm.running_var is not None
        gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        bias = torch.zeros_like(gain) if self.project.bias is None else self.project.bias
        weight = self.project.weight[:, channels] * gain.reshape(-1, 1, 1, 1)
        projection = copy.deepcopy(self.project)
        projection.in_channels, projection.bias = weight.shape[1], None
        projection.weight = nn.Parameter(weight)
        if is_first:
            projection.bias = nn.Parameter(norm.bias + (bias - norm.running_mean) * gain)
        return projection


def _find_branch(path: str, block: nn.Module) -> _Branch:
    """Returns the block's only branch; raises SettingError if it cannot be split."""
    branches = [(name, _leaves(child)) for name, child in block.named_children() if isinstance(child, nn.Sequential)]
    match branches:
        case [
            (
                name,
                [
                    nn.Conv2d() as expand,
                    nn.BatchNorm2d() as expand_norm,
                    activation,
                    nn.Conv2d() as depthwise,
                    nn.BatchNorm2d() as depthwise_norm,
                    deep_activation,
                    nn.Conv2d() as project,
                    nn.BatchNorm2d() as project_norm,
                ],
            )
        ]:
            branch = _Branch(
                name=name,
                expand=expand,
                expand_norm=expand_norm,
                activation=activation,
                depthwise=depthwise,
                depthwise_norm=depthwise_norm,
                deep_activation=deep_activation,
                project=project,
                project_norm=project_norm,
            )
            if branch.is_splittable:
                return branch
    raise SettingError(
        f"expected an inverted residual at {path} ({_LAYERS}), found {type(block).__name__} of others",
        hint="name a block that expands and has no squeeze-and-excite",
    )


def _leaves(module: nn.Module) -> list[nn.Module]:
    if not isinstance(module, nn.Sequential):
        return [module]
    return [leaf for child in module for leaf in _leaves(child)]


def _filters(conv: nn.Conv2d, channels: slice) -> nn.Conv2d:
    """Returns the convolution's filters of these output channels."""
    part = copy.deepcopy(conv)
    part.weight = nn.Parameter(conv.weight[channels].clone())
    if conv.bias is not None:
        part.bias = nn.Parameter(conv.bias[channels].clone())
    part.out_channels = len(part.weight)
    if conv.groups > 1:
        part.groups = part.in_channels = part.out_channels
    return part


def _norm(norm: nn.BatchNorm2d, channels: slice) -> nn.BatchNorm2d:
    """Returns the batch norm of these channels."""
    part = copy.deepcopy(norm)
    part.weight, part.bias = (nn.Parameter(each[channels].clone()) for each in (norm.weight, norm.bias))
    assert norm.running_mean is not None and norm.running_var is not None
    part.running_mean, part.running_var = norm.running_mean[channels].clone(), norm.running_var[channels].clone()
    part.num_features = len(part.weight)
    return part
