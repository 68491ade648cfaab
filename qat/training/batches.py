"""Yields one epoch's batches: shuffled, augmented and normalised, and equal whenever the epoch is run again."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mobile_sdk.contract import ImageSpec, NetInput
from qat.data.augmentation.classification import Augmentation
from qat.data.picture_set import PictureSet, as_nets_read, normalised
from qat.data.pictures import Pictures
from qat.data.shards.sharded_set import ShardedSet
from qat.distributed.processes import current_processes
from qat.progress import ahead
from qat.training.plan import TrainPlan

EVALUATION_BATCH = 200  # large enough for full speed on a CPU, 120 MB of pictures at 224 px


def steps_per_epoch(pictures: PictureSet, plan: TrainPlan) -> int:
    """Returns the number of whole batches, as batch norm cannot learn from one leftover picture; at least 1."""
    return max(1, len(pictures) // plan.batch)


def decode_ahead(pictures: Pictures, spec: NetInput, plan: TrainPlan) -> None:
    """Decodes pictures that fit into memory now, so that no epoch's time or progress bar includes the decoding."""
    for part, part_spec in ((pictures.train, _source(spec, plan)), (pictures.validation, spec)):
        if part.fits(part_spec):
            part.bytes(part_spec)


def training_batches(
    pictures: PictureSet, spec: NetInput, plan: TrainPlan, epoch: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields the 0-based `epoch`'s floats (batch, *spec.shape), maps channels last, and labels (batch,) int64.

    Order and augmentation come from a generator that `plan.seed` and `epoch` seed, so that a resumed run sees equal
    batches. Each of several processes gets its part of the batches that one would have.
    """
    random = epoch_generator(plan, epoch)
    whole = min(len(pictures), plan.batch)
    part = current_processes().part_of(whole)
    targets, augmentation = torch.tensor(pictures.targets), _augmentation(spec, plan)
    for group, rows in _own_parts(pictures, _source(spec, plan), plan, epoch, random):
        rgb = rows.to(device, non_blocking=True)
        if augmentation is not None and isinstance(spec, ImageSpec):
            rgb = augmentation.draw(whole, random)[part].apply(rgb, spec.size_px)
        yield normalised(rgb, spec), targets[group].to(device, non_blocking=True)


def evaluation_batches(pictures: PictureSet, spec: NetInput, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields all pictures in their order, exactly as a phone would read them."""
    groups = np.array_split(np.arange(len(pictures)), max(1, -(-len(pictures) // EVALUATION_BATCH)))
    targets = torch.tensor(pictures.targets)
    for group, rows in zip(groups, _rows(pictures, spec, groups), strict=True):
        yield normalised(rows.to(device), spec), targets[group].to(device)


def shuffled_batches(pictures: int, plan: TrainPlan, random: torch.Generator) -> list[NDArray[np.int64]]:
    """Returns the indices of each batch of an epoch: whole batches, or one of all pictures.

    Raises SettingError if several processes cannot divide them.
    """
    current_processes().check(pictures, plan.batch)
    order = torch.randperm(pictures, generator=random).numpy()
    return [order[step * plan.batch :][: plan.batch] for step in range(max(1, pictures // plan.batch))]


def epoch_generator(plan: TrainPlan, epoch: int) -> torch.Generator:
    """Returns a generator for the 0-based `epoch` alone."""
    return torch.Generator().manual_seed(epoch_seed(plan.seed, epoch))


def epoch_seed(seed: int, epoch: int) -> int:
    """Returns a seed for each epoch of each run, far enough apart that no two runs share one."""
    return seed * 1_000_003 + epoch


def _source(spec: NetInput, plan: TrainPlan) -> NetInput:
    augmentation = _augmentation(spec, plan)
    return augmentation.source(spec) if augmentation and isinstance(spec, ImageSpec) else spec


def _augmentation(spec: NetInput, plan: TrainPlan) -> Augmentation | None:
    """Returns how pictures are augmented; arrays are learned as they are."""
    if not isinstance(spec, ImageSpec):
        return None
    found = plan.augmenting(Augmentation).augmentation
    assert isinstance(found, Augmentation | None)
    return found


def _own_parts(
    pictures: PictureSet, spec: NetInput, plan: TrainPlan, epoch: int, random: torch.Generator
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Yields this process's part of every batch: the pictures' indices, and bytes (part, *spec.shape)."""
    if isinstance(pictures, ShardedSet):
        stream = pictures.stream(spec, plan.batch, epoch_seed(plan.seed, epoch))
        yield from ((group, as_nets_read(rows)) for group, rows in ahead(stream))
        return
    wholes = shuffled_batches(len(pictures), plan, random)
    part = current_processes().part_of(len(wholes[0]))
    groups = [whole[part] for whole in wholes]
    yield from zip(groups, _rows(pictures, spec, groups), strict=True)


def _rows(pictures: PictureSet, spec: NetInput, groups: list[NDArray[np.int64]]) -> Iterator[Tensor]:
    """Yields bytes (batch, *spec.shape) of each group; decoding runs ahead while the net trains."""
    if pictures.fits(spec):
        held = pictures.bytes(spec)
        yield from (as_nets_read(held[group]) for group in groups)
        return
    for rows in ahead(pictures.some_bytes(spec, group) for group in groups):
        yield as_nets_read(rows)
