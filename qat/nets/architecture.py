"""Describes a net of MobileNetV3's family as plain data: its tables' rows, and what a search changes."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from mobile_sdk.document import Document

ActivationName = Literal["relu", "hard_swish"]
Channels = Annotated[int, Field(ge=1, le=16384)]


class Bottleneck(NamedTuple):
    """Describes an inverted residual; if it does not expand (`expanded` is its input), it has no first 1×1."""

    kernel: Literal[3, 5, 7]
    expanded: Channels
    channels: Channels
    has_se: bool
    activation: ActivationName
    stride: Literal[1, 2]


class Architecture(Document):
    """Holds stem, blocks, last convolution and hidden layer in channels; `activation` is that of all but the blocks.

    A searched net's file contains it; `qat.nets.classifiers.mobilenet_v3.build` builds it.
    """

    stem: Channels
    blocks: Annotated[tuple[Bottleneck, ...], Field(min_length=1, max_length=256)]
    last: Channels
    hidden: Channels
    activation: ActivationName

    @property
    def inputs(self) -> tuple[int, ...]:
        """Returns the input channels of each block."""
        return (self.stem, *(block.channels for block in self.blocks[:-1]))

    @property
    def bottlenecks(self) -> tuple[tuple[int, ...], ...]:
        """Returns groups of blocks, by index, whose outputs are added and so have equal channels; the stem is -1."""
        groups = [[-1]]
        for index in range(len(self.blocks)):
            if self.has_shortcut(index):
                groups[-1].append(index)
            else:
                groups.append([index])
        return tuple(map(tuple, groups))

    def has_shortcut(self, index: int) -> bool:
        """Returns whether a block's input is added to its output."""
        return self.blocks[index].stride == 1 and self.inputs[index] == self.blocks[index].channels

    def expands(self, index: int) -> bool:
        """Returns whether a block has a first 1×1 convolution."""
        return self.blocks[index].expanded != self.inputs[index]

    def differences(self, other: "Architecture") -> str:
        """Returns the changes from here to `other`, which has as many blocks, in words; blocks count from 1."""
        blocks: dict[tuple[str, object, object], list[int]] = {}
        for index, pair in enumerate(zip(self.blocks, other.blocks, strict=True), start=1):
            for field, before, after in zip(Bottleneck._fields, *pair, strict=True):
                if before != after:
                    blocks.setdefault((_WORDS[field], before, after), []).append(index)
        parts = [
            f"block{'s' if len(where) > 1 else ''} {', '.join(map(str, where))} {what} {before} → {after}"
            for (what, before, after), where in blocks.items()
        ]
        for what in ("stem", "last", "hidden"):
            before, after = getattr(self, what), getattr(other, what)
            if before != after:
                parts.append(f"{what} {before} → {after}")
        return "; ".join(parts) or "nothing"


_WORDS = {
    "kernel": "kernel",
    "expanded": "expansion",
    "channels": "bottleneck",
    "has_se": "squeeze-and-excite",
    "activation": "activation",
    "stride": "stride",
}
