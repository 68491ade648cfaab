"""Makes small random nets from a seed, with every operator of the SDK in odd places and with odd weights."""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.contract import Contract, ImageSpec

SIZES_PX = (8, 9, 16, 23)
LABELS = ("a", "b", "c", "d")
_ACTIVATIONS: tuple[Callable[[], nn.Module], ...] = (
    nn.Identity,
    nn.ReLU,
    nn.ReLU,
    nn.ReLU6,
    nn.Hardswish,
    nn.Hardsigmoid,
)


class Drawn(nn.Module):
    """Draws a net of two to eight operators and a head for pictures (N, 3, size_px, size_px), and its `contract`."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.draw = random.Random(seed)
        self.size_px = self.draw.choice(SIZES_PX)
        self.is_segmenter = self.draw.random() < 0.2
        task = "segmentation" if self.is_segmenter else "classification"
        image = ImageSpec(size_px=self.size_px)
        self.contract = Contract(name="drawn", task=task, labels=LABELS, image=image)
        blocks, shape = [], torch.zeros(2, 3, self.size_px, self.size_px)
        for _ in range(self.draw.randint(2, 8)):
            block = self.draw.choice(_OF_ONE_SIZE if self.is_segmenter else _BLOCKS)(self.draw, shape.shape[1])
            taken = _shape_after(block, shape)
            if taken is not None:
                blocks.append(block)
                shape = taken
        self.blocks = nn.Sequential(*blocks)
        self.head = _head(self.draw, shape, self.is_segmenter)
        _give_weights(self, self.draw, seed)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Returns scores (N, labels), or (N, labels, H, W) of a segmenter."""
        scores: Tensor = self.head(self.blocks(x))
        return scores


class Convolution(nn.Module):
    """Pads all sides by different amounts, then applies a convolution of any kind, batch norm, and an activation."""

    def __init__(self, draw: random.Random, channels: int, filters: int | None = None, *, keeps_size: bool = False):
        super().__init__()
        filters = filters or draw.choice([1, 2, 4, 6, 8, 12])
        groups = draw.choice([each for each in (1, 1, 2, 3, 4, channels) if channels % each == 0])
        filters = -(-filters // groups) * groups if not keeps_size else filters
        groups = groups if filters % groups == 0 else 1
        kernel = draw.choice([(1, 1), (3, 3), (2, 2), (1, 5), (7, 4)]) if not keeps_size else (3, 3)
        stride = draw.choice([(1, 1), (2, 2), (2, 1), (1, 3)]) if not keeps_size else (1, 1)
        dilation = draw.choice([(1, 1), (1, 1), (2, 3), (9, 1)]) if not keeps_size else (1, 1)
        padding = draw.choice([(0, 0), (1, 1), (2, 3)]) if not keeps_size else (1, 1)
        self.amounts = [draw.randint(0, 2) for _ in range(4)] if draw.random() < 0.2 and not keeps_size else None
        geometry: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        self.conv = nn.Conv2d(channels, filters, kernel, bias=draw.random() < 0.7, **geometry)
        self.norm = nn.BatchNorm2d(filters, affine=draw.random() < 0.8) if draw.random() < 0.5 else nn.Identity()
        self.activation = draw.choice(_ACTIVATIONS)()

    def forward(self, x: Tensor) -> Tensor:
        """Returns a map of the filters."""
        x = F.pad(x, self.amounts) if self.amounts else x
        result: Tensor = self.activation(self.norm(self.conv(x)))
        return result


class Residual(nn.Module):
    """Computes `x + f(x)`."""

    def __init__(self, draw: random.Random, channels: int) -> None:
        super().__init__()
        self.branch = Convolution(draw, channels, channels, keeps_size=True)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the sum."""
        return x + self.branch(x)


class Gated(nn.Module):
    """Applies squeeze-and-excite."""

    def __init__(self, draw: random.Random, channels: int) -> None:
        super().__init__()
        squeezed = draw.choice([1, 3])
        self.squeeze, self.excite = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the map times its gate."""
        return x * F.hardsigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))


