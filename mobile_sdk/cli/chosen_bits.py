"""Shows which layers got four bits or stayed in float32, and what that cost."""

from typing import TYPE_CHECKING

from mobile_sdk.cli.tables import show_text

if TYPE_CHECKING:
    from mobile_sdk.program.record import BitAllocation, Record

_NAMED = 6  # layers with 8 bits that a line names


def show_chosen_bits(record: "Record") -> None:
    """Prints the choice of bits in a few lines, if the record has one."""
    choice = record.bit_allocation
    if choice is None:
        return
    int8, last, point = choice.int8_point, choice.frontier[-1], choice.point
    in_float, few = choice.in_float, [layer for layer, bits in choice.bits.items() if bits == 4]
    said = f"4 in {len(few)} of {len(choice.bits)} layers that can have them"
    if in_float:
        said = f"float32 in {len(in_float)} layer{'s' if len(in_float) > 1 else ''}, 8 in all others"
    show_text(
        f"bits of weights for {_asked(choice)}: {said}, "
        f"{_mib(point.weight_bytes)} MiB of weights (8 bits {_mib(int8.weight_bytes)}, "
        f"4 bits {_mib(last.weight_bytes)})"
    )
    found = "" if point.measured_db is None else f"{point.measured_db:.1f} dB after calibration, "
    show_text(
        f"scores on {choice.images} held-back images: {found}predicted {point.predicted_db:.1f} dB "
        f"(8 bits {int8.predicted_db:.1f}, 4 bits {last.predicted_db:.1f})"
    )
    if point.measured_accuracy is not None and int8.measured_accuracy is not None:
        show_text(
            f"accuracy on the {choice.accuracy_images:,} held-out images that chose: {point.measured_accuracy:.2%} "
            f"after calibration (8 bits {int8.measured_accuracy:.2%})"
        )
    if in_float:
        show_text(f"float32 keep, the noisiest for a byte first: {', '.join(in_float)}")
    kept = [layer for layer, bits in reversed(choice.bits.items()) if bits == 8]
    if kept and not in_float:
        more = f" and {len(kept) - _NAMED} more" if len(kept) > _NAMED else ""
        show_text(f"8 bits keep, the noisiest for a byte first: {', '.join(kept[:_NAMED])}{more}")


def _asked(choice: "BitAllocation") -> str:
    if choice.max_mib is not None:
        return f"at most {choice.max_mib:g} MiB"
    if choice.min_accuracy is not None:
        return f"an accuracy of at least {choice.min_accuracy:.2%}"
    return f"at least {choice.min_db:g} dB"


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.3f}"
