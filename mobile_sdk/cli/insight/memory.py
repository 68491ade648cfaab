"""Implements `mobile-sdk inspect PROGRAM --memory`, which shows activations' memory and the cost of limits."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from mobile_sdk.cli.tables import show_table, show_text
from mobile_sdk.cli.terminal import show_json
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.memory.limit import multiply_adds, within
from mobile_sdk.memory.plan import plan_memory
from mobile_sdk.memory.usage import block_bytes, block_of, operator_memory, peak_bytes, tensor_bytes
from mobile_sdk.program.program import Program

LIMITS = (3 / 4, 1 / 2, 2 / 5, 1 / 3, 1 / 4)  # of the peak
WIDEST = 10  # rows of the table of blocks


def show_memory(path: Path, json: bool) -> None:
    """Prints equation (2), the peak and the arena of a program, its widest blocks, and the effect of strips."""
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise SettingError(
            f"expected a program.pt2 with --memory, found {found} at {path}", hint="a bundle's model is its program's"
        )
    graph = Program.load(path).graph
    whole, blocks, limits = _whole(graph), _blocks(graph), _limits(graph)
    if json:
        operators = [asdict(row) for row in operator_memory(graph)]
        show_json({**whole, "blocks": blocks, "limits": limits, "operators": operators})
        return
    _show(whole, blocks, limits)


def _whole(graph: Graph) -> dict[str, Any]:
    plan = plan_memory(graph)
    return {
        "least_bytes": plan.bound_bytes,
        "least_block_bytes": max(block_bytes(graph).values()),
        "peak_bytes": plan.peak_bytes,
        "least_peak_bytes": plan.least_peak_bytes,
        "arena_bytes": plan.arena_bytes,
        "picture_bytes": tensor_bytes(graph.input),
        "tried_all_orders": plan.is_exhaustive,
    }


def _blocks(graph: Graph) -> list[dict[str, Any]]:
    """Returns each block's bytes in and out, and the most that is alive while it runs."""
    peaks: dict[str, int] = {}
    for row in operator_memory(graph):
        block = block_of(row.path)
        peaks[block] = max(peaks.get(block, 0), row.live_bytes)
    return [
        {"block": block, "in_and_out_bytes": both, "peak_bytes": peaks[block]}
        for block, both in block_bytes(graph).items()
    ]


def _limits(graph: Graph) -> list[dict[str, Any]]:
    """Returns the limits that strips can keep, down to the first that they cannot."""
    rows: list[dict[str, Any]] = []
    for share in LIMITS if graph.is_int8 else ():
        limit_kib = round(peak_bytes(graph) * share / 1024)
        try:
            plan = plan_memory(within(graph, limit_kib * 1024))
        except SettingError:
            break
        more = multiply_adds(plan.graph) / multiply_adds(graph) - 1
        sizes = {"peak_bytes": plan.peak_bytes, "arena_bytes": plan.arena_bytes}
        rows.append({"max_activation_kib": limit_kib, **sizes, "more_multiply_adds_share": more})
    return rows


def _show(whole: dict[str, Any], blocks: list[dict[str, Any]], limits: list[dict[str, Any]]) -> None:
    sizes = {name: f"{size / 1024:,.0f} KiB" for name, size in whole.items()}
    best = "in the best order" if whole["tried_all_orders"] else "in the best order found"
    show_text(f"inputs and outputs of the widest operator: {sizes['least_bytes']}; no order of operators needs less")
    show_text(f"of the widest block, its inner tensors left out: {sizes['least_block_bytes']}")
    show_text(f"alive at once: {sizes['peak_bytes']}; {best} {sizes['least_peak_bytes']}")
    show_text(f"arena: {sizes['arena_bytes']}, beside the picture's {sizes['picture_bytes']}")
    widest = sorted(blocks, key=lambda row: row["peak_bytes"], reverse=True)[:WIDEST]
    rows = [(row["block"], _kib(row["in_and_out_bytes"]), _kib(row["peak_bytes"])) for row in widest]
    show_table(("block", "in + out KiB", "alive KiB"), rows, numbers=("in + out KiB", "alive KiB"))
    if limits:
        columns = ("--max-activation-kib", "alive KiB", "arena KiB", "more multiply-adds")
        shown = [
            (
                f"{row['max_activation_kib']:,}",
                _kib(row["peak_bytes"]),
                _kib(row["arena_bytes"]),
                f"{row['more_multiply_adds_share']:.1%}",
            )
            for row in limits
        ]
        show_table(columns, shown, numbers=columns)


def _kib(size_bytes: int) -> str:
    return f"{size_bytes / 1024:,.0f}"
