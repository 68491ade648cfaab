"""Measures what keeping layers in float32 changes: the distance from float, the files' sizes, the partitions."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk import runtimes
from mobile_sdk.comparison import compare
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.graph.checks.exactness import order_dependent_paths
from mobile_sdk.graph.score_steps import real_values
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.program.program import Program
from mobile_sdk.system.temporary_folder import scratch_folder
from qat.data.picture_set import PictureSet

SETTING = "keep_float"
PICTURES = 64  # enough for a tenth of a decibel


def with_change(mixed: Program, whole: Program, twin: Program, pictures: PictureSet) -> Program:
    """Returns `mixed`, its record naming the layers it keeps, and the change from `whole`, all in int8."""
    graph, pixels = mixed.graph, pictures[:PICTURES].bytes(mixed.contract.input)
    kept = dict.fromkeys(each.path for each in graph.operators if each.output.quantization is None)
    said = {
        "layers": list(kept),
        "order_dependent": order_dependent_paths(graph),
        "change": [_row("all int8", whole, twin, pixels), _row("kept in float", mixed, twin, pixels)],
    }
    settings = {**mixed.record.settings, SETTING: said}
    return replace(mixed, record=mixed.record.model_copy(update={"settings": settings}))


def _row(title: str, program: Program, twin: Program, pixels: NDArray[np.uint8]) -> dict[str, Any]:
    (found,) = real_values(expected_scores(program, pixels), program.graph)
    distance = compare(found, expected_scores(twin, pixels).astype(np.float64))
    row: dict[str, Any] = {"program": title, "SQNR dB": "equal"}
    if distance.sqnr_db is not None:
        row["SQNR dB"] = round(distance.sqnr_db, 2)
    for name in sorted(runtimes.timed_here(), key=lambda name: name != runtimes.MEASURED_IN):  # digests hold the order
        runtime = runtimes.get(name)
        with scratch_folder() as folder:
            path = folder / runtime.model_file
            runtime.export(program.graph, program.contract, path)
            row[f"{name} MiB"] = round(path.stat().st_size / 2**20, 3)
            row[f"{name} partitions"] = MODELS.structure(runtime, path).partitions
    return row
