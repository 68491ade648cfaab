"""Computes anchors: the boxes that predictions start from, at every position of every map.

Source: Liu et al. 2016, arXiv 1512.02325, section 2.2, with the scales and ratios of TensorFlow's object detection
API (`multiple_grid_anchor_generator.create_ssd_anchors`): three anchors on the first map, six on the others.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

SMALLEST_SCALE, LARGEST_SCALE = 0.2, 0.95  # shares of the image's shorter side, first map to last
RATIOS = (1.0, 2.0, 0.5, 3.0, 1 / 3)  # width over height
FIRST_MAP = ((0.1, 1.0), (SMALLEST_SCALE, 2.0), (SMALLEST_SCALE, 0.5))  # (scale, ratio)


@dataclass(frozen=True, kw_only=True, eq=False)
class Anchors:
    """Holds corners (anchors, 4): left, top, right, bottom in pixels; `sizes` (anchors, 2): width and height.

    They are in the order of the maps, of their rows and columns, and of the anchors of one position.
    """

    corners: Tensor
    sizes: Tensor


def per_position(index: int) -> int:
    """Returns how many anchors a position of the map `index` has."""
    return len(FIRST_MAP) if index == 0 else len(RATIOS) + 1


def anchors_of(maps: list[tuple[int, int]], size_px: tuple[int, int]) -> Anchors:
    """Returns the anchors of maps of these heights and widths, for images of the height and width `size_px`.

    An anchor's size is a share of the image's shorter side, as in TensorFlow's API.
    """
    parts = [
        _of_map(sides, torch.tensor(shapes) * min(size_px), size_px)
        for sides, shapes in zip(maps, _shapes(len(maps)), strict=True)
    ]
    corners = torch.cat(parts)
    return Anchors(corners=corners, sizes=corners[:, 2:] - corners[:, :2])


def _shapes(maps: int) -> list[list[tuple[float, float]]]:
    """Returns widths and heights for every map, as shares of the image's shorter side."""
    steps = max(maps - 1, 1)
    scales = [SMALLEST_SCALE + (LARGEST_SCALE - SMALLEST_SCALE) * index / steps for index in range(maps)] + [1.0]
    shapes = []
    for index, (scale, following) in enumerate(pairwise(scales)):
        pairs = [(scale, ratio) for ratio in RATIOS] + [((scale * following) ** 0.5, 1.0)]
        shapes.append([(each * ratio**0.5, each / ratio**0.5) for each, ratio in (pairs if index else FIRST_MAP)])
    return shapes


def _of_map(sides: tuple[int, int], shapes_px: Tensor, size_px: tuple[int, int]) -> Tensor:
    down, right = ((torch.arange(side) + 0.5) * px / side for side, px in zip(sides, size_px, strict=True))
    rows, columns = torch.meshgrid(down, right, indexing="ij")
    middle = torch.stack([columns, rows], dim=-1).reshape(-1, 1, 2)
    return torch.cat([middle - shapes_px / 2, middle + shapes_px / 2], dim=-1).reshape(-1, 4)
