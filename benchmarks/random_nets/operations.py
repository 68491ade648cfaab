"""Lists the operations of random nets: each draws a module for the shapes of its inputs, batch included, or None."""

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.random_nets.modules import Apply, Shape

Drawn = nn.Module | None
CHANNELS = (1, 3, 4, 5, 8, 8, 12, 16, 24)


def _divisors(number: int) -> list[int]:
    return [each for each in range(1, number + 1) if number % each == 0]


def _one(draw: random.Random, functions: list[Callable[..., Tensor]], *layers: nn.Module | nn.Parameter) -> nn.Module:
    return Apply(draw.choice(functions), *layers)


def _parameter(draw: random.Random, shape: Shape, around: float = 0.0) -> nn.Parameter:
    generator = torch.Generator().manual_seed(draw.randrange(2**31))
    return nn.Parameter(around + 0.4 * torch.randn(shape, generator=generator))


# Operations on maps, four axes with the batch


def convolution(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a convolution with batch norm and activation, of any kernel, stride, dilation, padding and grouping."""
    channels, out = shape[1], draw.choice(CHANNELS)
    groups = 1
    if draw.random() < 0.3:
        groups, out = channels, channels * draw.choice((1, 1, 2))
    elif draw.random() < 0.2:
        groups = draw.choice([each for each in _divisors(channels) if out % each == 0])
    kernel = draw.choice([(1, 1), (3, 3), (3, 3), (5, 5), (2, 2), (1, 3), (7, 1), (1, 5)])
    dilation = draw.choice([(1, 1), (1, 1), (1, 1), (2, 2), (1, 2)])
    stride = draw.choice([(1, 1), (1, 1), (1, 1), (2, 2), (1, 2)])
    padding: str | tuple[int, int] = tuple((k - 1) * d // 2 for k, d in zip(kernel, dilation, strict=True))  # type: ignore[assignment]
    mode = draw.choice(["zeros"] * 7 + ["reflect", "replicate", "circular"])
    if stride == (1, 1) and mode == "zeros" and draw.random() < 0.3:
        padding = draw.choice(["same", "valid"])
    layers: list[nn.Module] = [
        nn.Conv2d(channels, out, kernel, stride, padding, dilation, groups, bias=draw.random() < 0.7, padding_mode=mode)
    ]
    if draw.random() < 0.5:
        layers.append(nn.BatchNorm2d(out))
    if draw.random() < 0.7:
        layers.append(draw.choice(_ACTIVATIONS)())
    return nn.Sequential(*layers)


def transposed(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a transposed convolution."""
    if shape[2] * shape[3] > 600:
        return None
    kernel, stride = draw.choice([(2, 2), (3, 2), (4, 2), (3, 1), (2, 1), (4, 4)])
    padding = draw.choice([0, 0, 1]) if kernel > 2 else 0
    extra = draw.choice([0, 0, 1]) if stride > 1 else 0
    out = draw.choice(CHANNELS)
    layers: list[nn.Module] = [
        nn.ConvTranspose2d(shape[1], out, kernel, stride, padding, extra, bias=draw.random() < 0.7)
    ]
    if draw.random() < 0.5:
        layers.append(nn.BatchNorm2d(out))
    if draw.random() < 0.5:
        layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def pool(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a pooling of any form."""
    kernel = draw.choice([2, 3, 3, (2, 3), (3, 1), 5])
    stride = draw.choice([1, 2, 2, (2, 1)])
    padding = 1 if kernel in (2, 3, 5) and draw.random() < 0.4 else 0
    up = draw.random() < 0.4
    if draw.random() < 0.5:
        return nn.MaxPool2d(kernel, stride, padding, dilation=draw.choice([1, 1, 2]), ceil_mode=up)
    return nn.AvgPool2d(kernel, stride, padding, ceil_mode=up, count_include_pad=draw.random() < 0.5)


def adaptive(draw: random.Random, shape: Shape) -> Drawn:
    """Draws an adaptive pooling, whose windows may be uneven."""
    size = (draw.choice([1, 2, 3, 6]), draw.choice([1, 2, 3]))
    if size[0] > shape[2] or size[1] > shape[3]:
        return None
    return draw.choice([nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d])(size)


def resize(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a resizing: bilinear of any factor, between centres or corners, or nearest by whole factors."""
    if shape[2] * shape[3] > 600:
        return None
    if draw.random() < 0.4:
        factor = draw.choice([2, 2, 3, (1, 2), 4])
        return nn.Upsample(scale_factor=factor, mode="nearest")
    corners = draw.random() < 0.4
    size = (
        draw.choice([shape[2] * 2, shape[2] * 4, shape[2] + 3, max(1, shape[2] // 2)]),
        draw.choice([shape[3] * 2, shape[3] + 5, max(1, shape[3] // 2)]),
    )
    return Apply(lambda x: F.interpolate(x, size=size, mode="bilinear", align_corners=corners))


def padded(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a padding."""
    amounts = [draw.randint(0, 2) for _ in range(4)]
    mode = draw.choice(["constant", "constant", "reflect", "replicate"])
    if mode == "constant":
        value = draw.choice([0.0, 0.0, 0.5])
        return Apply(lambda x: F.pad(x, amounts, value=value))
    return Apply(lambda x: F.pad(x, amounts, mode=mode)) if min(shape[2:]) > 2 else None


def padded_channels(draw: random.Random, shape: Shape) -> Drawn:
    """Draws zero channels beside a map's."""
    before, after = draw.randint(0, 2), draw.randint(0, 3)
    return Apply(lambda x: F.pad(x, (0, 0, 0, 0, before, after)))


def shuffled_pixels(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a pixel shuffle or its reverse."""
    if shape[1] % 4 == 0 and draw.random() < 0.5:
        return nn.PixelShuffle(2)
    return nn.PixelUnshuffle(2) if shape[2] % 2 == 0 == shape[3] % 2 and shape[1] <= 16 else None


def shuffled_channels(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a channel shuffle in one of its spellings."""
    groups = draw.choice(_divisors(shape[1]))
    return _one(
        draw,
        [
            lambda x: x.view(x.shape[0], groups, -1, *x.shape[2:]).transpose(1, 2).reshape(x.shape),
            lambda x: F.channel_shuffle(x, groups),
        ],
    )


def sliced(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a part along one axis, with a step now and then."""
    axis = draw.randrange(1, len(shape))
    size = shape[axis]
    if size < 2:
        return None
    start = draw.randrange(size - 1)
    stop, step = draw.randint(start + 1, size), draw.choice([1, 1, 1, 2])
    index = (slice(None),) * axis + (slice(start, stop, step),)
    return Apply(lambda x: x[index])


def chunk(draw: random.Random, shape: Shape) -> Drawn:
    """Draws one of several equal parts, or their sum."""
    axis = draw.randrange(1, len(shape))
    count = draw.choice([2, 2, 3])
    if shape[axis] % count:
        return None
    return _one(
        draw,
        [
            lambda x: x.chunk(count, axis)[1],
            lambda x: torch.split(x, shape[axis] // count, axis)[-1],
            lambda x: x.chunk(count, axis)[0] + x.chunk(count, axis)[1],
            lambda x: torch.cat(x.chunk(count, axis)[::-1], axis),
        ],
    )


def turned(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a flip, a roll or a transposition."""
    axis = draw.randrange(1, len(shape))
    functions = [lambda x: x.flip(axis), lambda x: torch.roll(x, 1, axis)]
    if len(shape) > 2:
        functions += [lambda x: x.transpose(-1, -2), lambda x: x.transpose(1, -1)]
    return _one(draw, functions)


def repeated(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a tensor beside itself, or stacked with itself and read as one."""
    axis = draw.randrange(1, len(shape))
    if torch.Size(shape).numel() > 6000:
        return None
    return _one(
        draw,
        [
            lambda x: torch.cat([x, x], axis),
            lambda x: torch.stack([x, -x], axis).flatten(axis, axis + 1),
            lambda x: x.repeat_interleave(2, axis),
        ],
    )


def gated(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a squeeze-and-excite block, or a spatial gate."""
    channels, gate = shape[1], draw.choice([nn.Sigmoid, nn.Hardsigmoid])()
    if draw.random() < 0.6:
        squeezed = nn.Sequential(nn.Conv2d(channels, 4, 1), nn.ReLU(), nn.Conv2d(4, channels, 1), gate)
        return _one(
            draw,
            [
                lambda layer, x: x * layer(x.mean((2, 3), keepdim=True)),
                lambda layer, x: layer(F.adaptive_avg_pool2d(x, 1)) * x,
            ],
            squeezed,
        )
    return Apply(lambda layer, x: x * layer(x), nn.Sequential(nn.Conv2d(channels, 1, 1), gate))


def mean(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a mean over axes of a map."""
    return _one(
        draw,
        [
            lambda x: x.mean(3),
            lambda x: x.mean(2),
            lambda x: x.mean((2, 3)),
            lambda x: x.mean(3).mean(2),
            lambda x: x.mean(1, keepdim=True),
            lambda x: x.flatten(2).mean(2),
            lambda x: x.amax((2, 3)),
        ],
    )


def tokens(draw: random.Random, shape: Shape) -> Drawn:
    """Draws the way from a map to tokens."""
    return _one(
        draw,
        [lambda x: x.flatten(2).transpose(1, 2), lambda x: x.permute(0, 2, 3, 1).flatten(1, 2), lambda x: x.flatten(2)],
    )


def flat(draw: random.Random, shape: Shape) -> Drawn:
    """Draws the way to a vector."""
    if torch.Size(shape[1:]).numel() > 4000:
        return None
    return _one(draw, [lambda x: x.flatten(1), lambda x: x.reshape(x.shape[0], -1)])


# Any shape


_ACTIVATIONS: tuple[Callable[[], nn.Module], ...] = (
    nn.ReLU,
    nn.ReLU,
    nn.ReLU6,
    nn.Hardswish,
    nn.SiLU,
    nn.GELU,
    nn.LeakyReLU,
)
_FUNCTIONS: tuple[Callable[[], nn.Module], ...] = (
    *_ACTIVATIONS,
    nn.Sigmoid,
    nn.Tanh,
    nn.ELU,
    nn.Mish,
    nn.Softplus,
    nn.Hardtanh,
    nn.Hardsigmoid,
    lambda: nn.GELU(approximate="tanh"),
    lambda: Apply(torch.abs),
    lambda: Apply(torch.neg),
    lambda: Apply(torch.square),
    lambda: Apply(lambda x: x * x),
    lambda: Apply(lambda x: torch.sqrt(F.relu(x) + 0.1)),
    lambda: Apply(lambda x: torch.exp(x.clamp(-3, 3))),
    lambda: Apply(lambda x: x.clamp(-1.5, 2.5)),
    lambda: Apply(lambda x: 1 - x),
    lambda: Apply(lambda x: x / 3 - 0.25),
    lambda: Apply(lambda x: 1 / (x.abs() + 1)),
)


def function(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a function of one number."""
    return draw.choice(_FUNCTIONS)()


def constants(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a sum or a product with parameters that broadcast, or a PReLU."""
    axis = draw.randrange(1, len(shape))
    size = tuple(each if index >= axis else 1 for index, each in enumerate(shape) if index)
    channels = (shape[1], *[1] * (len(shape) - 2))
    offset, gain = _parameter(draw, draw.choice([size, channels])), _parameter(draw, channels, 1.0)
    choices: list[nn.Module] = [
        Apply(lambda layer, x: x + layer, offset),
        Apply(lambda layer, x: layer * x, gain),
        Apply(lambda layer, x: x - layer, offset),
        nn.PReLU(draw.choice([1, shape[1]])),
    ]
    return draw.choice(choices)


# Operations on tokens, three axes with the batch


def linear(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a linear layer, with a norm and an activation now and then."""
    layers: list[nn.Module] = [nn.Linear(shape[-1], draw.choice(CHANNELS[2:]), bias=draw.random() < 0.8)]
    if len(shape) == 2 and draw.random() < 0.3:
        layers.append(nn.BatchNorm1d(layers[0].out_features))  # type: ignore[arg-type]
    if draw.random() < 0.6:
        layers.append(draw.choice(_ACTIVATIONS)())
    return nn.Sequential(*layers)


def norm(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a layer norm."""
    return nn.LayerNorm(shape[-1]) if shape[-1] > 1 else None


def attention(draw: random.Random, shape: Shape) -> Drawn:
    """Draws attention of one or two heads."""
    channels = shape[2]
    if channels % 2 or shape[1] > 64:
        return None
    heads = draw.choice([1, 2])

    def attend(qkv: nn.Module, out: nn.Module, x: Tensor) -> Tensor:
        batch, count, _ = x.shape
        query, key, value = qkv(x).reshape(batch, count, 3, heads, channels // heads).permute(2, 0, 3, 1, 4).unbind(0)
        scores = (query @ key.transpose(-2, -1)) * (channels // heads) ** -0.5
        mixed: Tensor = out((scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, count, channels))
        return x + mixed

    return Apply(attend, nn.Linear(channels, 3 * channels), nn.Linear(channels, channels))


def map_again(draw: random.Random, shape: Shape) -> Drawn:
    """Draws the way from tokens back to a map."""
    side = draw.choice(_divisors(shape[1]))
    return Apply(lambda x: x.transpose(1, 2).reshape(x.shape[0], x.shape[2], side, -1))


def mean_of_tokens(draw: random.Random, shape: Shape) -> Drawn:
    """Draws a mean over tokens, or one token."""
    return _one(draw, [lambda x: x.mean(1), lambda x: x[:, 0], lambda x: x.mean(1, keepdim=True)])


# Operations on vectors, two axes with the batch


def pixel(draw: random.Random, shape: Shape) -> Drawn:
    """Draws the way from a vector to a map of one pixel."""
    return _one(draw, [lambda x: x[:, :, None, None], lambda x: x.view(*x.shape, 1, 1), lambda x: x.unsqueeze(1)])


BY_RANK: Mapping[int, tuple[Callable[[random.Random, Shape], Drawn], ...]] = MappingProxyType(
    {
        4: (
            *([convolution] * 8),
            *(transposed, pool, pool, adaptive, resize, resize, padded, padded_channels, shuffled_pixels),
            *(shuffled_channels, sliced, sliced, chunk, turned, repeated, gated, gated, mean, tokens, flat),
            *(function, function, function, constants, constants),
        ),
        3: (
            *(linear, linear, linear, norm, attention, attention, map_again, map_again, mean_of_tokens, sliced),
            *(chunk, turned, repeated, function, function, constants, constants, flat),
        ),
        2: (linear, linear, linear, linear, pixel, function, function, sliced, chunk, repeated, constants),
    }
)


def joined(draw: random.Random, one: Shape, other: Shape) -> Drawn:
    """Draws what two tensors give: a sum, a difference, a product, the greater one, or both side by side."""
    if len(one) == len(other) and all(1 in pair or pair[0] == pair[1] for pair in zip(one, other, strict=True)):
        functions = [torch.add, torch.sub, torch.mul, torch.maximum, lambda a, b: a * b.sigmoid()]
        if one == other:
            axis = draw.randrange(1, len(one))
            functions += [lambda a, b: torch.cat([a, b], axis)] * 3
        return _one(draw, functions)
    differing = [index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b]
    if len(one) == len(other) and len(differing) == 1:
        return Apply(lambda a, b: torch.cat([a, b], differing[0]))
    return None