class Joined(nn.Module):
    """Passes a part of the channels through a layer, then joins all and shuffles them."""

    def __init__(self, draw: random.Random, channels: int) -> None:
        super().__init__()
        self.part = max(1, channels // 2)
        self.branch = Convolution(draw, self.part, self.part, keeps_size=True)
        self.groups = 2 if channels % 2 == 0 else 1

    def forward(self, x: Tensor) -> Tensor:
        """Returns as many channels as before."""
        first, rest = x[:, : self.part], x[:, self.part :]
        joined = torch.cat([self.branch(first), rest], 1) if rest.shape[1] else self.branch(first)
        return F.channel_shuffle(joined, self.groups) if self.groups > 1 else joined


class Enlarged(nn.Module):
    """Resizes bilinearly."""

    def __init__(self, draw: random.Random, channels: int) -> None:
        super().__init__()
        self.factor = draw.choice([2, 4])

    def forward(self, x: Tensor) -> Tensor:
        """Returns a map of more pixels."""
        return F.interpolate(x, scale_factor=self.factor, mode="bilinear")


def _pool(draw: random.Random, channels: int) -> nn.Module:
    return draw.choice([nn.MaxPool2d(2), nn.AvgPool2d(2), nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(3, 2, 1)])


def _layer(draw: random.Random, channels: int) -> nn.Module:
    return Convolution(draw, channels, draw.choice([4, 5, 6]), keeps_size=True)


_Block = Callable[[random.Random, int], nn.Module]
_OF_ONE_SIZE: tuple[_Block, ...] = (_layer, Residual, Gated, Joined)
_BLOCKS: tuple[_Block, ...] = (*[Convolution] * 5, Residual, Residual, Gated, Joined, Enlarged, _pool)


def _shape_after(block: nn.Module, x: Tensor) -> Tensor | None:
    """Returns the block's output shape for a map; None if the map is too small for it, or its output too large."""
    try:
        with torch.no_grad():
            result: Tensor = block.eval()(x)
    except RuntimeError:
        return None
    return torch.zeros_like(result) if result.shape[-1] <= 64 and result.shape[-2] <= 64 else None


def _head(draw: random.Random, x: Tensor, is_segmenter: bool) -> nn.Module:
    channels, values = x.shape[1], x[0].numel()
    if is_segmenter:
        return nn.Conv2d(channels, len(LABELS), 1)
    flat = [nn.Flatten()] if values <= 4000 and draw.random() < 0.3 else [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    width = values if len(flat) == 1 else channels
    hidden: list[nn.Module] = []
    if draw.random() < 0.4:
        hidden, width = [nn.Linear(width, 6), nn.BatchNorm1d(6), nn.ReLU()], 6
    return nn.Sequential(*flat, *hidden, nn.Linear(width, len(LABELS)))


def _give_weights(net: nn.Module, draw: random.Random, seed: int) -> None:
    """Gives ordinary weights, and in some layers zeros, dead channels, channels far apart, or a tiny variance."""
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.normal_(0, module.weight[0].numel() ** -0.5, generator=noise)
                _spoil(module.weight, draw, noise)
                if module.bias is not None:
                    module.bias.normal_(0, 0.2, generator=noise)
            elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                _measure(module, draw, noise)


def _spoil(weight: Tensor, draw: random.Random, noise: torch.Generator) -> None:
    channels = (len(weight), *[1] * (weight.ndim - 1))
    match draw.choice(["", "", "", "", "zero", "dead", "spread"]):
        case "zero":
            weight.zero_()
        case "dead":
            weight.mul_(torch.rand(channels, generator=noise) < 0.5)
        case "spread":
            weight.mul_(10 ** (2 * torch.rand(channels, generator=noise) - 1))


def _measure(norm: nn.BatchNorm1d | nn.BatchNorm2d, draw: random.Random, noise: torch.Generator) -> None:
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.normal_(0, 0.3, generator=noise)
    norm.running_var.uniform_(0.5, 1.5, generator=noise)
    if draw.random() < 0.1:
        norm.running_var.zero_()
    if norm.affine:
        norm.weight.uniform_(-1.3, 1.3, generator=noise)
        norm.bias.normal_(0, 0.3, generator=noise)
