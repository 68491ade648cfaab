"""Maps a part of a picture to the net's input: picture, boxes and mask move by the one map.

A window in the picture's own pixels is stretched onto the net's input. Where it reaches beyond the picture, the input
is filled with the net's mean colour, which becomes zero in its input, and with void in a mask.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.contract import ImageSpec
from mobile_sdk.preprocess import stretched, upright
from mobile_sdk.tasks.segmentation import VOID, Masks
from qat.data.augmentation.colour import ColourJitter

Boxes = NDArray[np.float64]
"""Holds left, top, right, bottom: (n, 4) or (4,)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """Stretches a `part` of a picture `onto` a part of the net's input, which may then be mirrored.

    `size_px` is the input's height and width.

    Both are left, top, right, bottom in whole pixels, right and bottom excluded, and hold a pixel or more.
    """

    part: NDArray[np.int64]
    onto: NDArray[np.int64]
    size_px: tuple[int, int]
    is_mirrored: bool = False

    @classmethod
    def through(cls, window: Boxes, sides: tuple[int, int], spec: ImageSpec, *, is_mirrored: bool) -> "View":
        """Returns the view through a `window` that overlaps a picture of those `sides`, its height and its width.

        The window's sides move outwards to whole pixels of the picture, and the picture's to the nearest pixels of the
        net's input.
        """
        corner, opposite = np.floor(window[:2]), np.ceil(window[2:])
        extent, picture = opposite - corner, np.array(sides[::-1], np.float64)
        first, last = np.maximum(corner, 0), np.minimum(opposite, picture)
        size = np.array([spec.width_px, spec.height_px])
        least = np.minimum(np.round((first - corner) / extent * size), size - 1)
        most = np.maximum(np.round((last - corner) / extent * size), least + 1)
        part, onto = (np.concatenate(pair).astype(np.int64) for pair in ((first, last), (least, most)))
        return cls(part=part, onto=onto, size_px=(spec.height_px, spec.width_px), is_mirrored=is_mirrored)

    def picture(
        self, source: NDArray[np.uint8], spec: ImageSpec, jitter: ColourJitter, random: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Returns the input's bytes (height, width, channels): the visible part of `source`, in drawn colours."""
        left, top, right, bottom = self.part
        seen = jitter.recoloured(stretched(Image.fromarray(source[top:bottom, left:right]), *self._onto_sides), random)
        whole = np.empty((*self.size_px, spec.channels), np.uint8)
        whole[:] = np.round(spec.mean_byte)
        pixels = np.asarray(upright(seen, spec)).reshape(seen.height, seen.width, spec.channels)
        return self._pasted(pixels, whole)

    def mask(self, mask: Masks) -> Masks:
        """Returns the input's labels (height, width) by nearest pixels of `mask`, which has the picture's sides."""
        left, top, right, bottom = self.part
        seen = Image.fromarray(mask[top:bottom, left:right]).resize(self._onto_sides, Image.Resampling.NEAREST)
        return self._pasted(np.asarray(seen), np.full(self.size_px, VOID, np.uint8))

    def boxes(self, boxes: Boxes) -> Boxes:
        """Returns the picture's boxes (n, 4) in pixels of the input, cut to the visible part; others have no area."""
        corner, opposite, least, most = self.part[:2], self.part[2:], self.onto[:2], self.onto[2:]
        corners = np.clip(boxes.reshape(-1, 2, 2), corner, opposite)
        moved = (least + (corners - corner) * ((most - least) / (opposite - corner))).reshape(-1, 4)
        if self.is_mirrored:
            moved[:, [0, 2]] = self.size_px[1] - moved[:, [2, 0]]
        return moved

    def shows(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Returns which points (n, 2) of the picture, right and down, are seen, (n,)."""
        inside: NDArray[np.bool_] = np.all((self.part[:2] <= points) & (points <= self.part[2:]), axis=1)
        return inside

    @property
    def _onto_sides(self) -> tuple[int, int]:
        width, height = self.onto[2:] - self.onto[:2]
        return int(width), int(height)

    def _pasted(self, seen: NDArray[np.uint8], whole: NDArray[np.uint8]) -> NDArray[np.uint8]:
        left, top, right, bottom = self.onto
        whole[top:bottom, left:right] = seen
        return whole[:, ::-1] if self.is_mirrored else whole
