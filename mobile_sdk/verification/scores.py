"""Computes a bundle's scores in its runtime, beside the scores that the program requires."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.golden import golden_positions, portable
from mobile_sdk.contract import ImageSpec, NetInput
from mobile_sdk.devices.base import Run
from mobile_sdk.errors import DataError
from mobile_sdk.preprocess import LabelledPictures, to_bytes
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.program.program import Program
from mobile_sdk.system.progress import Report
from mobile_sdk.tasks.registry import task_of

BATCH = 128  # pictures held in memory at a time: 19 MB at 224 px
Scores = NDArray[np.generic]


@dataclass(frozen=True, kw_only=True, eq=False)
class Computed:
    """Holds scores of all pictures, a row each: `found` by the runtime in its own dtype, `expected` by the program.

    `truths` are the pictures' truths from the task's `truths_of`. `golden_labels` are the labels of those golden
    pictures that are among the pictures.
    """

    found: Scores
    expected: Scores
    golden_found: Scores
    golden_labels: tuple[int | None, ...]
    truths: Any


def compute(
    bundle: Bundle,
    program: Program,
    pictures: LabelledPictures,
    run: Run,
    report: Report,
) -> Computed:
    """Runs every picture once through the runtime, and beside it through the reference unless its scores are cached."""
    goldens = bundle.golden_pictures()
    golden_found = run(goldens)
    found, expected = [], []
    labels: list[int] = []
    with ThreadPoolExecutor(1) as beside:
        for start in range(0, len(pictures), BATCH):
            report(start / len(pictures), f"verifying {bundle.path.name}")
            batch = [pictures[index] for index in range(start, min(start + BATCH, len(pictures)))]
            pixels = np.stack([to_bytes(picture, program.contract.input) for picture, _ in batch])
            reference = beside.submit(expected_scores, program, pixels)
            found.append(run(pixels))
            expected.append(reference.result())
            labels.extend(int(label_index) for _, label_index in batch)
    if not found:
        raise DataError("expected pictures to verify with, found none", hint="name a folder that holds some")
    return Computed(
        found=_rows(np.concatenate(found)),
        expected=_rows(np.concatenate(expected)),
        golden_found=_rows(golden_found),
        golden_labels=_golden_labels(goldens, program.contract.input, pictures, labels),
        truths=task_of(program.contract).truths_of(pictures, np.array(labels, np.int64), program.contract),
    )


def _golden_labels(
    goldens: NDArray[np.uint8], spec: NetInput, pictures: LabelledPictures, labels: Sequence[int]
) -> tuple[int | None, ...]:
    """Returns the labels of the golden pictures that are those that `choose_goldens` takes of `pictures`, else None."""
    found: list[int | None] = [None] * len(goldens)
    for index, position in enumerate(golden_positions(len(labels), labels.__getitem__)[: len(goldens)]):
        sample = pictures[position][0]
        saved = portable(sample, spec) if isinstance(spec, ImageSpec) and isinstance(sample, Image.Image) else sample
        chosen = to_bytes(saved, spec)
        if labels[position] >= 0 and np.array_equal(chosen, goldens[index]):
            found[index] = labels[position]
    return tuple(found)


def _rows(outputs: Scores) -> Scores:
    """Returns a row a picture; a record is one element."""
    return outputs.reshape(len(outputs), -1)
