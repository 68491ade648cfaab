"""Draws texts of JSON and of what is nearly JSON."""

import numpy as np

Random = np.random.Generator

NUMBERS = (
    *("0", "-0", "-0.0", "1", "1.0", "1e0", "-1", "2147483647", "2147483648", "-2147483649", "9223372036854775807"),
    *("9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e308", "1.7976931348623157e308"),
    *("1.7976931348623159e308", "1e309", "-1e400", "1e-400", "5e-324", "2.4703282292062327e-324", "0.1", "1E+2"),
    *("1" + "0" * 308, "1" + "0" * 309, "9" * 4300, "9" * 4301, "0." + "0" * 5000 + "1", "1" + "0" * 400 + "e-400"),
    *("0.30000000000000004", "9007199254740993", "0e99999999999", "1e99999999999999999999", "0.5" + "0" * 5000),
)
TEXTS = (
    *('""', '" "', '"\\ud800"', '"\\udc00"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\ud800x"', '"\\ud800\\u0041"'),
    *('"😀"', '"é"', '"e\u0301"', '"\\u0000"', '"\\u001c"', '"\\u0085"', '"\u0085"', '"\\u00a0"', '"\u3000"'),
    *('"\\u200b"', '"\\ufeff"', '" \\u0301"', '"\\u180e"', '"\\u2028"', '"a\\nb"', '"a\\rb"', '"\\t\\u000b"', '"K"'),
    *('"\u212a"', '"가"', '"\\u1100\\u1161"', '"\\/"', '"\\b"', '"\\x41"', '"\\u12"', '"\\u12G4"', '"\\u+041"'),
    *('"\t"', '"\x01"', '"\x7f"', '"\\"', '"\uffff"', '"..%2f"', '"../x"', '"a//b"', '"."', '"model.pte"', '"a b"'),
)
OTHERS = (
    *("true", "false", "null", "[]", "{}", "[1]", '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"é":1,"e\u0301":2}'),
    *('{"K":1,"\u212a":2}', '{"\\ud800":1}', "[1,]", "[,1]", "{,}", "{a:1}", "[1 2]", "01", "+1", ".5", "1.", "1e"),
    *("NaN", "Infinity", "-Infinity", "nul", "0x10", "'a'", "// c\n1", "\u00a01", "[" * 100_000, '{"a":' * 30_000),
    *("[" * depth + "]" * depth for depth in (62, 63, 64, 65, 66, 200, 1000, 20_000)),
    *("[" * depth + "1" + "]" * depth for depth in (62, 63, 64, 65)),
    *('{"a":' * depth + "1" + "}" * depth for depth in (62, 63, 64, 65, 1000)),
)
_BYTES = (
    *(b"\xef\xbb\xbf", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\xc3", b"\x0c", b"\x00", b","),
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b":", b"0", b"-", b"e", b".", b" ", b"\r\n", b"\xe2\x80\xa8"),
)

JSON_CASES = tuple(text.encode() for text in (*NUMBERS, *TEXTS, *OTHERS)) + _BYTES


def json_text(random: Random) -> bytes:
    """Returns a text of values in each other, often with a byte or two changed."""
    text = bytearray(_value(random, 0).encode())
    for _ in range(random.choice([0, 0, 1, 2])):
        place = int(random.integers(len(text) + 1))
        match random.integers(3):
            case 0:
                text[place:place] = _BYTES[random.integers(len(_BYTES))]
            case 1 if place < len(text):
                text[place] ^= 1 << int(random.integers(8))
            case _:
                del text[place : place + 1]
    return bytes(text)


def value(random: Random) -> str:
    """Returns one value of any kind."""
    pool = (NUMBERS, TEXTS, NUMBERS, TEXTS, OTHERS)[random.integers(5)]
    return pool[random.integers(len(pool))]


def _value(random: Random, depth: int) -> str:
    kind = random.random()
    if depth > 3 or kind < 0.4:
        return repr(float(10.0 ** random.uniform(-320, 308))) if kind < 0.1 else value(random)
    space = ("", " ", "\n\t\r")[random.integers(3)]
    if kind < 0.7:
        inner = [_value(random, depth + 1) for _ in range(random.integers(0, 4))]
        return "[" + space + f"{space},{space}".join(inner) + space + "]"
    keys = [TEXTS[random.integers(len(TEXTS))] if random.random() < 0.4 else f'"{key}"' for key in "abc"]
    pairs = [f"{key}{space}:{space}{_value(random, depth + 1)}" for key in keys[: random.integers(0, 4)]]
    return "{" + space + f"{space},{space}".join(pairs) + space + "}"
