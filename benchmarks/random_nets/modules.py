"""Holds the small modules of which random nets are made: a function and the layers that it uses."""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Shape = tuple[int, ...]


class Apply(nn.Module):
    """Calls `function(*layers, *inputs)`."""

    def __init__(self, function: Callable[..., Tensor], *layers: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.function, self.count = function, len(layers)
        for index, layer in enumerate(layers):
            setattr(self, f"layer{index}", layer)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Returns what the function makes of the layers and the inputs."""
        return self.function(*(getattr(self, f"layer{index}") for index in range(self.count)), *inputs)


def fill(module: nn.Module, draw: random.Random) -> None:
    """Gives a module weights and statistics as trained nets have them, and odd ones now and then."""
    generator = torch.Generator().manual_seed(draw.randrange(2**31))
    odd = draw.random() < 0.15
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Conv1d | nn.Linear):
                _fill_weights(layer, draw if odd else None, generator)
            elif isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
                assert layer.running_mean is not None and layer.running_var is not None
                layer.running_mean.normal_(0, 0.3, generator=generator)
                layer.running_var.uniform_(0.4, 1.6, generator=generator)
                layer.weight.uniform_(0.6, 1.4, generator=generator)
                layer.bias.normal_(0, 0.3, generator=generator)
            elif isinstance(layer, nn.LayerNorm | nn.GroupNorm):
                layer.weight.uniform_(0.6, 1.4, generator=generator)
                layer.bias.normal_(0, 0.3, generator=generator)


def _fill_weights(layer: Any, draw: random.Random | None, generator: torch.Generator) -> None:
    layer.weight.normal_(0, 1.4 * layer.weight[0].numel() ** -0.5, generator=generator)
    if layer.bias is not None:
        layer.bias.normal_(0, 0.2, generator=generator)
    if draw is None:
        return
    kind = draw.choice(("dead", "whole", "positive", "outlier", "small", "spread"))
    if kind == "dead":
        layer.weight[: len(layer.weight) // 2] = 0
    elif kind == "whole":
        layer.weight.copy_(torch.randint(-2, 3, layer.weight.shape, generator=generator).float())
    elif kind == "positive":
        layer.weight.abs_()
    elif kind == "outlier":
        layer.weight.view(-1)[0] = 40 * layer.weight.abs().max()
    elif kind == "small":
        layer.weight.mul_(10.0 ** draw.choice((-3, -2)))
    else:
        shape = (-1, *[1] * (layer.weight.ndim - 1))
        layer.weight.mul_((10 ** (torch.rand(len(layer.weight), generator=generator) * 3 - 2)).reshape(shape))
