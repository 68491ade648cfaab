"""Holds labelled pictures or arrays as a sequence, and as bytes: decoded in parallel, kept in memory if they fit."""

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass, field
from math import prod
from typing import Any, Generic, TypeVar, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mobile_sdk.contract import NetInput, TensorSpec, stored_shape
from mobile_sdk.preprocess import Sample, to_bytes
from qat.data.content_hash import Stamp, hash_all, hash_array
from qat.data.sources import Source, by_whole, content_of, part_of, sample_of, stamp_of, whole_of
from qat.progress import map_in_threads

Recipe = tuple[Any, ...]
Stamps = tuple[Stamp, ...]
_Decoded = tuple[Stamps, NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureSet(Sequence[tuple[Sample, int]]):
    """Holds pictures, or arrays, with the index of each one's label, in an order that is shuffled once.

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
    def __getitem__(self, index: int) -> tuple[Sample, int]: ...
    @overload
    def __getitem__(self, index: slice) -> "PictureSet": ...
    def __getitem__(self, index: int | slice) -> "tuple[Sample, int] | PictureSet":
        if isinstance(index, slice):
            return PictureSet(sources=self.sources[index], targets=self.targets[index], cache_mib=self.cache_mib)
        return sample_of(self.sources[index]), self.targets[index]

    def __iter__(self) -> Iterator[tuple[Sample, int]]:
        return (self[index] for index in range(len(self)))

    def bytes(self, spec: NetInput) -> NDArray[np.uint8]:
        """Returns all pictures as bytes (count, height, width, channels), read-only; kept within `cache_mib`.

        Arrays are the bytes of their codes, maps with their channels last.
        """
        recipe, stamps = _recipe(spec), self._stamps() if self.fits(spec) else ()
        if recipe in self._cache and self._cache[recipe][0] == stamps:
            return self._cache[recipe][1]
        rows = _decode(self.sources, spec, what="decoding pictures")
        rows.setflags(write=False)
        if self.fits(spec):
            self._cache[recipe] = stamps, rows
        return rows

    def some_bytes(self, spec: NetInput, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Returns the bytes of the pictures at `indices`, decoding only those if the set does not fit into memory."""
        if self.fits(spec):
            return self.bytes(spec)[indices]
        return _decode([self.sources[index] for index in indices], spec, what=None)

    def fits(self, spec: NetInput) -> bool:
        """Returns whether the bytes of the whole set are, or may be, kept in memory."""
        held = sum(rows.nbytes for recipe, (_, rows) in self._cache.items() if recipe != _recipe(spec))
        return held + len(self) * prod(spec.shape) <= self.cache_mib * 2**20

    def tensors(self, spec: NetInput) -> Tensor:
        """Returns the input of a float net: `(count, *spec.shape)` float32; of pictures `(byte - mean) / std`."""
        return normalised(as_nets_read(self.bytes(spec).copy()), spec)

    def fingerprint(self) -> str:
        """Returns a hash of the pictures' bytes and their labels."""
        return hash_all((self.pictures_hash().encode(), self.truths_hash().encode()))

    def pictures_hash(self) -> str:
        """Returns a hash of the bytes of the files, or of the pictures in memory; reads all of them.

        If the hash has changed, decoded pictures are discarded.
        """
        found = hash_all(map_in_threads(content_of, self.sources, what="hashing pictures"))
        if self._hashes and self._hashes[0] != found:
            self._cache.clear()
        self._hashes[:] = [found]
        return found

    def truths_hash(self) -> str:
        """Returns a hash of the labels' indices."""
        return hash_all((hash_array(np.array(self.targets, np.int64)),))

    def _stamps(self) -> Stamps:
        return tuple(stamp_of(self.sources[group[0]]) for group in by_whole(self.sources))


Part = TypeVar("Part", bound=Sized)


@dataclass(frozen=True, kw_only=True)
class InTwoParts(Generic[Part]):
    """Holds pictures and their labels, divided for training and validation.

    `kept_away` is False if there were too few to divide, and both parts are the same pictures.
    """

    train: Part
    validation: Part
    labels: tuple[str, ...]
    kept_away: bool = True

    def __repr__(self) -> str:
        """Returns the number of pictures in each part, in one line."""
        learned, labels = len(self.train), len(self.labels)
        held_out = len(self.validation) if self.kept_away else 0
        return f"{type(self).__name__}({learned:,} to learn from, {held_out:,} held out, {labels} labels)"


def normalised(stored: Tensor, spec: NetInput) -> Tensor:
    """Returns `(byte - mean_byte) / std_byte` of bytes `(count, *spec.shape)`, as float32; an array's numbers likewise.

    The bytes may have any dtype.
    """
    values = stored.to(torch.float32)
    if isinstance(spec, TensorSpec):
        return ((values - spec.pad_byte) * spec.scale).contiguous()
    mean, std = (
        torch.tensor(value, device=values.device).view(1, -1, 1, 1) for value in (spec.mean_byte, spec.std_byte)
    )
    return ((values - mean) / std).contiguous()


def as_nets_read(rows: NDArray[np.uint8]) -> Tensor:
    """Returns bytes (count, height, width, channels) as (count, channels, height, width); others as they are."""
    stored = torch.from_numpy(rows)
    return stored.permute(0, 3, 1, 2) if stored.ndim == 4 else stored


def _decode(sources: Sequence[Source], spec: NetInput, *, what: str | None) -> NDArray[np.uint8]:
    rows = np.empty((len(sources), *stored_shape(spec.shape)), np.uint8)

    def fill(group: Sequence[int]) -> None:
        whole = sample_of(whole_of(sources[group[0]]), spec)
        for row in group:
            rows[row] = to_bytes(part_of(whole, sources[row]), spec)

    map_in_threads(fill, by_whole(sources), what=what)
    return rows


def _recipe(spec: NetInput) -> Recipe:
    if isinstance(spec, TensorSpec):
        return spec.shape, spec.scale, spec.zero_point
    return spec.shape, spec.fit, spec.crop_share
