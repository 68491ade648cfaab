"""Augments pictures with boxes for training: SSD's expansions, crops by overlap, and flips.

Sources: Liu et al. 2016, arXiv 1512.02325, sections 2.2 and 3.6. The pipelines that trained SSDLite on MobileNets
(TensorFlow's object detection API, `ssdlite_mobilenet_v2_coco.config` and its V3 siblings) crop and flip.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.contract import ImageSpec
from mobile_sdk.tasks.boxes import Truth, overlaps
from qat.arguments.settings import Rule, check_settings, is_number, is_range, is_share
from qat.data.augmentation.colour import COLOUR_RULES, ColourJitter
from qat.data.augmentation.view import Boxes, View

_TRIES = 50  # as many as SSD's own code makes


@dataclass(frozen=True, kw_only=True)
class DetectionAugmentation(ColourJitter):
    """Draws an expansion, a crop, a flip and a change of colour for each picture, from these ranges.

    Half of the pictures are placed at random on the mean colour, which is up to `largest_expansion` times as wide and
    high as they are (1 expands none; SSD takes 4). A crop has `crop_area_share` of that, is up to `aspect_ratio` wider
    or higher, and overlaps one of the boxes by at least one of the `least_overlaps` (intersection over union); one
    further choice leaves the picture whole. Boxes are cut with the picture and left out if their centre is outside;
    ignored boxes stay while any part of them is seen. A picture without boxes is not cropped. `flip_share` of the
    pictures are mirrored; it is 0 where left and right differ, as in digits and letters. An empty range raises
    SettingError.
    """

    largest_expansion: float = 1.0
    crop_area_share: tuple[float, float] = (0.1, 1.0)
    aspect_ratio: float = 2.0
    least_overlaps: tuple[float, ...] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
    flip_share: float = 0.5

    def __post_init__(self) -> None:
        check_settings(self, (*COLOUR_RULES, *_RULES), "the augmentation of boxes")

    def __str__(self) -> str:
        """Returns what is done, in a line."""
        larger = f"expanded up to {self.largest_expansion:g} times, " if self.largest_expansion > 1 else ""
        crops = f"crops of {self.crop_area_share[0]:.0%} to {self.crop_area_share[1]:.0%} around boxes"
        return f"{larger}{crops}, {self.flip_share:.0%} mirrored, colours changed"

    def augmented(
        self, source: NDArray[np.uint8], truth: Truth, spec: ImageSpec, random: np.random.Generator
    ) -> tuple[NDArray[np.uint8], Truth]:
        """Returns the input's bytes for a picture (height, width, 3), and its truth in their pixels."""
        sides = source.shape[0], source.shape[1]
        there = inside(truth, sides)
        window = self._window(self._canvas(sides, random), there.boxes[~there.is_ignored], random)
        view = View.through(window, sides, spec, is_mirrored=bool(random.random() < self.flip_share))
        return view.picture(source, spec, self, random), seen_of(there, view)

    def _canvas(self, sides: tuple[int, int], random: np.random.Generator) -> Boxes:
        """Returns the picture's own rectangle, or a larger one in which it is placed at random."""
        is_whole, factor, place = random.random() < 0.5, random.uniform(1, self.largest_expansion), random.random(2)
        factor = 1.0 if is_whole else factor
        picture = np.array(sides[::-1], np.float64)
        corner = -place * (factor - 1) * picture
        return np.concatenate([corner, corner + factor * picture])

    def _window(self, canvas: Boxes, objects: Boxes, random: np.random.Generator) -> Boxes:
        """Returns the first crop of the canvas that overlaps a box by the drawn value, or the canvas if none does."""
        choice = int(random.integers(len(self.least_overlaps) + 1))
        crops = self._crops(canvas, random)
        if choice == len(self.least_overlaps) or not len(objects):
            return canvas
        centres = (objects[:, :2] + objects[:, 2:]) / 2
        inside = ((crops[:, None, :2] < centres) & (centres < crops[:, None, 2:])).all(axis=2)
        fits = (inside & (overlaps(crops, objects) >= self.least_overlaps[choice])).any(axis=1)
        chosen: Boxes = crops[fits.argmax()] if fits.any() else canvas
        return chosen

    def _crops(self, canvas: Boxes, random: np.random.Generator) -> Boxes:
        """Returns some crops (tries, 4) anywhere in the canvas."""
        sides = np.sqrt(random.uniform(*self.crop_area_share, (_TRIES, 1)))
        stretch = np.exp(np.log(self.aspect_ratio) / 2 * random.uniform(-1, 1, (_TRIES, 1)))
        extents = np.minimum(sides * np.concatenate([stretch, 1 / stretch], axis=1), 1)
        corners = random.random((_TRIES, 2)) * (1 - extents)
        whole = canvas[2:] - canvas[:2]
        return np.concatenate([canvas[:2] + corners * whole, canvas[:2] + (corners + extents) * whole], axis=1)


_RULES = (
    Rule("a largest expansion of 1 or more", ("largest_expansion",), lambda its: 1 <= its.largest_expansion < np.inf),
    Rule(
        "a range of shares above 0 up to 1",
        ("crop_area_share",),
        lambda its: is_range(its.crop_area_share) and its.crop_area_share[1] <= 1,
    ),
    Rule("an aspect ratio of 1 or more", ("aspect_ratio",), lambda its: 1 <= its.aspect_ratio < np.inf),
    Rule(
        "overlaps from 0 to below 1",
        ("least_overlaps",),
        lambda its: all(is_number(each) and 0 <= each < 1 for each in its.least_overlaps),
    ),
    Rule("a share of mirrored pictures from 0 to 1", ("flip_share",), lambda its: is_share(its.flip_share)),
)


def inside(truth: Truth, sides: tuple[int, int]) -> Truth:
    """Returns the part of a truth that is inside a picture of those `sides`, its height and its width."""
    boxes = np.clip(truth.boxes, 0, np.array([sides[1], sides[0]] * 2))
    return _chosen(truth, boxes, _have_area(boxes))


def seen_of(truth: Truth, view: View) -> Truth:
    """Returns the visible part of a picture's truth: boxes whose centre is seen, and ignored ones seen in part."""
    boxes, centres = view.boxes(truth.boxes), (truth.boxes[:, :2] + truth.boxes[:, 2:]) / 2
    return _chosen(truth, boxes, _have_area(boxes) & (view.shows(centres) | truth.is_ignored))


def _chosen(truth: Truth, boxes: Boxes, kept: NDArray[np.bool_]) -> Truth:
    return Truth(boxes=boxes[kept], labels=truth.labels[kept], is_ignored=truth.is_ignored[kept])


def _have_area(boxes: Boxes) -> NDArray[np.bool_]:
    has_area: NDArray[np.bool_] = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
    return has_area
