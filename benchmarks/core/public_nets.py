"""Defines public nets for phones in plain PyTorch, by their papers' tables, and the bricks that nets share.

Every function returns a new net with PyTorch's own random numbers, which takes floats (N, C, H, W).
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Written(nn.Module):
    """Computes a function of its modules and the input."""

    def __init__(self, function: Callable[[Any, Tensor], Any], **modules: nn.Module) -> None:
        super().__init__()
        self._function = function
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Any:
        """Returns what the function returns."""
        return self._function(self, x)


def conv(before: int, after: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: Any = nn.ReLU) -> nn.Module:
    """Returns a convolution with batch norm and an activation."""
    layer = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(after), act())


def separable(before: int, after: int, stride: int = 1, act: Any = nn.ReLU) -> nn.Module:
    """Returns a depthwise and a pointwise convolution."""
    return nn.Sequential(conv(before, before, 3, stride, before, act), conv(before, after, 1, act=act))


def with_shortcut(body: nn.Module) -> nn.Module:
    """Returns a block that adds its input to what `body` makes of it."""
    return Written(lambda self, x: x + self.body(x), body=body)


def inverted(before: int, after: int, stride: int = 1, expand: int = 4, act: Any = nn.ReLU6) -> nn.Module:
    """Returns an inverted bottleneck, with its shortcut where the shapes allow one."""
    wide = before * expand
    layers = (conv(before, wide, 1, act=act), conv(wide, wide, 3, stride, wide, act))
    body = nn.Sequential(*layers, conv(wide, after, 1, act=nn.Identity))
    return with_shortcut(body) if stride == 1 and before == after else body


def pooled(width: int, labels: int) -> nn.Module:
    """Returns a classifier's head."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, labels))


