"""Holds labelled pictures as a sequence, and as bytes: decoded in parallel, kept in memory if they fit."""

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mobile_sdk.contract import ImageSpec
from mobile_sdk.preprocess import open_picture, to_bytes
from qat.data.content_hash import Stamp, array_stamp, hash_all, hash_array, hash_file, stamp
from qat.progress import map_in_threads


class Stored(Protocol):
    """Represents a picture that is stored inside a file with others."""

    def open(self) -> Image.Image:
        """Returns the picture, decoded whole."""
        ...

    def identity(self) -> bytes:
        """Returns a hash of its bytes, which have been checked."""
        ...


Source = Path | NDArray[np.uint8] | Stored
"""Holds a picture file, the RGB bytes (height, width, 3) themselves, or a picture that is stored with others."""

Recipe = tuple[int, str, float]
Stamps = tuple[Stamp, ...]
_Decoded = tuple[Stamps, NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureSet(Sequence[tuple[Image.Image, int]]):
    """Holds pictures with the index of each one's label, in an order that is shuffled once.

    So a slice, which is a PictureSet again, is a fair sample. Pictures without a label have -1. Decoded bytes stay in
    memory up to `cache_mib` a set, and as long as files and arrays do not change; beyond that they are decoded again
    each time.
    """

    sources: tuple[Source, ...]
    targets: tuple[int, ...]
    cache_mib: int = 1024  # 7,000 pictures of 224 px; two such sets leave room on a laptop of 8 GiB
    _cache: dict[Recipe, _Decoded] = field(default_factory=dict, init=False, repr=False)
    _hashes: list[str] = field(default_factory=list, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.sources)

    def __repr__(self) -> str:
        """Returns the number of pictures and labels, in one line."""
        labels = len({target for target in self.targets if target >= 0})
        return f"{type(self).__name__}({len(self):,} pictures, {f'{labels} labels' if labels else 'without labels'})"

    @overload
    def __getitem__(self, index: int) -> tuple[Image.Image, int]: ...
    @overload
    def __getitem__(self, index: slice) -> "PictureSet": ...
    def __getitem__(self, index: int | slice) -> "tuple[Image.Image, int] | PictureSet":
        if isinstance(index, slice):
            return PictureSet(sources=self.sources[index], targets=self.targets[index], cache_mib=self.cache_mib)
        return _picture(self.sources[index]), self.targets[index]

    def __iter__(self) -> Iterator[tuple[Image.Image, int]]:
        return (self[index] for index in range(len(self)))

    def bytes(self, spec: ImageSpec) -> NDArray[np.uint8]:
        """Returns all pictures as RGB bytes (count, size_px, size_px, 3), read-only; kept within `cache_mib`."""
        recipe, stamps = _recipe(spec), self._stamps() if self.fits(spec) else ()
        if recipe in self._cache and self._cache[recipe][0] == stamps:
            return self._cache[recipe][1]
        rows = _decode(self.sources, spec, what="decoding pictures")
        rows.setflags(write=False)
        if self.fits(spec):
            self._cache[recipe] = stamps, rows
        return rows

    def some_bytes(self, spec: ImageSpec, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Returns the bytes of the pictures at `indices`, decoding only those if the set does not fit into memory."""
        if self.fits(spec):
            return self.bytes(spec)[indices]
        return _decode([self.sources[index] for index in indices], spec, what=None)

    def fits(self, spec: ImageSpec) -> bool:
        """Returns whether the bytes of the whole set are, or may be, kept in memory."""
        held = sum(rows.nbytes for recipe, (_, rows) in self._cache.items() if recipe != _recipe(spec))
        return held + len(self) * spec.size_px**2 * 3 <= self.cache_mib * 2**20

    def tensors(self, spec: ImageSpec) -> Tensor:
        """Returns the input of a float net: (count, 3, size_px, size_px) float32, `(byte - mean) / std`."""
        return normalised(torch.from_numpy(self.bytes(spec).copy()).permute(0, 3, 1, 2), spec)

    def fingerprint(self) -> str:
        """Returns a hash of the pictures' bytes and their labels."""
        return hash_all((self.pictures_hash().encode(), self.truths_hash().encode()))

    def pictures_hash(self) -> str:
        """Returns a hash of the bytes of the files, or of the pictures in memory; reads all of them.

        If the hash has changed, decoded pictures are discarded.
        """
        found = hash_all(map_in_threads(_content, self.sources, what="hashing pictures"))
        if self._hashes and self._hashes[0] != found:
            self._cache.clear()
        self._hashes[:] = [found]
        return found

    def truths_hash(self) -> str:
        """Returns a hash of the labels' indices."""
        return hash_all((hash_array(np.array(self.targets, np.int64)),))

    def _stamps(self) -> Stamps:
        return tuple(_stamp(source) for source in self.sources if isinstance(source, Path | np.ndarray))


Part = TypeVar("Part", bound=Sized)


@dataclass(frozen=True, kw_only=True)
class InTwoParts(Generic[Part]):
    """Holds pictures and their labels, divided for training and validation."""

    train: Part
    validation: Part
    labels: tuple[str, ...]

    def __repr__(self) -> str:
        """Returns the number of pictures in each part, in one line."""
        learned, held_out, labels = len(self.train), len(self.validation), len(self.labels)
        return f"{type(self).__name__}({learned:,} to learn from, {held_out:,} held out, {labels} labels)"


def normalised(rgb: Tensor, spec: ImageSpec) -> Tensor:
    """Returns `(byte - mean_byte) / std_byte` of bytes (count, 3, height, width), as float32, channels last.

    The bytes may have any dtype.
    """
    mean, std = (torch.tensor(value, device=rgb.device).view(1, 3, 1, 1) for value in (spec.mean_byte, spec.std_byte))
    return ((rgb.to(torch.float32) - mean) / std).contiguous()


def _picture(source: Source) -> Image.Image:
    if isinstance(source, Path):
        return open_picture(source)
    return Image.fromarray(source) if isinstance(source, np.ndarray) else source.open()


def _stamp(source: Path | NDArray[np.uint8]) -> Stamp:
    return stamp(source) if isinstance(source, Path) else array_stamp(source)


def _content(source: Source) -> bytes:
    if isinstance(source, Path):
        return hash_file(source)
    return hash_array(source) if isinstance(source, np.ndarray) else source.identity()


def _decode(sources: Sequence[Source], spec: ImageSpec, *, what: str | None) -> NDArray[np.uint8]:
    rows = np.empty((len(sources), spec.size_px, spec.size_px, 3), np.uint8)

    def fill(row: int) -> None:
        rows[row] = to_bytes(_picture(sources[row]), spec)

    map_in_threads(fill, range(len(sources)), what=what)
    return rows


def _recipe(spec: ImageSpec) -> Recipe:
    return spec.size_px, spec.fit, spec.crop_share
