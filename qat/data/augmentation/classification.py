"""Augments pictures for training, so that a net learns what a phone's camera may do to them."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

from mobile_sdk.contract import ImageSpec, SizePx
from qat.arguments.settings import Rule, check_settings, is_range, is_share
from qat.data.augmentation.colour import COLOUR_RULES, ColourJitter, colour_maps, luma_of

_MARGIN = 8 / 7  # pictures are decoded a little larger than they are used, as 256 is to 224, so that crops stay sharp


@dataclass(frozen=True, kw_only=True)
class Augmentation(ColourJitter):
    """Draws one affine map and one change of colour for each picture, evenly from these ranges.

    The crop is a part of the picture's square, `crop_area_share` of its area (above 1 it is zoomed out, and the edge
    pixels are repeated), up to `aspect_ratio` wider or higher than square. It is placed at random inside and then moved
    by up to `shift_share` of the side. `flip_share` of the pictures are mirrored; it is 0 where left and right differ,
    as in digits and letters. An empty range raises SettingError.

    Source: Szegedy et al. 2015 (crops of area and aspect), Howard 2013 (colours), both cited by the MobileNet papers.
    """

    crop_area_share: tuple[float, float] = (0.35, 1.0)
    aspect_ratio: float = 4 / 3
    shift_share: float = 0.0
    rotation_deg: float = 10.0  # a phone is not held straight
    flip_share: float = 0.5

    def __post_init__(self) -> None:
        check_settings(self, (*COLOUR_RULES, *_RULES), "the augmentation")

    @classmethod
    def digits(cls) -> "Augmentation":
        """Returns the augmentation for grey characters that fill the picture: small turns, shifts and zooms alone."""
        return cls(
            crop_area_share=(0.8, 1.25),
            aspect_ratio=1.15,
            shift_share=0.05,
            rotation_deg=12.0,
            flip_share=0.0,
            brightness_jitter_share=0.0,
            contrast_jitter_share=0.0,
            saturation_jitter_share=0.0,
            white_balance_jitter_share=0.0,
        )

    def source(self, spec: ImageSpec) -> ImageSpec:
        """Returns how to decode the pictures that `apply` then brings to `spec.size_px`."""
        sides = round(spec.height_px * _MARGIN), round(spec.width_px * _MARGIN)
        return spec.model_copy(update={"size_px": sides[0] if sides[0] == sides[1] else sides})

    def draw(self, count: int, random: Generator) -> "Drawn":
        """Draws the changes of each of `count` pictures."""
        maps = self._maps(count, random)
        if not any(self.colour_reach):
            return Drawn(maps=maps, colours=None)
        factors = [1 + _around_zero(reach, count, random) for reach in self.colour_reach]
        return Drawn(maps=maps, colours=torch.stack(factors, dim=1))

    def apply(self, rgb: Tensor, size_px: SizePx, random: Generator) -> Tensor:
        """Converts bytes (count, channels, any, any) of any dtype to float32 of the size `size_px`, in 0..255."""
        return self.draw(len(rgb), random).apply(rgb, size_px)

    def _maps(self, count: int, random: Generator) -> Tensor:
        """Draws affine maps (count, 2, 3) from places in the result to places in the source, both in -1..1."""
        side = _between(*self.crop_area_share, count, random).sqrt()
        stretch = torch.exp(_around_zero(math.log(self.aspect_ratio) / 2, count, random))
        width, height = side * stretch, side / stretch
        angle = _around_zero(math.radians(self.rotation_deg), count, random)
        mirror = torch.where(torch.rand(count, generator=random) < self.flip_share, -1.0, 1.0)
        right, down = (
            _around_zero(1.0, count, random) * (1 - extent).clamp(min=0)
            + _around_zero(2 * self.shift_share, count, random)
            for extent in (width, height)
        )
        first = torch.stack([mirror * width * angle.cos(), -height * angle.sin(), right], dim=1)
        second = torch.stack([mirror * width * angle.sin(), height * angle.cos(), down], dim=1)
        return torch.stack([first, second], dim=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """Holds what was drawn for some pictures: maps (count, 2, 3), and colours (count, 6) or None for no change."""

    maps: Tensor
    colours: Tensor | None

    def __getitem__(self, part: slice) -> "Drawn":
        return Drawn(maps=self.maps[part], colours=None if self.colours is None else self.colours[part])

    def apply(self, rgb: Tensor, size_px: SizePx) -> Tensor:
        """Converts bytes (count, channels, any, any) of any dtype to float32 of the size `size_px`, in 0..255."""
        sides = (size_px, size_px) if isinstance(size_px, int) else size_px
        grid = affine_grid(self.maps, [*rgb.shape[:2], *sides], align_corners=False)
        moved = grid_sample(rgb.to(torch.float32), grid.to(rgb.device), padding_mode="border", align_corners=False)
        return moved if self.colours is None else _recoloured(moved, self.colours)


_RULES = (
    Rule("a range of shares above 0", ("crop_area_share",), lambda its: is_range(its.crop_area_share)),
    Rule("an aspect ratio of 1 or more", ("aspect_ratio",), lambda its: 1 <= its.aspect_ratio < math.inf),
    Rule("a shift of 0 or more", ("shift_share",), lambda its: 0 <= its.shift_share < math.inf),
    Rule("a turn of 0 to 180 degrees", ("rotation_deg",), lambda its: 0 <= its.rotation_deg <= 180),
    Rule("a share of mirrored pictures from 0 to 1", ("flip_share",), lambda its: is_share(its.flip_share)),
)


def _recoloured(rgb: Tensor, colours: Tensor) -> Tensor:
    """Applies all changes of colour at once; grey pictures change as coloured ones would, and opacity stays."""
    if rgb.shape[1] != 3:
        mixed = _recoloured(rgb[:, :3].expand(-1, 3, -1, -1), colours)
        return torch.cat([mixed, rgb[:, 3:]], dim=1) if rgb.shape[1] > 1 else luma_of(mixed)
    matrix, offset = colour_maps(colours, rgb.mean(dim=(2, 3)).cpu())
    mixed = torch.baddbmm(offset.to(rgb.device), matrix.to(rgb.device), rgb.flatten(2))
    return mixed.view_as(rgb).clamp_(0, 255)


def _around_zero(reach: float, count: int, random: Generator) -> Tensor:
    return _between(-reach, reach, count, random)


def _between(low: float, high: float, count: int, random: Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=random)
