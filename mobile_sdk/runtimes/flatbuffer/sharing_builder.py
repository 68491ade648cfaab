"""Builds flatbuffers in which equal vectors of numbers stand once: every table that has one refers to the same bytes.

A third of a quantized net's numbers repeat (zero points are zero, layers of a block have equal shapes). Vectors of
offsets are never shared: equal offsets at two places lead to different things.
"""

import hashlib
from typing import Any

import flatbuffers  # type: ignore[import-untyped]

_LENGTH_BYTES = 4  # of the number of elements before a vector


class SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Forgets a vector that was just written if an equal one, aligned as strictly, stands in the buffer already."""

    def __init__(self, initial_bytes: int) -> None:
        super().__init__(initial_bytes)
        self._written: dict[tuple[int, bytes], int] = {}  # alignment and content → offset
        self._begun: tuple[int, int, int] | None = None  # offset before it, bytes of an element, alignment

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803 (flatbuffers' names)
        """Begins a vector, as `flatbuffers.Builder` does."""
        self._begun = self.Offset(), elemSize, max(alignment, _LENGTH_BYTES)
        return int(super().StartVector(elemSize, numElems, alignment))

    def PrependUOffsetTRelative(self, off: int) -> None:  # noqa: N802
        """Writes an offset, as `flatbuffers.Builder` does: what holds it is not shared."""
        self._begun = None
        super().PrependUOffsetTRelative(off)

    def EndVector(self, numElems: Any = None) -> int:  # noqa: N802, N803
        """Ends a vector and returns its offset, which is that of an equal earlier one if there is one."""
        elements, begun = self.vectorNumElems, self._begun
        offset = int(super().EndVector(numElems))
        self._begun = None
        if begun is None:
            return offset
        before, element_bytes, alignment = begun
        content = memoryview(self.Bytes)[self.head : self.head + _LENGTH_BYTES + elements * element_bytes]
        first = self._written.setdefault((alignment, hashlib.sha256(content).digest()), offset)
        if first != offset:
            content.release()
            self.head: int = len(self.Bytes) - before
        return first
