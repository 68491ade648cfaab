"""Any damage at all is refused or harmless, and never crashes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.manifest_file import MANIFEST_FILE, BundleRefusalError, read_manifest
from tests.support import bundles
from tests.support.bundles import refusal

Content = dict[str, Any]


MANY = settings(max_examples=120)


def json_of(floats: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | floats | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )


JSON = json_of(st.floats())
FINITE_JSON = json_of(st.floats(allow_nan=False, allow_infinity=False))  # NaN cannot be sealed


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value in a JSON tree is."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def mutated(content: Content, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy: Any = json.loads(json.dumps(content))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


@MANY
@given(st.data())
def test_any_json_in_any_place_is_opened_as_it_was_or_refused(folder: Path, data: st.DataObject) -> None:
    original = (folder / MANIFEST_FILE).read_bytes()
    content = json.loads(original)
    changed = mutated(content, data.draw(st.sampled_from(list(places(content)))), data.draw(JSON))
    try:
        (folder / MANIFEST_FILE).write_text(json.dumps(changed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        assert open_bundle(folder).manifest == read_manifest(original)
    except (BundleRefusalError, UnicodeEncodeError):
        pass
    finally:
        (folder / MANIFEST_FILE).write_bytes(original)


@MANY
@given(st.data())
def test_any_sealed_json_in_any_place_opens_or_is_refused_and_never_crashes(folder: Path, data: st.DataObject) -> None:
    original = (folder / MANIFEST_FILE).read_bytes()
    content = json.loads(original)
    changed = mutated(content, data.draw(st.sampled_from(list(places(content))[1:])), data.draw(FINITE_JSON))
    try:
        bundles.reseal(folder, changed)
        open_bundle(folder)
    except (BundleRefusalError, UnicodeEncodeError):
        pass
    finally:
        (folder / MANIFEST_FILE).write_bytes(original)


@MANY
@given(st.data())
def test_any_changed_byte_and_any_truncation_of_any_file_is_refused(folder: Path, data: st.DataObject) -> None:
    paths = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    file = folder / data.draw(st.sampled_from(paths))
    original = file.read_bytes()
    at = data.draw(st.integers(0, len(original) - 1))
    if data.draw(st.booleans()):
        changed = original[:at]
    else:
        changed = original[:at] + bytes([original[at] ^ data.draw(st.integers(1, 255))]) + original[at + 1 :]
    try:
        file.write_bytes(changed)
        refusal(folder)
    finally:
        file.write_bytes(original)


@settings(max_examples=200)
@given(st.binary(max_size=300) | st.text().map(str.encode) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_as_a_manifest_are_refused(data: bytes) -> None:
    with pytest.raises(BundleRefusalError):
        read_manifest(data)


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b'{"a":1,"a":1}', b'{"schema_number": NaN}', b"9" * 10_000, b'{"schema_number": true}']
)
def test_json_that_parsers_disagree_about_is_refused(data: bytes) -> None:
    with pytest.raises(BundleRefusalError):
        read_manifest(data)
