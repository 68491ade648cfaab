"""Draws a net from a seed: operations one after the other, with branches that join again."""

import random
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmarks.random_nets.modules import Shape, fill
from benchmarks.random_nets.operations import BY_RANK, joined

LARGEST, MOST_ELEMENTS = 1e3, 20_000
_SIZES = ((8, 8), (12, 16), (16, 16), (17, 23), (24, 24), (32, 20), (33, 33))


class RandomNet(nn.Module):
    """Draws 2 to 14 operations for inputs (N, channels, height, width), and which of their outputs it returns."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        draw = random.Random(seed)
        self.size_px, self.channels = draw.choice(_SIZES), draw.choice((3, 3, 3, 1))
        self.operations, self.inputs = nn.ModuleList(), list[tuple[int, ...]]()
        generator = torch.Generator().manual_seed(seed)
        self._values = [torch.randn(2, self.channels, *self.size_px, generator=generator)]
        self.eval()
        wanted = draw.randint(2, 14)
        for _ in range(10 * wanted):
            if len(self.operations) < wanted:
                self._attempt(draw)
        ends = [at for at in range(1, len(self._values)) if all(at not in each for each in self.inputs)]
        self.returned = ends[-3:] if draw.random() < 0.5 else ends[-1:]
        del self._values

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Returns the values that no operation reads, three at most, or the last of them."""
        values = [x]
        for operation, places in zip(self.operations, self.inputs, strict=True):
            values.append(operation(*(values[place] for place in places)))
        return tuple(values[place] for place in self.returned)

    def _attempt(self, draw: random.Random) -> None:
        """Adds an operation if it can take the shapes that there are, and its values stay as trained nets have them."""
        last = len(self._values) - 1
        places: Sequence[int] = (last if draw.random() < 0.8 else draw.randrange(max(0, last - 4), last + 1),)
        shapes: list[Shape] = [tuple(self._values[places[0]].shape)]
        if draw.random() < 0.2:
            places = (*places, draw.randrange(last + 1))
            shapes.append(tuple(self._values[places[1]].shape))
            operation = joined(draw, *shapes)
        elif len(shapes[0]) in BY_RANK:
            operation = draw.choice(BY_RANK[len(shapes[0])])(draw, shapes[0])
        else:
            return
        if operation is None:
            return
        fill(operation, draw)
        operation.eval()
        try:
            with torch.no_grad():
                value = operation(*(self._values[place].clone() for place in places))
        except (RuntimeError, ValueError, IndexError):
            return
        is_possible = value.numel() and value.isfinite().all() and 1e-4 < value.abs().max() < LARGEST
        if is_possible and value.ndim <= 4 and value.numel() <= 2 * MOST_ELEMENTS:
            self.operations.append(operation)
            self.inputs.append(tuple(places))
            self._values.append(value)
