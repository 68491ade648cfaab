"""Nets in a few words: `net(forward, name=module, …)`, and programs made of them from random pictures."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parameter import UninitializedParameter

from mobile_sdk.contract import Contract, ImageSpec
from qat.data.picture_set import PictureSet

SIZE_PX = 16
LABELS = ("a", "b", "c", "d", "e")
CONTRACT = Contract(name="tiny", labels=LABELS, image=ImageSpec(size_px=SIZE_PX))


class Tiny(nn.Module):
    """A net whose forward is a function of itself and the pictures."""

    def __init__(self, forward: Callable[[Any, Tensor], Any], modules: dict[str, nn.Module | nn.Parameter]) -> None:
        super().__init__()
        self._function = forward
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x: Tensor) -> Any:
        """Returns the function's result."""
        return self._function(self, x)


def net(forward: Callable[[Any, Tensor], Any], seed: int = 0, **modules: nn.Module | nn.Parameter) -> Tiny:
    """A net of random weights whose batch norms have statistics of no special case, in evaluation mode."""
    tiny = Tiny(forward, modules)
    if any(isinstance(parameter, UninitializedParameter) for parameter in tiny.parameters()):
        tiny.eval()(torch.zeros(2, 3, SIZE_PX, SIZE_PX))  # a lazy layer learns its shape
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in tiny.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.normal_(0, module.weight[0].numel() ** -0.5, generator=random)
                if module.bias is not None:
                    module.bias.normal_(0, 0.2, generator=random)
            elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
                module.running_mean.normal_(0, 0.3, generator=random)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 1.5, generator=random)  # type: ignore[union-attr]
                if module.affine:
                    module.weight.uniform_(0.7, 1.3, generator=random)
                    module.bias.normal_(0, 0.3, generator=random)
    return tiny.eval()


def body(operation: Callable[[Any, Tensor], Tensor], **modules: nn.Module | nn.Parameter) -> Tiny:
    """Convolution to 6 channels, the operation on the map, the mean, a linear layer."""

    def forward(self: Any, x: Tensor) -> Tensor:
        scores: Tensor = self.head(operation(self, self.stem(x)).mean((2, 3)))
        return scores

    return net(forward, stem=nn.Conv2d(3, 6, 3, padding=1), head=nn.LazyLinear(len(LABELS)), **modules)


def tensors(count: int = 4, size_px: int = SIZE_PX, seed: int = 0) -> Tensor:
    """Random pictures as floats."""
    return torch.randn(count, 3, size_px, size_px, generator=torch.Generator().manual_seed(seed))


def rgb(count: int = 8, size_px: int = SIZE_PX, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Random pictures (count, size_px, size_px, 3): a colour each, coarse blots, noise: means and maxima vary."""
    random = np.random.default_rng(seed)
    coarse = random.integers(60, 196, (count, 4, 4, 3)) + random.integers(-100, 101, (count, 1, 1, 3))
    coarse = coarse.repeat(-(-size_px // 4), 1).repeat(-(-size_px // 4), 2)
    noise = random.integers(-40, 41, (count, size_px, size_px, 3))
    return np.clip(coarse[:, :size_px, :size_px] + noise, 0, 255).astype(np.uint8)


def picture_set(count: int = 8, size_px: int = SIZE_PX, seed: int = 0) -> PictureSet:
    """Returns pictures as a set to calibrate on."""
    return PictureSet(sources=tuple(rgb(count, size_px, seed)), targets=(0,) * count)


def mixed_bag() -> Tiny:
    """Every way in which a tensor gets a multiple: h-swish, its square, gates in and after layers, sums, averages."""

    def forward(self: Tiny, x: torch.Tensor) -> torch.Tensor:
        x = F.hardswish(self.stem(x))
        x = x + F.relu(self.wide(x))
        x = F.avg_pool2d(F.hardswish(x) * F.hardsigmoid(x), 2)
        gate = F.hardsigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        return self.head((self.deep(x) * gate).mean((2, 3)) * 2.5)

    return net(
        forward,
        stem=nn.Conv2d(3, 6, 3, padding=1),
        wide=nn.Conv2d(6, 6, 1),
        gate=nn.Conv2d(6, 6, 1),
        deep=nn.Conv2d(6, 6, 3, groups=6),
        head=nn.Linear(6, len(LABELS)),
    )


def chain() -> Tiny:
    return body(
        lambda self, x: self.last(F.relu6(self.conv(F.relu6(x)))), conv=nn.Conv2d(6, 8, 1), last=nn.Conv2d(8, 6, 1)
    )
