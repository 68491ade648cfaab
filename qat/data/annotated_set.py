"""Holds pictures that carry more than a label, as a sequence and as bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.contract import ImageSpec
from mobile_sdk.preprocess import Sample, stretched
from qat.data.content_hash import hash_all, hash_array
from qat.data.picture_set import PictureSet
from qat.progress import map_in_threads

SHARP = 2
"""A picture is kept for crops at up to this many times the net's size: a crop of half its sides is then sharp."""

Annotation = TypeVar("Annotation")
Sides = tuple[int, int]
"""These are width and height in pixels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AnnotatedSet(Sequence[tuple[Sample, int]], Generic[Annotation]):
    """Holds pictures (height, width, 3) and an annotation of each; as a sequence, it yields pictures without a label.

    `has_sides` says that a mirrored picture would show something else, as digits and letters would.
    """

    sources: tuple[NDArray[np.uint8], ...]
    truths: tuple[Annotation, ...]
    has_sides: bool = False
    _pictures: list[PictureSet] = field(default_factory=list, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.sources)

    def __repr__(self) -> str:
        """Returns the number of pictures, in one line."""
        return f"{type(self).__name__}({len(self):,} pictures)"

    @overload
    def __getitem__(self, index: int) -> tuple[Sample, int]: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> tuple[Sample, int] | Self:
        if isinstance(index, slice):
            return replace(self, sources=self.sources[index], truths=self.truths[index])
        return self.pictures[index]

    def __iter__(self) -> Iterator[tuple[Sample, int]]:
        return iter(self.pictures)

    @property
    def pictures(self) -> PictureSet:
        """Returns the pictures alone, for calibration and for bytes."""
        if not self._pictures:
            self._pictures.append(PictureSet(sources=self.sources, targets=(-1,) * len(self.sources)))
        return self._pictures[0]

    def bytes(self, spec: ImageSpec) -> NDArray[np.uint8]:
        """Returns all pictures as bytes (count, height, width, channels)."""
        return self.pictures.bytes(spec)

    def fingerprint(self) -> str:
        """Returns a hash of the pictures and their annotations."""
        return hash_all((self.pictures_hash().encode(), self.truths_hash().encode()))

    def pictures_hash(self) -> str:
        """Returns a hash of the pictures' bytes."""
        return self.pictures.pictures_hash()

    def truths_hash(self) -> str:
        """Returns a hash of the annotations."""
        return hash_all(hash_all(map(hash_array, self.arrays(truth))).encode() for truth in self.truths)

    def known_in(self, spec: ImageSpec) -> Sequence[Annotation]:
        """Returns each annotation in pixels of the net's picture, which is stretched, so that nothing is cut off."""
        assert spec.fit == "stretch", "a crop would cut annotations"
        net = (spec.width_px, spec.height_px)
        pairs = zip(self.sources, self.truths, strict=True)
        return tuple(self.stretched(truth, _sides(source), net) for source, truth in pairs)

    def for_crops(self, spec: ImageSpec) -> Self:
        """Returns the set with large pictures made smaller: crops need no more, and phones' would slow every epoch."""
        most_px = (SHARP * spec.width_px, SHARP * spec.height_px)
        if all(_factor(most_px, _sides(source)) >= 1 for source in self.sources):
            return self
        pairs = list(zip(self.sources, self.truths, strict=True))
        smaller = map_in_threads(lambda pair: self._at_most(most_px, *pair), pairs, what="making pictures smaller")
        sources, truths = zip(*smaller, strict=True)
        return replace(self, sources=sources, truths=truths)

    def _at_most(
        self, most_px: Sides, source: NDArray[np.uint8], truth: Annotation
    ) -> tuple[NDArray[np.uint8], Annotation]:
        """Returns a picture of which one side is no longer than that of `most_px`, and its annotation."""
        sides = _sides(source)
        factor = _factor(most_px, sides)
        if factor >= 1:
            return source, truth
        onto = (round(sides[0] * factor), round(sides[1] * factor))
        return np.asarray(stretched(Image.fromarray(source), *onto)), self.stretched(truth, sides, onto)

    def stretched(self, truth: Annotation, sides: Sides, onto: Sides) -> Annotation:
        """Returns the annotation of a picture of those `sides` after it is stretched to the sides `onto`."""
        raise NotImplementedError

    def arrays(self, truth: Annotation) -> tuple[NDArray[Any], ...]:
        """Returns all numbers of an annotation."""
        raise NotImplementedError


def _factor(most_px: Sides, sides: Sides) -> float:
    """Returns the factor by which a picture still covers the sides `most_px`."""
    return max(most_px[0] / sides[0], most_px[1] / sides[1])


def _sides(source: NDArray[np.uint8]) -> Sides:
    return source.shape[1], source.shape[0]
