"""Finds bytes of a file that no reader would take for anything: nothing can hide where every byte is accounted for."""

from collections.abc import Iterable

Span = tuple[int, int]
"""Says where something begins in a file and where it ends."""


def check_all_is_read(data: bytes, spans: Iterable[Span]) -> None:
    """Raises ValueError for bytes that are in two spans, beyond the end, or in none and not zero."""
    end = 0
    for start, stop in (*sorted(set(spans)), (len(data), len(data))):
        if start < end:
            raise ValueError(f"two things that share the byte at {start}")
        if any(data[end:start]):
            raise ValueError(f"bytes that nothing refers to between {end} and {start}")
        end = stop
