"""Changes the bytes of a file without regard to its format: flips, cuts, moves, and words of a binary format."""

import struct
from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

Change = Callable[[bytes, Random], bytes]
"""Returns a file's bytes, changed somewhere."""

_INTEGERS = (0, 1, 2, 3, 4, 7, 8, 127, 128, 255, 256, 2**15, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 4)
_FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e-38, 1e35, 3.4e38, float("inf"), float("-inf"), float("nan"))
_TOKENS = (
    *("", "0", "-1", "1", "2", "0.5", "1e999", "-1e999", "nan", "1e-320", "99999999999999999999", "0x10", "true"),
    *("null", "../../etc/passwd", "/dev/zero", "a" * 10_000, "\x00", "\ufeff", "é", "\u202e", "\U0001f600", "~"),
    *("&a *a", "!!python/object:os.system", "[[[[[[", "{}", "- - -", "%", "'", '"', "<a>", "&lt;", "\r", "\t", ","),
)


def changed_bytes(data: bytes, draw: Random) -> bytes:
    """Applies one of the changes below, at a place that is drawn."""
    change = draw.choice(_CHANGES)
    return change(data, draw)


def changed_words(data: bytes, draw: Random) -> bytes:
    """Writes a telling number over an aligned word, as sizes, offsets and scales lie in binary formats."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2))):
        width = draw.choice((1, 2, 4, 4, 4, 8))
        place = draw.randrange(max(1, len(data) // width)) * width
        word = struct.pack("<q", draw.choice(_INTEGERS) * draw.choice((1, 1, -1)))[:width]
        if width == 4:
            old = bytes(changed[place : place + 4]).ljust(4, b"\0")
            near = struct.pack("<I", (int.from_bytes(old, "little") + draw.choice((-4, -1, 1, 4))) % 2**32)
            word = draw.choice((word, near, struct.pack("<f", draw.choice(_FLOATS))))
        changed[place : place + width] = word
    return bytes(changed)


def changed_text(data: bytes, draw: Random) -> bytes:
    """Replaces a word, drops, repeats or exchanges lines of a text."""
    text = data.decode("utf-8", "surrogateescape")
    lines = text.splitlines(keepends=True) or [""]
    at = draw.randrange(len(lines))
    match draw.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[at])
        case 2:
            lines[at], lines[0] = lines[0], lines[at]
        case 3:
            lines.insert(at, draw.choice(_TOKENS) + "\n")
        case _:
            lines[at] = _with_word(lines[at], draw)
    return "".join(lines).encode("utf-8", "surrogateescape")


def _with_word(line: str, draw: Random) -> str:
    separators = " ,:=<>/\"'\n[]{}"
    edges = [-1, *(at for at, letter in enumerate(line) if letter in separators), len(line)]
    words = [(low + 1, high) for low, high in pairwise(edges) if high > low + 1]
    low, high = draw.choice(words) if words else (0, len(line))
    return line[:low] + draw.choice(_TOKENS) + line[high:]


def _flip(data: bytes, draw: Random, bits: int = 1) -> bytes:
    changed = bytearray(data)
    for _ in range(bits if data else 0):
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _flips(data: bytes, draw: Random) -> bytes:
    return _flip(data, draw, draw.choice((2, 3, 8, 64)))


def _cut(data: bytes, draw: Random) -> bytes:
    return data[: draw.choice((0, 1, 4, 8, len(data) // 2, max(0, len(data) - 1), draw.randrange(len(data) + 1)))]


def _without(data: bytes, draw: Random) -> bytes:
    low, high = _stretch(data, draw)
    return data[:low] + data[high:]


def _inserted(data: bytes, draw: Random) -> bytes:
    low, _ = _stretch(data, draw)
    return data[:low] + draw.randbytes(draw.choice((1, 2, 4, 64, 4096))) + data[low:]


def _repeated(data: bytes, draw: Random) -> bytes:
    low, high = _stretch(data, draw)
    return data[:high] + data[low:]


def _filled(data: bytes, draw: Random) -> bytes:
    low, high = _stretch(data, draw)
    return data[:low] + bytes([draw.choice((0, 255, draw.randrange(256)))]) * (high - low) + data[high:]


def _copied(data: bytes, draw: Random) -> bytes:
    low, high = _stretch(data, draw)
    place = draw.randrange(max(1, len(data) - (high - low) + 1))
    return data[:place] + data[low:high] + data[place + high - low :]


def _appended(data: bytes, draw: Random) -> bytes:
    return data + draw.choice((b"\0", b"\n", b" ", draw.randbytes(64), data))


def _stretch(data: bytes, draw: Random) -> tuple[int, int]:
    low = draw.randrange(len(data) + 1)
    return low, min(len(data), low + draw.choice((1, 2, 4, 8, 64, 1024)))


_CHANGES: Sequence[Change] = (
    *(_flip, _flip, _flip, _flips, _cut, _without, _inserted, _repeated, _filled, _copied, _appended),
)
