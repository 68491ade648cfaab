"""The one reader of JSON refuses what readers disagree about, in every document of the SDK."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mobile_sdk.contract import Contract
from mobile_sdk.document import parse_json, schema_number_of
from mobile_sdk.verification.verdict import Verdicts

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


@given(values)
def test_what_is_written_is_read_back(value: object) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' twice"),
        ('{"b": {"a": 1, "\\u0061": 2}}', "the key 'a' twice"),
        ("[NaN]", "NaN, which is no JSON"),
        ("-Infinity", "-Infinity, which is no JSON"),
        ("1e309", "beyond double precision"),
        ("-1e99999999999999999999", "beyond double precision"),
        ("1" + "0" * 309, "beyond double precision"),
        ("9" * 5000, "beyond double precision"),
        ('"\\ud800"', "half a pair"),
        ('{"\\udc00\\ud800": 1}', "half a pair"),
        ("[" * 65 + "]" * 65, "more than 64"),
        ("[" * 64 + "1" + "]" * 64, "more than 64"),
        ("[" * 100_000 + "]" * 100_000, "more than 64"),
        ("\ufeff1", "byte-order mark"),
        ("[1,]", "Illegal trailing|Expecting"),
        ("", "Expecting"),
    ],
)
def test_what_readers_disagree_about_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_json(text)
    with pytest.raises(ValueError, match=reason):
        parse_json(text.encode("utf-8", "surrogatepass"))


def test_what_they_agree_about_is_read() -> None:
    assert parse_json("[" * 64 + "]" * 64)
    assert parse_json("1" + "0" * 308) == 10**308 and parse_json("0e99999999999") == 0
    assert parse_json('{"é": 1, "e\u0301": 2}') == {"é": 1, "e\u0301": 2}
    assert parse_json('"\\ud83d\\ude00"') == "😀"
    assert parse_json("1" + "0" * 400 + "e-400") == 1.0


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        parse_json(b'"\xed\xa0\x80"')


@pytest.mark.parametrize("document", [Contract, Verdicts])
def test_every_document_refuses_a_key_that_occurs_twice(document: type[Contract]) -> None:
    with pytest.raises(ValidationError, match="the key 'name' twice"):
        document.model_validate_json('{"name": "a", "name": "b", "labels": ["x", "y"]}')
    assert schema_number_of(b'{"schema_number": 1, "schema_number": 2}') == 0
