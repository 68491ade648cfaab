"""Changes a picture's colours, as another camera or another light would have made them."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from PIL import Image, ImageStat
from torch import Tensor

from qat.arguments.settings import Rule, check_settings, is_share

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True, kw_only=True)
class ColourJitter:
    """Draws one change of colour for each picture: a `…_jitter_share` of 0.3 means factors of 0.7 to 1.3, drawn evenly.

    Contrast turns about the picture's mean grey, saturation about each pixel's own; white balance is a factor for each
    colour. A share outside 0..1 raises SettingError. Source: Howard 2013, arXiv 1312.5402.
    """

    brightness_jitter_share: float = 0.3
    contrast_jitter_share: float = 0.3
    saturation_jitter_share: float = 0.3
    white_balance_jitter_share: float = 0.08

    def __post_init__(self) -> None:
        check_settings(self, COLOUR_RULES, "the augmentation")

    @property
    def colour_reach(self) -> tuple[float, ...]:
        """Returns each factor's largest distance from 1: brightness, contrast, saturation, red, green and blue."""
        balance = self.white_balance_jitter_share
        jitters = (self.brightness_jitter_share, self.contrast_jitter_share, self.saturation_jitter_share)
        return (*jitters, balance, balance, balance)

    def recoloured(self, picture: Image.Image, random: np.random.Generator) -> Image.Image:
        """Returns the RGB picture in colours drawn for it; the generator advances equally for all shares."""
        factors = 1 + np.array(self.colour_reach) * random.uniform(-1, 1, 6)
        if not any(self.colour_reach):
            return picture
        means = torch.tensor([ImageStat.Stat(picture).mean])
        matrix, offset = colour_maps(torch.from_numpy(factors.astype(np.float32))[None], means)
        rows = torch.cat([matrix[0], offset[0]], dim=1)
        return picture.convert("RGB", tuple(rows.flatten().tolist()))


def _share(name: str) -> Rule:
    return Rule(f"a share from 0 to 1 as {name}", (name,), lambda its: is_share(getattr(its, name)))


COLOUR_RULES = tuple(_share(each.name) for each in fields(ColourJitter))


def luma_of(rgb: Tensor) -> Tensor:
    """Returns the brightness (count, 1, height, width) of pictures (count, 3, height, width)."""
    return torch.einsum("c,nchw->nhw", torch.tensor(_LUMA, device=rgb.device), rgb)[:, None]


def colour_maps(colours: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
    """Returns all changes of colour of each picture at once: matrices (count, 3, 3) and offsets (count, 3, 1), float32.

    `colours` (count, 6) are factors in the order of `ColourJitter.colour_reach`, `means` (count, 3) the pictures' mean
    red, green and blue.
    """
    luma = torch.tensor(_LUMA)
    brightness, contrast, saturation = (factor.view(-1, 1, 1) for factor in colours[:, :3].unbind(dim=1))
    gains = torch.diag_embed(colours[:, 3:]) * brightness
    grey = luma @ (gains @ means.unsqueeze(2))  # of the mean colour: contrast turns about it
    mixing = saturation * torch.eye(3) + (1 - saturation) * luma.expand(3, 3)
    return contrast * (mixing @ gains), ((1 - contrast) * grey.unsqueeze(2)).expand(-1, 3, 1)
