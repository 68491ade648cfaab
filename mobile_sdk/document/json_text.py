"""Reads JSON as Kotlin and Swift do: what readers of JSON disagree about is refused, wherever it stands.

docs/reference/bundle-format.md has the rule, under "JSON".
"""

import json
import math
import re
from typing import Any, NoReturn

DEEPEST = 64  # values in each other, the outermost included

_MAY_OVERFLOW = re.compile(r"[eE]\+?0*[1-9][0-9]{2,}|[0-9]{309,}")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(data: bytes | str) -> Any:
    """Returns the content of a JSON text, RFC 8259 and nothing else.

    Raises ValueError for bytes that are no UTF-8, a key that an object has twice, NaN and infinities, a number beyond
    double precision, half a pair of surrogates, and more than 64 values in each other.
    """
    text = data if isinstance(data, str) else data.decode("utf-8")
    if text.startswith("\ufeff"):
        raise ValueError("a byte-order mark")
    hooks: dict[str, Any] = {"parse_int": _whole, "parse_float": _fraction} if _MAY_OVERFLOW.search(text) else {}
    try:
        content = json.loads(text, object_pairs_hook=_of_single_keys, parse_constant=_refuse_constant, **hooks)
    except RecursionError:
        raise ValueError(f"more than {DEEPEST} values in each other") from None
    _check_depth(content)
    if _ESCAPED_SURROGATE.search(text):
        _check_surrogates(content)
    return content


def _of_single_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r:.60} twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which is no JSON")


def _whole(digits: str) -> int:
    if not math.isfinite(float(digits)):
        raise ValueError("a number beyond double precision")
    return int(digits)  # 309 digits at most


def _fraction(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise ValueError("a number beyond double precision")
    return value


def _check_depth(content: Any) -> None:
    """Goes down level by level, as no recursion of its own may end it."""
    level = [content]
    for _ in range(DEEPEST):
        level = [
            value
            for each in level
            if isinstance(each, dict | list)
            for value in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise ValueError(f"more than {DEEPEST} values in each other")


def _check_surrogates(content: Any) -> None:
    try:
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("half a pair of surrogates") from None
