"""Shows which layers got four bits, and what that cost."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mobile_sdk.program.record import Record

_NAMED = 6  # layers with 8 bits that a line names


def show_chosen_bits(record: "Record") -> None:
    """Prints the choice of bits in a few lines, if the record has one."""
    choice = record.bit_allocation
    if choice is None:
        return
    first, last, point = choice.frontier[0], choice.frontier[-1], choice.point
    asked = f"at most {choice.max_mib:g} MiB" if choice.min_db is None else f"at least {choice.min_db:g} dB"
    print(
        f"bits of weights for {asked}: 4 in {choice.chosen} of {len(choice.bits)} layers that can have them, "
        f"{_mib(point.weight_bytes)} MiB of weights (8 bits {_mib(first.weight_bytes)}, "
        f"4 bits {_mib(last.weight_bytes)})"
    )
    found = "" if point.measured_db is None else f"{point.measured_db:.1f} dB after calibration, "
    print(
        f"scores on {choice.images} held-back images: {found}predicted {point.predicted_db:.1f} dB "
        f"(8 bits {first.predicted_db:.1f}, 4 bits {last.predicted_db:.1f})"
    )
    kept = [layer for layer, bits in reversed(choice.bits.items()) if bits == 8]
    if kept:
        more = f" and {len(kept) - _NAMED} more" if len(kept) > _NAMED else ""
        print(f"8 bits keep, the noisiest for a byte first: {', '.join(kept[:_NAMED])}{more}")


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.3f}"
