"""Pictures of which more than a label is known, as a sequence, as bytes, and as batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from mobile_sdk.contract import ImageSpec
from qat.batches import epoch_generator, shuffled_batches
from qat.content_hash import hash_all, hash_array
from qat.layout import device_of
from qat.picture_set import PictureSet, normalised
from qat.plan import TrainPlan
from qat.processes import current_processes

EVALUATION_BATCH = 100
Annotation = TypeVar("Annotation")


@dataclass(frozen=True, kw_only=True, eq=False)
class AnnotatedSet(Sequence[tuple[Image.Image, int]], Generic[Annotation]):
    """Pictures (height, width, 3) and what is known of each; as a sequence, pictures without a label."""

    sources: tuple[NDArray[np.uint8], ...]
    truths: tuple[Annotation, ...]
    _pictures: list[PictureSet] = field(default_factory=list, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.sources)

    def __repr__(self) -> str:
        """How many pictures it has, in one line."""
        return f"{type(self).__name__}({len(self):,} pictures)"

    @overload
    def __getitem__(self, index: int) -> tuple[Image.Image, int]: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> tuple[Image.Image, int] | Self:
        if isinstance(index, slice):
            return type(self)(sources=self.sources[index], truths=self.truths[index])
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

    def fingerprint(self) -> str:
        """A hash of the pictures and what is known of them."""
        return hash_all((self.pictures_hash().encode(), self.truths_hash().encode()))

    def pictures_hash(self) -> str:
        """A hash of the pictures' bytes."""
        return self.pictures.pictures_hash()

    def truths_hash(self) -> str:
        """A hash of what is known of each picture."""
        return hash_all(hash_all(map(hash_array, self.arrays(truth))).encode() for truth in self.truths)

    def arrays(self, truth: Annotation) -> tuple[NDArray[Any], ...]:
        """All numbers of what is known of a picture."""
        raise NotImplementedError


def own_batches(
    pictures: AnnotatedSet[Annotation], spec: ImageSpec, plan: TrainPlan, epoch: int, device: torch.device
) -> tuple[int, Iterator[tuple[Tensor, list[int]]]]:
    """How many batches the 0-based `epoch` has, and of each this process's part: what a net reads, and its indices."""
    wholes = shuffled_batches(len(pictures), plan, epoch_generator(plan, epoch))
    part = current_processes().part_of(len(wholes[0]))
    return len(wholes), _read(pictures.bytes(spec), spec, [whole[part] for whole in wholes], device)


@torch.no_grad()
def outputs_of(net: nn.Module, pictures: AnnotatedSet[Annotation], spec: ImageSpec) -> Iterator[Tensor]:
    """What `net` gives the pictures, in batches, on the processor."""
    groups = torch.split(torch.arange(len(pictures)), EVALUATION_BATCH)
    device = device_of(net)
    for rgb, _ in _read(pictures.bytes(spec), spec, [group.numpy() for group in groups], device):
        yield net(rgb).cpu()


def _read(
    rows: NDArray[np.uint8], spec: ImageSpec, groups: list[NDArray[np.int64]], device: torch.device
) -> Iterator[tuple[Tensor, list[int]]]:
    for group in groups:
        rgb = torch.from_numpy(rows[group]).permute(0, 3, 1, 2).to(device)
        yield normalised(rgb, spec), group.tolist()
