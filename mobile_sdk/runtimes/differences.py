"""Names differences between requested data and a file's data by field and module path."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PLAIN = frozenset({bool, bytes, float, int, str, type(None)})


def unequal(path: str, what: str, expected: Any, found: Any) -> Iterator[str]:
    """Yields a sentence for every difference of type, shape or value between two trees of plain data.

    Mappings are compared key by key, lists of trees item by item, and a pair (name, mapping) as a union and its member.
    """
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key in dict.fromkeys((*expected, *found)):
            yield from unequal(path, f"{key} of {what}", expected.get(key), found.get(key))
    elif _is_union(expected) and _is_union(found):
        yield from unequal(path, f"the kind of {what}", expected[0], found[0])
        if expected[0] == found[0]:
            yield from unequal(path, what, expected[1], found[1])
    elif _are_trees(expected) and _are_trees(found) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from unequal(path, f"{what}[{index}]", one, other)
    elif not _is_equal(expected, found):
        yield f"expected {what} at {path} to be {_brief(expected)} in the saved program, found {_brief(found)}"


def _is_union(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Mapping)


def _are_trees(value: Any) -> bool:
    return isinstance(value, list) and not _PLAIN.issuperset(map(type, value))


def _is_equal(expected: Any, found: Any) -> bool:
    """Compares by bits: 0.0 is not -0.0, and two NaN may be equal."""
    if type(expected) is not type(found):
        return False
    if isinstance(expected, np.ndarray | np.generic):
        return _bits(expected) == _bits(found)
    if isinstance(expected, float | list):
        return repr(expected) == repr(found)
    return bool(expected == found)


def _bits(array: NDArray[Any] | np.generic) -> tuple[np.dtype[Any], tuple[int, ...], bytes]:
    return array.dtype, array.shape, array.tobytes()


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size != 1:
        return f"{value.dtype} {value.shape} ({_digest(value.tobytes())})"
    if isinstance(value, bytes):
        return f"{len(value)} bytes ({_digest(value)})"
    if isinstance(value, Mapping | list) and len(value) > 8:
        return f"{len(value)} entries ({_digest(repr(value).encode())})"
    return "nothing" if value is None else str(value)


def _digest(data: bytes) -> str:
    return f"SHA-256 {hashlib.sha256(data).hexdigest()[:8]}"
