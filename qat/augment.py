"""What training does to pictures so that a net learns what a phone's camera may do to them."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

from mobile_sdk.contract import ImageSpec

_MARGIN = 8 / 7  # pictures are decoded a little larger than they are used, as 256 is to 224, so that crops stay sharp
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """One affine map and one change of colour a picture, drawn evenly from these ranges.

    The crop is a part of the picture's square, `crop_area_share` of its area (above 1 it is zoomed out, and the edge
    pixels go on), up to `aspect_ratio` wider or higher than square. It lies anywhere inside and is then moved by up
    to `shift_share` of the side. A `…_jitter_share` of 0.3 means factors of 0.7 to 1.3; white balance is a factor for
    each colour. Flipping is off where left and right differ, as in digits and letters.

    Source: Szegedy et al. 2015 (crops of area and aspect), Howard 2013 (colours), both named by the MobileNet papers.
    """

    crop_area_share: tuple[float, float] = (0.35, 1.0)
    aspect_ratio: float = 4 / 3
    shift_share: float = 0.0
    rotation_deg: float = 10.0  # a phone is not held straight
    flip_share: float = 0.5
    brightness_jitter_share: float = 0.3
    contrast_jitter_share: float = 0.3
    saturation_jitter_share: float = 0.3
    white_balance_jitter_share: float = 0.08

    @classmethod
    def digits(cls) -> "Augmentation":
        """For grey characters that fill the picture: small turns, shifts and zooms; neither flips nor colours."""
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
        """How to decode the pictures that `apply` then brings to `spec.size_px`."""
        return spec.model_copy(update={"size_px": round(spec.size_px * _MARGIN)})

    def draw(self, count: int, random: Generator) -> "Drawn":
        """What is done to each of `count` pictures."""
        maps = self._maps(count, random)
        jitters = (self.brightness_jitter_share, self.contrast_jitter_share, self.saturation_jitter_share)
        if not any(jitters) and not self.white_balance_jitter_share:
            return Drawn(maps=maps, colours=None)
        factors = [_factors(jitter, count, random) for jitter in jitters]
        balance = [_factors(self.white_balance_jitter_share, count, random) for _ in range(3)]
        return Drawn(maps=maps, colours=torch.stack([*factors, *balance], dim=1))

    def apply(self, rgb: Tensor, size_px: int, random: Generator) -> Tensor:
        """Bytes (count, 3, any, any) of any dtype to float32 (count, 3, size_px, size_px) in 0..255."""
        return self.draw(len(rgb), random).apply(rgb, size_px)

    def _maps(self, count: int, random: Generator) -> Tensor:
        """Affine maps (count, 2, 3) from places in the result to places in the source, both in -1..1."""
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
    """What was drawn for some pictures: maps (count, 2, 3), and colours (count, 6) or None where those stay.

    The colours are factors: brightness, contrast, saturation, and the white balance of red, green and blue.
    """

    maps: Tensor
    colours: Tensor | None

    def __getitem__(self, part: slice) -> "Drawn":
        return Drawn(maps=self.maps[part], colours=None if self.colours is None else self.colours[part])

    def apply(self, rgb: Tensor, size_px: int) -> Tensor:
        """Bytes (count, 3, any, any) of any dtype to float32 (count, 3, size_px, size_px) in 0..255."""
        grid = affine_grid(self.maps, [len(rgb), 3, size_px, size_px], align_corners=False)
        moved = grid_sample(rgb.to(torch.float32), grid.to(rgb.device), padding_mode="border", align_corners=False)
        return moved if self.colours is None else _recoloured(moved, self.colours)


def _recoloured(rgb: Tensor, colours: Tensor) -> Tensor:
    """All changes of colour at once: for each picture a 3 × 3 matrix and one offset."""
    luma = torch.tensor(_LUMA)
    brightness, contrast, saturation = (factor.view(-1, 1, 1) for factor in colours[:, :3].unbind(dim=1))
    gains = torch.diag_embed(colours[:, 3:]) * brightness
    grey = luma @ (gains @ rgb.mean(dim=(2, 3)).cpu().unsqueeze(2))  # of the mean colour: contrast turns about it
    mixing = saturation * torch.eye(3) + (1 - saturation) * luma.expand(3, 3)
    matrix, offset = contrast * (mixing @ gains), (1 - contrast) * grey.unsqueeze(2)
    mixed = torch.baddbmm(offset.to(rgb.device), matrix.to(rgb.device), rgb.flatten(2))
    return mixed.view_as(rgb).clamp_(0, 255)


def _factors(jitter_share: float, count: int, random: Generator) -> Tensor:
    return 1 + _around_zero(jitter_share, count, random)


def _around_zero(reach: float, count: int, random: Generator) -> Tensor:
    return _between(-reach, reach, count, random)


def _between(low: float, high: float, count: int, random: Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=random)