def efficientnet_b0() -> nn.Module:
    """Returns EfficientNet-B0 (Tan and Le, arXiv 1905.11946, Table 1): 1,000 scores."""
    rows = (  # expansion, channels, layers, stride, kernel
        *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)),
        *((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
    )
    width, layers = 32, [conv(3, 32, 3, 2, act=nn.SiLU)]
    for expand, after, repeats, first_stride, kernel in rows:
        for stride in (first_stride, *[1] * (repeats - 1)):
            layers.append(_mbconv(width, after, stride, expand, kernel))
            width = after
    return nn.Sequential(*layers, conv(width, 1280, 1, act=nn.SiLU), pooled(1280, 1000))


def _mbconv(before: int, after: int, stride: int, expand: int, kernel: int) -> nn.Module:
    wide = before * expand
    widened = [conv(before, wide, 1, act=nn.SiLU)] if expand > 1 else []
    filtered = (conv(wide, wide, kernel, stride, wide, nn.SiLU), _gated(wide, before // 4))
    body = nn.Sequential(*widened, *filtered, conv(wide, after, 1, act=nn.Identity))
    return with_shortcut(body) if stride == 1 and before == after else body


def _gated(width: int, squeezed: int) -> nn.Module:
    layers = (nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, squeezed, 1), nn.SiLU(), nn.Conv2d(squeezed, width, 1))
    return Written(lambda self, x: x * self.gate(x), gate=nn.Sequential(*layers, nn.Sigmoid()))


def mobileone_s0() -> nn.Module:
    """Returns MobileOne-S0 (Vasu et al., arXiv 2206.04040), its branches fused: 1,000 scores."""
    layers, width = [conv(3, 48, 3, 2)], 48
    for after, repeats in ((48, 2), (128, 8), (256, 10), (1024, 1)):
        for stride in (2, *[1] * (repeats - 1)):
            layers.append(separable(width, after, stride))
            width = after
    return nn.Sequential(*layers, pooled(width, 1000))


def mobilenet_v4_conv_small() -> nn.Module:
    """Returns MNv4-Conv-S (Qin et al., arXiv 2404.10518): 1,000 scores."""
    blocks = (  # before, after, kernel of the first and of the second depthwise layer or 0, stride, expansion
        *((64, 96, 5, 5, 2, 3), *[(96, 96, 0, 3, 1, 2)] * 4, (96, 96, 3, 0, 1, 4)),
        *((96, 128, 3, 3, 2, 6), (128, 128, 5, 5, 1, 4), (128, 128, 0, 5, 1, 4)),
        *((128, 128, 0, 5, 1, 3), *[(128, 128, 0, 3, 1, 4)] * 2),
    )
    stem = (conv(3, 32, 3, 2), conv(32, 32, 3, 2), conv(32, 32, 1), conv(32, 96, 3, 2), conv(96, 64, 1))
    body = (*stem, *(_universal(*block) for block in blocks), conv(128, 960, 1))
    head = (nn.AdaptiveAvgPool2d(1), conv(960, 1280, 1), nn.Flatten(), nn.Linear(1280, 1000))
    return nn.Sequential(*body, *head)


def _universal(before: int, after: int, first: int, second: int, stride: int, expand: int) -> nn.Module:
    wide = before * expand
    layers = [conv(before, before, first, 1 if second else stride, before, nn.Identity)] if first else []
    layers.append(conv(before, wide, 1))
    layers += [conv(wide, wide, second, stride, wide)] if second else []
    body = nn.Sequential(*layers, conv(wide, after, 1, act=nn.Identity))
    return with_shortcut(body) if stride == 1 and before == after else body


def yolo_silu() -> nn.Module:
    """Returns a detector in the form of YOLOv8's smallest, as its three maps: numbers of boxes and scores."""

    def forward(self: Any, x: Tensor) -> list[Tensor]:
        eighth = self.eighth(x)
        sixteenth = self.sixteenth(eighth)
        last = self.last(sixteenth)
        middle = self.up16(torch.cat([F.interpolate(last, scale_factor=2), sixteenth], 1))
        near = self.up8(torch.cat([F.interpolate(middle, scale_factor=2), eighth], 1))
        middle = self.down16(torch.cat([self.from8(near), middle], 1))
        far = self.down32(torch.cat([self.from16(middle), last], 1))
        maps = ((self.near, near), (self.middle, middle), (self.far, far))
        return [torch.cat([head[0](each), head[1](each)], 1) for head, each in maps]

    start = (_silu(3, 16, 3, 2), _silu(16, 32, 3, 2), _split_and_joined(32, 32, 1))
    parts = {"eighth": nn.Sequential(*start, _silu(32, 64, 3, 2), _split_and_joined(64, 64, 2))}
    parts["sixteenth"] = nn.Sequential(_silu(64, 128, 3, 2), _split_and_joined(128, 128, 2))
    parts["last"] = nn.Sequential(_silu(128, 256, 3, 2), _split_and_joined(256, 256, 1), _pyramid(256))
    parts |= {"up16": _split_and_joined(384, 128, 1, adds=False), "up8": _split_and_joined(192, 64, 1, adds=False)}
    parts |= {"from8": _silu(64, 64, 3, 2), "down16": _split_and_joined(192, 128, 1, adds=False)}
    parts |= {"from16": _silu(128, 128, 3, 2), "down32": _split_and_joined(384, 256, 1, adds=False)}
    for name, width in (("near", 64), ("middle", 128), ("far", 256)):
        parts[name] = nn.ModuleList([_head(width, 64, 64), _head(width, 80, 80)])
    return Written(forward, **parts)


def _silu(before: int, after: int, kernel: int, stride: int = 1) -> nn.Module:
    return conv(before, after, kernel, stride, act=nn.SiLU)


def _head(before: int, hidden: int, after: int) -> nn.Module:
    return nn.Sequential(_silu(before, hidden, 3), _silu(hidden, hidden, 3), nn.Conv2d(hidden, after, 1))


def _split_and_joined(before: int, after: int, repeats: int, *, adds: bool = True) -> nn.Module:
    """Returns YOLOv8's C2f: one half of the channels goes through pairs of convolutions, and all results are joined."""
    half = after // 2

    def forward(self: Any, x: Tensor) -> Tensor:
        parts = list(self.entry(x).chunk(2, 1))
        for pair in self.pairs:
            parts.append(pair(parts[-1]))
        joined: Tensor = self.exit(torch.cat(parts, 1))
        return joined

    bodies: Iterable[nn.Module] = (nn.Sequential(_silu(half, half, 3), _silu(half, half, 3)) for _ in range(repeats))
    pairs = nn.ModuleList([with_shortcut(body) if adds else body for body in bodies])
    return Written(forward, entry=_silu(before, after, 1), pairs=pairs, exit=_silu(half * (2 + repeats), after, 1))


def _pyramid(width: int) -> nn.Module:
    """Returns the spatial pyramid of maxima, each over five pixels of the one before."""

    def forward(self: Any, x: Tensor) -> Tensor:
        parts = [self.reduce(x)]
        for _ in range(3):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        joined: Tensor = self.join(torch.cat(parts, 1))
        return joined

    return Written(forward, reduce=_silu(width, width // 2, 1), join=_silu(2 * width, width, 1))


def transposed_u_net(base: int = 16, labels: int = 4) -> nn.Module:
    """Returns a U-Net (Ronneberger et al., arXiv 1505.04597) of three levels, padded: scores of every pixel."""

    def forward(self: Any, x: Tensor) -> Tensor:
        first = self.first(x)
        second = self.second(F.max_pool2d(first, 2))
        third = self.third(F.max_pool2d(second, 2))
        fourth = self.fourth(F.max_pool2d(third, 2))
        third = self.join3(torch.cat([third, self.up3(fourth)], 1))
        second = self.join2(torch.cat([second, self.up2(third)], 1))
        scores: Tensor = self.head(self.join1(torch.cat([first, self.up1(second)], 1)))
        return scores

    def pair(before: int, after: int) -> nn.Module:
        return nn.Sequential(conv(before, after), conv(after, after))

    one, two, four, eight = (base * factor for factor in (1, 2, 4, 8))
    parts = {"first": pair(3, one), "second": pair(one, two), "third": pair(two, four), "fourth": pair(four, eight)}
    for name, width in (("3", four), ("2", two), ("1", one)):
        parts |= {f"up{name}": nn.ConvTranspose2d(2 * width, width, 2, 2), f"join{name}": pair(2 * width, width)}
    return Written(forward, **parts, head=nn.Conv2d(one, labels, 1))


def pose_net() -> nn.Module:
    """Returns a net in the form of MoveNet: heatmaps of joints and centres, and offsets, at a quarter of the side."""

    def forward(self: Any, x: Tensor) -> list[Tensor]:
        quarter = self.quarter(x)
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        top = self.across16(sixteenth)
        for across, below in ((self.across8, eighth), (self.across4, quarter)):
            top = F.interpolate(top, scale_factor=2, mode="bilinear") + across(below)
        top = self.smooth(top)
        return [self.joints(top), self.centres(top), self.offsets(top)]

    def stage(before: int, after: int, repeats: int) -> nn.Module:
        rest = (inverted(after, after, 1, 6) for _ in range(repeats - 1))
        return nn.Sequential(inverted(before, after, 2, 6), *rest)

    parts = {"quarter": nn.Sequential(conv(3, 32, 3, 2, act=nn.ReLU6), stage(32, 24, 2)), "eighth": stage(24, 32, 3)}
    parts["sixteenth"] = nn.Sequential(stage(32, 64, 4), *(inverted(width, 96, 1, 6) for width in (64, 96, 96)))
    parts |= {f"across{stride}": nn.Conv2d(width, 24, 1) for stride, width in ((4, 24), (8, 32), (16, 96))}
    parts |= {name: _joint_head(width) for name, width in (("joints", 17), ("centres", 1), ("offsets", 34))}
    return Written(forward, **parts, smooth=separable(24, 24))


def _joint_head(width: int) -> nn.Module:
    return nn.Sequential(separable(24, 96), nn.Conv2d(96, width, 1))


def ds_cnn() -> nn.Module:
    """Returns DS-CNN for keyword spotting (Zhang et al., arXiv 1711.07128): 49 frames of 10 coefficients."""
    stem = nn.Sequential(nn.Conv2d(1, 64, (10, 4), (2, 2), (4, 1), bias=False), nn.BatchNorm2d(64), nn.ReLU())
    return nn.Sequential(stem, *(separable(64, 64) for _ in range(4)), nn.Dropout(0.2), pooled(64, 12))
