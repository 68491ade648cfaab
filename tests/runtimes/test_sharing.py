"""Equal vectors stand once in a model file: it is smaller, reads back as asked, and is aligned as before."""

import struct
from pathlib import Path

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as some

from mobile_sdk.runtimes.flatbuffer.decoding import decode
from mobile_sdk.runtimes.flatbuffer.encoding import encode
from mobile_sdk.runtimes.flatbuffer.schema import read_schema
from mobile_sdk.runtimes.flatbuffer.sharing_builder import SharingBuilder
from mobile_sdk.runtimes.tflite.export import write_model
from mobile_sdk.runtimes.tflite.file_format import to_bytes
from mobile_sdk.runtimes.tflite.readback import WRITTEN
from mobile_sdk.runtimes.tflite.requested import request
from tests.support.graphs import contract_for, int8_graph

GRAPH = int8_graph("mobile block")


def test_a_file_is_smaller_than_one_that_repeats_its_vectors_and_holds_the_same() -> None:
    model, plain = request(GRAPH, contract_for(GRAPH)), flatbuffers.Builder(1024)
    plain.Finish(model.Pack(plain), file_identifier=b"TFL3")
    repeated, shared = bytes(plain.Output()), to_bytes(model)
    assert len(shared) < 0.9 * len(repeated)
    assert decode(read_schema(WRITTEN), shared) == decode(read_schema(WRITTEN), repeated)


def test_no_vector_of_numbers_stands_twice() -> None:
    model = schema.Model.GetRootAs(write_model(GRAPH, contract_for(GRAPH)))
    grids = [model.Subgraphs(0).Tensors(index).Quantization() for index in range(model.Subgraphs(0).TensorsLength())]
    for slot, read in ((8, "ScaleAsNumpy"), (10, "ZeroPointAsNumpy")):
        starts: dict[bytes, set[int]] = {}
        for grid in (each for each in grids if each is not None):
            start = grid._tab.Vector(grid._tab.Offset(slot))
            starts.setdefault(np.asarray(getattr(grid, read)()).tobytes(), set()).add(start)
        assert len(starts) > 1 and all(len(places) == 1 for places in starts.values()), read


def test_a_vector_is_not_shared_with_a_less_aligned_one() -> None:
    builder, starts = SharingBuilder(64), []
    for alignment in (4, 16, 4, 16):
        builder.CreateByteVector(b"odd")
        builder.StartVector(1, 16, alignment)
        for _ in range(16):
            builder.PrependByte(7)
        starts.append(builder.EndVector())
    assert starts[0] == starts[2] and starts[1] == starts[3] and starts[0] != starts[1]
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, starts[1], 0)
    builder.Finish(builder.EndObject())
    data = bytes(builder.Output())
    (vector,) = struct.unpack_from("<I", data, len(data) - starts[1])
    assert vector == 16 and (len(data) - starts[1] + 4) % 16 == 0


def test_vectors_of_offsets_are_never_shared() -> None:
    builder = SharingBuilder(64)
    found = []
    for name in ("a", "b"):
        text = builder.CreateString(name)
        builder.StartVector(4, 1, 4)
        builder.PrependUOffsetTRelative(text)
        found.append(builder.EndVector())
    assert len(set(found)) == 2


TEXT = 'file_identifier "TEST"; root_type A; table A { a:[int]; b:[long]; c:[float]; d:[ubyte]; e:[A]; f:[string]; }'
numbers = some.lists(some.integers(0, 2), max_size=3)
tables = some.recursive(
    some.fixed_dictionaries({"a": numbers, "b": numbers, "c": some.lists(some.sampled_from([0.0, -0.0, 1.0]))}),
    lambda inner: some.fixed_dictionaries(
        {
            "a": numbers,
            "b": numbers,
            "d": some.binary(max_size=9),
            "e": some.lists(inner, max_size=3),
            "f": some.lists(some.sampled_from(["", "x"]), max_size=2),
        }
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("schema") / "a.fbs"
    path.write_text(TEXT)
    return path


@given(value=tables)
def test_whatever_is_written_reads_back(written: Path, value: dict[str, object]) -> None:
    known = read_schema(written)
    assert repr(decode(known, encode(known, value))) == repr(known.completed(value))
