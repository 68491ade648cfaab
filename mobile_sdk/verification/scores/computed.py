"""Computes a bundle's scores in its runtime, beside those of its program, and of the float32 twin where it is judge."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.bundle.golden.samples import as_saved, golden_positions
from mobile_sdk.contract import NetInput
from mobile_sdk.devices.base import Run
from mobile_sdk.devices.model_process import ModelSession
from mobile_sdk.errors import DataError
from mobile_sdk.preprocess import LabelledPictures, to_bytes
from mobile_sdk.program.expected_scores import expected_outputs
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.reader import Taken
from mobile_sdk.system.progress import Report
from mobile_sdk.tasks.registry import task_of

BATCH = 128  # pictures held in memory at a time: 19 MB at 224 px
Scores = NDArray[np.generic]


@dataclass(frozen=True, kw_only=True, eq=False)
class Computed:
    """Holds scores of all pictures, a row each: `found` by the runtime in its own dtype, `expected` by the program.

    `float_scores` are the float32 twin's; None where they are not needed or no twin was given. `others` are what the
    runtime gives in other arithmetics, where it can only be emulated here. `taken` says what an accelerator takes.
    `versions` are the packages that computed. `truths` are the pictures' truths from the task's `truths_of`.
    `golden_labels` are the labels of those golden pictures that are among the pictures.
    """

    found: Scores
    expected: Scores
    golden_found: Scores
    golden_labels: tuple[int | None, ...]
    truths: Any
    float_scores: Scores | None = None
    taken: Taken | None = None
    others: tuple[Scores, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def compute(
    bundle: Bundle,
    program: Program,
    pictures: LabelledPictures,
    runs: Sequence[Run],
    report: Report,
    twin: Program | None = None,
) -> Computed:
    """Runs every picture once through the runtime, and beside it through the reference unless its scores are cached.

    `runs` are the runtime's arithmetics, of which the first one counts alone but for the distance from float.
    """
    graph = bundle.runtime.computed(program.graph)
    run, *other_runs = runs
    goldens = bundle.golden_pictures()
    golden_found = run(goldens)
    found, expected, float_scores = [], [], []
    others: list[list[Scores]] = [[] for _ in other_runs]
    labels: list[int] = []
    with ThreadPoolExecutor(1) as beside:
        for start in range(0, len(pictures), BATCH):
            report(start / len(pictures), f"verifying {bundle.path.name}")
            batch = [pictures[index] for index in range(start, min(start + BATCH, len(pictures)))]
            pixels = np.stack([to_bytes(picture, program.contract.input) for picture, _ in batch])
            reference = beside.submit(expected_outputs, graph, pixels)
            found.append(run(pixels))
            for each, other_run in zip(others, other_runs, strict=True):
                each.append(other_run(pixels))
            expected.append(reference.result())
            if twin is not None:
                float_scores.append(expected_outputs(bundle.runtime.computed(twin.graph), pixels))
            labels.extend(int(label_index) for _, label_index in batch)
    if not found:
        raise DataError("expected pictures to verify with, found none", hint="name a folder that holds some")
    return Computed(
        found=_rows(np.concatenate(found)),
        expected=_rows(np.concatenate(expected)),
        golden_found=_rows(golden_found),
        golden_labels=_golden_labels(goldens, program.contract.input, pictures, labels),
        truths=task_of(program.contract).truths_of(pictures, np.array(labels, np.int64), program.contract),
        taken=run.taken if isinstance(run, ModelSession) else None,
        float_scores=_rows(np.concatenate(float_scores)) if float_scores else None,
        others=tuple(_rows(np.concatenate(each)) for each in others),
    )


def _golden_labels(
    goldens: NDArray[np.uint8], spec: NetInput, pictures: LabelledPictures, labels: Sequence[int]
) -> tuple[int | None, ...]:
    """Returns the labels of the golden pictures that are those that `choose_goldens` takes of `pictures`, else None."""
    found: list[int | None] = [None] * len(goldens)
    for index, position in enumerate(golden_positions(len(labels), labels.__getitem__)[: len(goldens)]):
        chosen = to_bytes(as_saved(pictures[position][0], spec), spec)
        if labels[position] >= 0 and np.array_equal(chosen, goldens[index]):
            found[index] = labels[position]
    return tuple(found)


def _rows(outputs: Scores) -> Scores:
    """Returns a row a picture; a record is one element."""
    return outputs.reshape(len(outputs), -1)
