"""Pictures with boxes as a sequence, and as bytes."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.contract import ImageSpec
from mobile_sdk.detections import Truth
from qat.picture_set import PictureSet


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionSet(Sequence[tuple[Image.Image, int]]):
    """Pictures (height, width, 3) and what is in each, in its own pixels; as a sequence, pictures without a label."""

    sources: tuple[NDArray[np.uint8], ...]
    truths: tuple[Truth, ...]
    _pictures: list[PictureSet] = field(default_factory=list, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.sources)

    @overload
    def __getitem__(self, index: int) -> tuple[Image.Image, int]: ...
    @overload
    def __getitem__(self, index: slice) -> "DetectionSet": ...
    def __getitem__(self, index: int | slice) -> "tuple[Image.Image, int] | DetectionSet":
        if isinstance(index, slice):
            return DetectionSet(sources=self.sources[index], truths=self.truths[index])
        return self.pictures[index]

    def __iter__(self) -> Iterator[tuple[Image.Image, int]]:
        return iter(self.pictures)

    @property
    def pictures(self) -> PictureSet:
        """The pictures alone, for calibration and for bytes."""
        if not self._pictures:
            self._pictures.append(PictureSet(sources=self.sources, targets=(-1,) * len(self.sources)))
        return self._pictures[0]

    def bytes(self, spec: ImageSpec) -> NDArray[np.uint8]:
        """All pictures as RGB bytes (count, size_px, size_px, 3)."""
        return self.pictures.bytes(spec)

    def truths_in(self, spec: ImageSpec) -> tuple[Truth, ...]:
        """What is in the pictures, in pixels of the net's; they are stretched, so that nothing is cut off."""
        assert spec.fit == "stretch", "a crop would cut boxes"
        sizes = [source.shape[:2] for source in self.sources]
        return tuple(
            truth.scaled(spec.size_px / width, spec.size_px / height)
            for truth, (height, width) in zip(self.truths, sizes, strict=True)
        )

    def fingerprint(self) -> str:
        """A hash of pictures and boxes."""
        digest = hashlib.sha256(self.pictures.fingerprint().encode())
        for truth in self.truths:
            digest.update(truth.boxes.tobytes() + truth.labels.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class DetectionPictures:
    """Pictures with boxes, parted for training and validation."""

    train: DetectionSet
    validation: DetectionSet
    labels: tuple[str, ...]
