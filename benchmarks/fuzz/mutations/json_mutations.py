"""Changes one field of a JSON document: another type, another range, missing, there twice, nested without end."""

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

Place = tuple[str | int, ...]
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 255, 2**31 - 1, -(2**31), 2**53 + 1, 2**63, 10**30, -(10**30)),
    *(0.0, -0.0, 0.5, 1.5, 1e-300, 1e-45, 1e35, 1e308, -1e308),
    *(
        "",
        " ",
        "0",
        "1",
        "cpu",
        "a\nb",
        "\u0000",
        "\u202e",
        "\ud800",
        "é" * 100,
        "../../x",
        "/etc/passwd",
        "a" * 100_000,
    ),
    *([], {}, [None], [[]], [0], [1, 2], {"": 0}, {"a": {"a": {}}}),
)
_RAW = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "1" * 5000,
    "0" * 300,
    "[" * 5000,
    '{"a":' * 2000,
    "'a'",
    "01",
)


def changed_json(data: bytes, draw: Random) -> bytes:
    """Changes one field, or two, of a JSON document; bytes that are no JSON stay."""
    try:
        content = json.loads(data)
    except ValueError:
        return data
    for _ in range(draw.choice((1, 1, 1, 2))):
        content = _changed(content, draw)
    text = json.dumps(content)
    if _HOLE in text:
        text = text.replace(json.dumps(_HOLE), draw.choice(_RAW))
    return text.encode("utf-8", "surrogatepass")


_HOLE = "a hole for text that no value is written as"


def _changed(content: Any, draw: Random) -> Any:
    places = list(_places(content))
    place = draw.choice(places)
    if not place:
        return draw.choice(_VALUES) if draw.random() < 0.2 else content
    holder = _at(content, place[:-1])
    key = place[-1]
    match draw.randrange(10):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.insert(key, holder[key])
        case 1:
            holder[f"{key} more"] = holder[key]
        case 2:
            holder[key] = _HOLE
        case 3:
            holder[key] = _near(holder[key], draw)
        case 4:
            holder[key] = copy.deepcopy(_at(content, draw.choice(places)))
        case 5 if isinstance(holder, list):
            draw.shuffle(holder)
        case 5:
            other = draw.choice(list(holder))
            holder[key], holder[other] = holder[other], holder[key]
        case _:
            holder[key] = draw.choice(_VALUES)
    return content


def _near(value: Any, draw: Random) -> Any:
    """Returns a value that is nearly the same: what a reader takes that asks for the type alone."""
    match value:
        case bool():
            return not value
        case int():
            return value + draw.choice((-1, 1, 2, -value, -2 * value, 255, 0.5))
        case float():
            return value * draw.choice((-1.0, 0.0, 2.0, 1 + 2**-52, 1e10, 1e-10)) + draw.choice((0.0, 0.0, 1.0))
        case str():
            return draw.choice(
                (value + " ", value.upper(), value[:-1], value[::-1], value + "x", value.replace("0", "1"))
            )
        case list():
            return draw.choice((value[:-1], value[1:], value + value, value[::-1], dict(enumerate(map(str, value)))))
        case dict():
            return draw.choice((list(value), {**value, "more": 1}, {}, dict(reversed(value.items()))))
    return draw.choice(_VALUES)


def _places(content: Any) -> Iterator[Place]:
    yield ()
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inner:
        for place in _places(value):
            yield (key, *place)


def _at(content: Any, place: Place) -> Any:
    for key in place:
        content = content[key]
    return content
