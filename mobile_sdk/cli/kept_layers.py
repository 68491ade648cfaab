"""Shows what keeping layers in float32 changed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mobile_sdk.cli.tables import show_table, show_text

if TYPE_CHECKING:
    from mobile_sdk.program.record import Record


def show_change(record: "Record") -> None:
    """Shows the layers and the table, if the record has them."""
    kept: Any = record.settings.get("keep_float")
    if not kept:
        return
    show_text(f"kept in float32: {', '.join(kept['layers'])}")
    rows: Sequence[dict[str, Any]] = kept["change"]
    show_table(tuple(rows[0]), [tuple(row.values()) for row in rows], numbers=tuple(rows[0])[1:])
    if kept["order_dependent"]:
        show_text(
            f"verified within a bound: float32 sums depend on their order at {', '.join(kept['order_dependent'])}"
        )
    else:
        show_text("verified at 0 steps: every float32 sum is exact in any order")
