"""Reads annotated pictures in batches: those of a training step, and all of them for evaluation."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mobile_sdk.contract import ImageSpec
from qat.data.annotated_set import AnnotatedSet, Annotation
from qat.data.picture_set import normalised
from qat.distributed.processes import current_processes
from qat.layers.memory_format import device_of
from qat.progress import ahead
from qat.training.batches import epoch_generator, shuffled_batches
from qat.training.plan import TrainPlan

EVALUATION_BATCH = 100


class Augmenter(Protocol[Annotation]):
    """Augments a picture and its annotation for training."""

    def augmented(
        self, source: NDArray[np.uint8], truth: Annotation, spec: ImageSpec, random: np.random.Generator
    ) -> tuple[NDArray[np.uint8], Annotation]:
        """Returns the input's bytes for a picture (height, width, 3), and their annotation."""
        ...


def own_batches(
    pictures: AnnotatedSet[Annotation],
    spec: ImageSpec,
    plan: TrainPlan,
    augmenter: Augmenter[Annotation] | None,
    epoch: int,
    device: torch.device,
) -> tuple[int, Iterator[tuple[Tensor, list[Annotation]]]]:
    """Returns the number of batches of the 0-based `epoch`, and this process's part of each: input and annotations.

    Annotations are in pixels of the net's input. How a picture is augmented depends only on the plan's seed, the epoch
    and the picture's place in the set.
    """
    wholes = shuffled_batches(len(pictures), plan, epoch_generator(plan, epoch))
    part = current_processes().part_of(len(wholes[0]))
    groups = [whole[part] for whole in wholes]
    if augmenter is None:
        truths = pictures.known_in(spec)
        plain = _read(pictures.bytes(spec), spec, groups, device)
        return len(wholes), ((rgb, [truths[index] for index in indices]) for rgb, indices in plain)
    drawn = ahead(_augmented(pictures.for_crops(spec), spec, augmenter, (plan.seed, epoch), groups))
    return len(wholes), ((_floats(rows, spec, device), truths) for rows, truths in drawn)


def _augmented(
    pictures: AnnotatedSet[Annotation],
    spec: ImageSpec,
    augmenter: Augmenter[Annotation],
    seeds: tuple[int, int],
    groups: list[NDArray[np.int64]],
) -> Iterator[tuple[NDArray[np.uint8], list[Annotation]]]:
    """Yields bytes (part, height, width, channels) of each group, and their annotations."""

    def draw(index: int) -> tuple[NDArray[np.uint8], Annotation]:
        random = np.random.default_rng((*seeds, index))
        return augmenter.augmented(pictures.sources[index], pictures.truths[index], spec, random)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for group in groups:
            rows, truths = zip(*pool.map(draw, group.tolist()), strict=True)
            yield np.stack(rows), list(truths)


@torch.no_grad()
def outputs_of(net: nn.Module, pictures: AnnotatedSet[Annotation], spec: ImageSpec) -> Iterator[Tensor]:
    """Yields the outputs of `net` for the pictures, in batches, on the CPU."""
    groups = torch.split(torch.arange(len(pictures)), EVALUATION_BATCH)
    device = device_of(net)
    for rgb, _ in _read(pictures.bytes(spec), spec, [group.numpy() for group in groups], device):
        yield net(rgb).cpu()


def _read(
    rows: NDArray[np.uint8], spec: ImageSpec, groups: list[NDArray[np.int64]], device: torch.device
) -> Iterator[tuple[Tensor, list[int]]]:
    for group in groups:
        yield _floats(rows[group], spec, device), group.tolist()


def _floats(rows: NDArray[np.uint8], spec: ImageSpec, device: torch.device) -> Tensor:
    return normalised(torch.from_numpy(rows).permute(0, 3, 1, 2).to(device), spec)
