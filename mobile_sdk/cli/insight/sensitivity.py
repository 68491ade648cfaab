"""`mobile-sdk inspect PROGRAM --sensitivity` shows what each layer costs, as a table and a plot."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.analysis.sensitivity import LayerSensitivity, Sensitivity, layer_sensitivity
from mobile_sdk.cli.tables import show_table, show_text
from mobile_sdk.cli.terminal import is_verbose, progress, show_json
from mobile_sdk.contract import Contract
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.program.program import Program
from mobile_sdk.report.plots.sensitivity_plot import check_plot_path, save_sensitivity_plot
from mobile_sdk.tasks.registry import task_of
from mobile_sdk.workflow.choices import DIGITS
from mobile_sdk.workflow.output_paths import file_to_write
from mobile_sdk.workflow.run_files import TWIN
from mobile_sdk.workflow.tasks import held_out_of
from qat.data.pictures import load_mnist, load_unlabelled
from qat.progress import say

PLOT = "sensitivity.svg"
WORST = 10  # layers that are shown without --verbose
FAR_DB = 3.0  # between program and simulation: twice the noise, or half of it, is not explained by ties
COLUMNS = ("#", "layer", "operators", "alone dB", "weights dB", "kept float dB", "noise %", "weights KiB")


def show_sensitivity(program: Path, data: str | None, pictures: int, plot: Path | None, json: bool) -> None:
    """Measures every layer of `program` beside its float.pt2, prints the ranking and writes the plot."""
    plot = program.parent / PLOT if plot is None else plot
    check_plot_path(plot)
    twin = _twin_of(program)
    loaded = Program.load(program)
    pixels = _pixels(data, loaded.contract, pictures)
    file_to_write(plot)
    with progress("sensitivity") as report:
        result = layer_sensitivity(loaded.graph, twin.graph, pixels, progress=report)
    save_sensitivity_plot(result, plot)
    if json:
        show_json(_as_json(result, plot))
        return
    _show(result)
    say(f"plot: {plot}")


def _twin_of(program: Path) -> Program:
    if not program.is_file():
        found = "a folder" if program.is_dir() else "nothing"
        raise SettingError(
            f"expected a program.pt2 with --sensitivity, found {found} at {program}",
            hint="name the program that the bundle was made from",
        )
    twin = program.parent / TWIN
    if not twin.is_file():
        raise SettingError(
            f"expected the float32 twin {TWIN} beside {program}, found none",
            hint="quantize again: it writes both files, and the layers are held against the twin",
        )
    return Program.load(twin)


def _pixels(data: str | None, contract: Contract, count: int) -> NDArray[np.uint8]:
    """Returns `count` pictures, the first of a shuffled folder: labels are not needed."""
    if data is None:
        raise DataError("expected pictures with --sensitivity, found none", hint="give --data DIR, or --data digits")
    if not task_of(contract).has_scores:  # boxes and masks lie in folders of their own layouts
        pixels: NDArray[np.uint8] = held_out_of(contract, data)[:count].bytes(contract.input)
        return pixels
    found = load_mnist().validation if data == DIGITS else load_unlabelled(data)
    return found[:count].bytes(contract.input)


def _as_json(result: Sensitivity, plot: Path) -> dict[str, Any]:
    layers = [{"rank": rank, **asdict(layer)} for rank, layer in enumerate(result.ranked, start=1)]
    return {**asdict(result), "layers": layers, "plot": str(plot)}


def _show(result: Sensitivity) -> None:
    shown = result.ranked if is_verbose() else result.ranked[:WORST]
    rows = [_row(rank, layer) for rank, layer in enumerate(shown, start=1)]
    show_table(COLUMNS, rows, numbers=tuple(column for column in COLUMNS if column not in ("layer", "operators")))
    if len(shown) < len(result.ranked):
        show_text(f"the worst {len(shown)} of {len(result.ranked)} layers; --verbose shows all, and so does --json")
    if abs((result.program_db or 0) - (result.simulated_db or 0)) > FAR_DB:
        say(
            f"note: on every layer's grid the float twin comes to {_db(result.simulated_db)} dB, the program to "
            f"{_db(result.program_db)} dB: its layers are not the twin's, as after equalisation; the ranking is a guess"
        )
    show_text(f"SQNR of the logits against float32, {result.pictures} pictures: program {_db(result.program_db)} dB")
    show_text(
        "alone: only this layer on int8, everything else float. weights: only its weights. "
        "kept float: the program with `quantize --keep-float` of this layer. noise: its part of all layers'."
    )


def _row(rank: int, layer: LayerSensitivity) -> tuple[Any, ...]:
    weights = f"{layer.weight_bytes / 1024:.1f}" if layer.weight_bytes else "–"
    decibels = (_db(each) for each in (layer.alone_db, layer.weights_db, layer.kept_db))
    kinds = ", ".join(dict.fromkeys(layer.operators))
    return (rank, layer.layer, kinds, *decibels, f"{100 * layer.noise_share:.1f}", weights)


def _db(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
