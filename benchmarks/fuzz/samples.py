"""Writes all samples, in a process that ends: what writing them starts does not come into the workers."""

import multiprocessing
import sys
from collections.abc import Collection
from pathlib import Path

import torch

from benchmarks.fuzz import labelled_samples, model_samples
from mobile_sdk.errors import MachineError

ALL = (*labelled_samples.SETS, *model_samples.SAMPLES)


def write_samples(folder: Path, names: Collection[str] = ALL) -> None:
    """Writes the samples of these names below the folder."""
    process = multiprocessing.get_context("spawn").Process(target=_write, args=(folder, list(names)))
    process.start()
    process.join()
    if process.exitcode:
        raise MachineError("expected to write samples, found that it failed", hint="see what is printed above")


def _write(folder: Path, names: Collection[str]) -> None:
    torch.set_num_threads(1)
    writers = {**labelled_samples.SETS, **model_samples.SAMPLES}
    for name in names:
        print(f"writing samples: {name}", file=sys.stderr, flush=True)
        writers[name](folder / name)
