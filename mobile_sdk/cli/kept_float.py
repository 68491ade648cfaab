"""What keeping layers in float32 does to a program: its distance from float, its files' sizes and partitions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mobile_sdk.cli.terminal import show_table
from mobile_sdk.system.temporary_folder import scratch_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mobile_sdk.program.program import Program
    from mobile_sdk.program.record import Record

SETTING = "keep_float"
PICTURES = 64  # enough for a tenth of a decibel
RUNTIMES = ("tflite", "executorch")


def named_layers(option: str | None) -> tuple[str, ...]:
    """The names in `LAYER,LAYER`."""
    return tuple(name.strip() for name in (option or "").split(",") if name.strip())


def with_change(mixed: "Program", whole: "Program", twin: "Program", pixels: "NDArray[np.uint8]") -> "Program":
    """`mixed`, its record saying which layers it keeps and what that changed beside `whole`, all of it in int8."""
    from dataclasses import replace

    from mobile_sdk.graph.exactness import order_dependent_paths

    graph = mixed.graph
    kept = dict.fromkeys(each.path for each in graph.operators if each.output.quantization is None)
    said = {
        "layers": list(kept),
        "order_dependent": order_dependent_paths(graph),
        "change": [_row("all int8", whole, twin, pixels), _row("kept in float", mixed, twin, pixels)],
    }
    settings = {**mixed.record.settings, SETTING: said}
    return replace(mixed, record=mixed.record.model_copy(update={"settings": settings}))


def show_change(record: "Record") -> None:
    """The layers and the table, where the record has them."""
    said: Any = record.settings.get(SETTING)
    if not said:
        return
    print(f"kept in float32: {', '.join(said['layers'])}")
    rows: Sequence[dict[str, Any]] = said["change"]
    show_table(tuple(rows[0]), [tuple(row.values()) for row in rows], numbers=tuple(rows[0])[1:])
    if said["order_dependent"]:
        print(f"verified within a bound: float32 sums depend on their order at {', '.join(said['order_dependent'])}")
    else:
        print("verified at 0 steps: every float32 sum is exact in any order")


def _row(title: str, program: "Program", twin: "Program", pixels: "NDArray[np.uint8]") -> dict[str, Any]:
    import numpy as np

    from mobile_sdk import runtimes
    from mobile_sdk.comparison import compare
    from mobile_sdk.graph.score_steps import in_steps
    from mobile_sdk.program.expected_scores import expected_scores

    grid = program.graph.output.quantization
    found = in_steps(expected_scores(program, pixels), program.graph) * (grid.scale if grid else 1.0)
    distance = compare(found, expected_scores(twin, pixels).astype(np.float64))
    row: dict[str, Any] = {"program": title, "SQNR dB": "equal"}
    if distance.sqnr_db is not None:
        row["SQNR dB"] = round(distance.sqnr_db, 2)
    for name in RUNTIMES:
        runtime = runtimes.get(name)
        with scratch_folder() as folder:
            path = folder / runtime.model_file
            runtime.export(program.graph, program.contract, path)
            row[f"{name} MiB"] = round(path.stat().st_size / 2**20, 3)
            row[f"{name} partitions"] = runtime.structure(path).partitions
    return row
