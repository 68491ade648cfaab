"""Defines what NetAdapt makes smaller: one block's expansion, a bottleneck that blocks share, the head's widths."""

from dataclasses import dataclass
from typing import Literal

from qat.nets.architecture import Architecture

DIVISOR = 8  # channels of every net of the family are its multiples


@dataclass(frozen=True, kw_only=True)
class Width:
    """Names one width of an architecture; `index` is an expansion's block, else the group of `bottlenecks`."""

    kind: Literal["expansion", "bottleneck", "last", "hidden"]
    index: int = 0


def widths(architecture: Architecture) -> tuple[Width, ...]:
    """Returns every width that can change by itself, in the order of layers.

    Expansions and shared bottlenecks are the MobileNetV3 paper's two kinds of proposals (section 4.2); the head's two
    widths are layers as NetAdapt's own paper takes them (Yang et al. 2018, Algorithm 1). A block that does not expand
    has the width of its input.
    """
    blocks = range(len(architecture.blocks))
    return (
        *(Width(kind="bottleneck", index=index) for index in range(len(architecture.bottlenecks))),
        *(Width(kind="expansion", index=index) for index in blocks if architecture.expands(index)),
        Width(kind="last"),
        Width(kind="hidden"),
    )


def channels_of(architecture: Architecture, width: Width) -> int:
    """Returns the present number of channels."""
    match width.kind:
        case "expansion":
            return architecture.blocks[width.index].expanded
        case "bottleneck":
            first = architecture.bottlenecks[width.index][0]
            return architecture.stem if first < 0 else architecture.blocks[first].channels
        case "last":
            return architecture.last
        case "hidden":
            return architecture.hidden


def resized(architecture: Architecture, width: Width, channels: int) -> Architecture | None:
    """Returns the architecture with another width; None if that changes a shortcut or an expansion elsewhere."""
    blocks = list(architecture.blocks)
    changed: dict[str, object] = {}
    match width.kind:
        case "expansion":
            blocks[width.index] = blocks[width.index]._replace(expanded=channels)
        case "bottleneck":
            for index in architecture.bottlenecks[width.index]:
                if index < 0:
                    changed["stem"] = channels
                else:
                    blocks[index] = blocks[index]._replace(channels=channels)
                if index + 1 < len(blocks) and not architecture.expands(index + 1):
                    blocks[index + 1] = blocks[index + 1]._replace(expanded=channels)
        case "last" | "hidden":
            changed[width.kind] = channels
    new = architecture.model_copy(update={**changed, "blocks": tuple(blocks)})
    return new if _is_wired_as(new, architecture) else None


def _is_wired_as(new: Architecture, old: Architecture) -> bool:
    expanding = all(new.expands(index) == old.expands(index) for index in range(len(old.blocks)))
    return expanding and new.bottlenecks == old.bottlenecks
