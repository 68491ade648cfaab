"""Reads what a picture set holds: files, pictures and arrays in memory, members of shards, and parts of these."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mobile_sdk.contract import ImageSpec, NetInput
from mobile_sdk.preprocess import Sample, open_picture
from mobile_sdk.preprocess.array_files import ARRAY_SUFFIX, read_array
from qat.data.content_hash import Stamp, array_stamp, hash_all, hash_array, hash_file, stamp


class Stored(Protocol):
    """Represents a picture that is stored inside a file with others."""

    def open(self, spec: ImageSpec | None = None) -> Image.Image:
        """Returns the picture, decoded whole, as `open_picture` does."""
        ...

    def identity(self) -> bytes:
        """Returns a hash of its bytes, which have been checked."""
        ...


Whole = Path | NDArray[Any] | Stored
"""Holds a picture file, its bytes (height, width, channels) themselves, or a picture that is stored with others.

An array of another type than bytes is what a net reads that takes arrays, and a file `.npy` holds such an array.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Crop:
    """Represents a part of an upright picture, cut out at the picture's own resolution, and perhaps mirrored.

    `side_share` is the part's side over the largest that fits, 0 to 1; `right_share` and `down_share` place it, 0 at
    the left and the top, 1 at the right and the bottom. `proportions` are the part's width and height; None for those
    of the picture.
    """

    of: Whole
    side_share: float
    right_share: float
    down_share: float
    is_mirrored: bool
    proportions: tuple[int, int] | None = None

    def box(self, width_px: int, height_px: int) -> tuple[int, int, int, int]:
        """Returns left, top, right, bottom in whole pixels, right and bottom excluded; a side is a pixel or more."""
        wide, high = self.proportions or (width_px, height_px)
        most = min(width_px / wide, height_px / high)
        width, height = (max(1, round(side * most * self.side_share)) for side in (wide, high))
        left, top = round((width_px - width) * self.right_share), round((height_px - height) * self.down_share)
        return left, top, left + width, top + height

    def cut(self, whole: Image.Image) -> Image.Image:
        """Returns the part of the picture, which is upright."""
        part = whole.crop(self.box(whole.width, whole.height))
        return ImageOps.mirror(part) if self.is_mirrored else part


Source = Whole | Crop


def sample_of(source: Source, spec: NetInput | None = None) -> Sample:
    """Returns the picture, decoded, or the array; DataError names a file that holds none."""
    image = spec if isinstance(spec, ImageSpec) else None
    if isinstance(source, Crop):
        return part_of(sample_of(source.of, spec), source)
    if isinstance(source, Path):
        return read_array(source) if source.suffix == ARRAY_SUFFIX else open_picture(source, image)
    if isinstance(source, np.ndarray):
        return Image.fromarray(source) if source.dtype == np.uint8 else source
    return source.open(image)


def part_of(whole: Sample, source: Source) -> Sample:
    """Returns what `source` takes of its decoded picture: a crop's part, else all of it."""
    return source.cut(whole) if isinstance(source, Crop) and isinstance(whole, Image.Image) else whole


def whole_of(source: Source) -> Whole:
    """Returns the picture that a crop is cut from; any other source is its own."""
    return source.of if isinstance(source, Crop) else source


def is_array(source: Source) -> bool:
    """Tells whether the source is an array of numbers, from which nothing can be cut."""
    if isinstance(source, np.ndarray):
        return source.dtype != np.uint8
    return isinstance(source, Path) and source.suffix == ARRAY_SUFFIX


def by_whole(sources: Sequence[Source]) -> list[list[int]]:
    """Returns the indices of sources of the same picture together, in the order of their first ones."""
    groups: dict[int, list[int]] = {}
    for index, source in enumerate(sources):
        groups.setdefault(id(whole_of(source)), []).append(index)
    return list(groups.values())


def stamp_of(source: Source) -> Stamp:
    """Returns the stamp of a file or an array, empty for a member of a shard."""
    whole = whole_of(source)
    if isinstance(whole, Path):
        return stamp(whole)
    return array_stamp(whole) if isinstance(whole, np.ndarray) else ()


def content_of(source: Source) -> bytes:
    """Returns a hash of the picture's bytes, and of which part it is."""
    if isinstance(source, Crop):
        shares = (source.side_share, source.right_share, source.down_share)
        part = f"{shares} {source.is_mirrored} {source.proportions}"
        return bytes.fromhex(hash_all((content_of(source.of), part.encode())))
    if isinstance(source, Path):
        return hash_file(source)
    return hash_array(source) if isinstance(source, np.ndarray) else source.identity()
