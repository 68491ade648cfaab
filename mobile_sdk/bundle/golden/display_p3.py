"""Writes the colour profile of Display P3, in which phones save photographs.

One golden picture carries it: an app whose decoder turns its numbers into those of sRGB then opens no bundle, where it
would else read other bytes from most photographs than Python does.
"""

import struct
from functools import cache

import numpy as np
from numpy.typing import NDArray

_PRIMARIES = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))  # SMPTE RP 431-2: red, green, blue, as x and y
_D65 = (0.3127, 0.3290)
_D50_XYZ = np.array([0.9642, 1.0, 0.8249])  # ICC.1:2010, 7.2.16: what all profiles are adapted to
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])  # annex E
_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # IEC 61966-2-1, as g, a, b, c, d of ICC.1:2010, 10.16
_VERSION = 0x04200000
_HEADER_BYTES, _ENTRY_BYTES = 128, 12
_CREATED = (2026, 1, 1, 0, 0, 0)  # one profile has one content


@cache
def display_p3() -> bytes:
    """Returns the profile as a matrix and a curve. Source: ICC.1:2010, sections 7 to 10."""
    to_d50 = _adaptation()
    colorants = to_d50 @ _colorants()
    curve = b"para" + struct.pack(">IHH", 0, 3, 0) + _fixed(_CURVE)
    tags = {
        b"desc": _text("Display P3"),
        b"cprt": _text("no copyright"),
        b"wtpt": b"XYZ " + bytes(4) + _fixed(_D50_XYZ),
        b"chad": b"sf32" + bytes(4) + _fixed(to_d50.ravel()),
        **{name: b"XYZ " + bytes(4) + _fixed(colorants[:, at]) for at, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    return _profile(tags)


def _colorants() -> NDArray[np.float64]:
    """Returns XYZ of red, green and blue, a column each, which add up to the white."""
    columns = np.array([_xyz(*each) for each in _PRIMARIES]).T
    return columns * np.linalg.solve(columns, _xyz(*_D65))


def _adaptation() -> NDArray[np.float64]:
    """Returns the matrix from XYZ under D65 to XYZ under D50, by Bradford's cone responses."""
    cones = _BRADFORD @ _D50_XYZ / (_BRADFORD @ _xyz(*_D65))
    adapted: NDArray[np.float64] = np.linalg.solve(_BRADFORD, cones[:, None] * _BRADFORD)
    return adapted


def _xyz(x: float, y: float) -> NDArray[np.float64]:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _fixed(values: NDArray[np.float64] | tuple[float, ...]) -> bytes:
    """Returns numbers as s15Fixed16."""
    return struct.pack(f">{len(values)}i", *(round(float(value) * 2**16) for value in values))


def _text(words: str) -> bytes:
    content = words.encode("utf-16-be")
    return b"mluc" + struct.pack(">III2s2sII", 0, 1, 12, b"en", b"US", len(content), 28) + content


def _profile(tags: dict[bytes, bytes]) -> bytes:
    """Returns header, table and tags; equal tags are there once."""
    position, places, body = _HEADER_BYTES + 4 + _ENTRY_BYTES * len(tags), dict[bytes, int](), b""
    table = struct.pack(">I", len(tags))
    for name, content in tags.items():
        if content not in places:
            places[content] = position + len(body)
            body += content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, places[content], len(content))
    size = position + len(body)
    header = struct.pack(">I4sI4s4s4s6H4s", size, b"", _VERSION, b"mntr", b"RGB ", b"XYZ ", *_CREATED, b"acsp")
    return header.ljust(68, b"\0") + _fixed(_D50_XYZ) + bytes(_HEADER_BYTES - 80) + table + body
