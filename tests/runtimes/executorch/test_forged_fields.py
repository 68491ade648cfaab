"""A `.pte` says nothing beside what is asked for, in its header, its program, its segments and its delegate's blob."""

import copy
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobile_sdk.errors import BundleError
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.executorch.delegate_blob import BLOB_HEADER, decode_blob, encode_blob
from mobile_sdk.runtimes.executorch.pte_file import (
    HEADER,
    SEGMENT_ALIGNMENT,
    parse_pte,
    program_schema,
    sealed,
)
from mobile_sdk.runtimes.flatbuffer.encoding import encode
from tests.support.graphs import contract_for, int8_graph

GRAPH = int8_graph("conv chain")
RUNTIME = ExecuTorchRuntime()
Program = dict[str, Any]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("executorch") / "fresh.pte"
    RUNTIME.export(GRAPH, contract_for(GRAPH), path)
    return path


def found(data: bytes, fresh: Path, folder: Path) -> str:
    """The first difference or refusal of a file without its seal; nothing if it counts as equal."""
    (folder / "forged.pte").write_bytes(sealed(data))
    try:
        differences = RUNTIME.differences(folder / "forged.pte", fresh, GRAPH)
    except BundleError as error:
        return error.message
    return differences[0] if differences else ""


def parts(fresh: Path) -> tuple[Program, list[bytes]]:
    """The program of the honest file, to be changed, and what is in its segments."""
    data = fresh.read_bytes()
    base = HEADER.unpack_from(data, 8)[3]
    program = copy.deepcopy(dict(parse_pte(data).program))
    return program, [data[base + each["offset"] :][: each["size"]] for each in program["segments"]]


def packed(program: Program, segments: list[bytes]) -> bytes:
    """A file of these parts, laid out as ExecuTorch lays them out."""
    body = bytearray()
    for segment, entry in zip(segments, program["segments"], strict=False):
        body += bytes(-len(body) % SEGMENT_ALIGNMENT)
        entry.update(offset=len(body), size=len(segment))
        body += segment
    flatbuffer = encode(program_schema(), program)
    size = len(flatbuffer) + HEADER.size
    base = size + -size % SEGMENT_ALIGNMENT
    root = struct.pack("<I", struct.unpack_from("<I", flatbuffer)[0] + HEADER.size)
    header = HEADER.pack(b"eh00", HEADER.size, size, base, len(body))
    return root + flatbuffer[4:8] + header + flatbuffer[8:] + bytes(base - size) + bytes(body)


def plan(program: Program) -> Program:
    only: Program = program["execution_plan"][0]
    return only


def second_name(program: Program) -> None:
    """A loader that takes the first of two takes other weights than one that takes the last."""
    program["named_data"].insert(0, {**program["named_data"][1], "key": program["named_data"][0]["key"]})


PROGRAMS: dict[str, Callable[[Program], Any]] = {
    "another version": lambda program: program.update(version=1),
    "a second plan": lambda program: program["execution_plan"].append({**plan(program), "name": "backward"}),
    "another name of the plan": lambda program: plan(program).update(name="forwards"),
    "another backend": lambda program: plan(program)["delegates"][0].update(id="VulkanBackend"),
    "an option of the backend": lambda program: plan(program)["delegates"][0].update(
        compile_specs=[{"key": "workspace", "value": b"\1"}]
    ),
    "the delegate inside the program": lambda program: plan(program)["delegates"][0]["processed"].update(location=0),
    "an operator": lambda program: plan(program).update(operators=[{"name": "aten::add", "overload": "out"}]),
    "a larger buffer": lambda program: plan(program)["non_const_buffer_sizes"].__setitem__(1, 1 << 20),
    "a device": lambda program: plan(program).update(non_const_buffer_device=[{"buffer_idx": 1, "device_type": 1}]),
    "a call too many": lambda program: plan(program)["chains"][0]["instructions"].append(
        plan(program)["chains"][0]["instructions"][0]
    ),
    "frames of a stack": lambda program: plan(program)["chains"][0].update(stacktrace=[{"items": []}]),
    "an input that is the output": lambda program: plan(program).update(inputs=[1]),
    "another shape": lambda program: plan(program)["values"][0]["val"][1].update(sizes=[1, 3, 16, 16]),
    "a tensor outside the file": lambda program: plan(program)["values"][0]["val"][1].update(
        extra_tensor_info={"location": 1, "fully_qualified_name": "weights"}
    ),
    "constants of the program's own": lambda program: program.update(constant_buffer=[{"storage": b"abcd"}]),
    "a delegate's data in the program": lambda program: program.update(backend_delegate_data=[{"data": b"abcd"}]),
    "constants in another segment": lambda program: program["constant_segment"].update(segment_index=1),
    "another constant": lambda program: program["constant_segment"]["offsets"].append(16),
    "data that changes": lambda program: program.update(mutable_data_segments=[{"segment_index": 2, "offsets": [0]}]),
    "two names exchanged": lambda program: (
        program["named_data"][0].update(segment_index=3),
        program["named_data"][1].update(segment_index=2),
    ),
    "a name that occurs twice": second_name,
    "a further name": lambda program: program["named_data"].append({"key": "extra", "segment_index": 2}),
    "a segment that nothing names": lambda program: program["segments"].append({"offset": 0, "size": 0}),
}


def test_the_honest_parts_count_as_equal(fresh: Path, tmp_path: Path) -> None:
    assert found(packed(*parts(fresh)), fresh, tmp_path) == ""


@pytest.mark.parametrize("name", PROGRAMS)
def test_whatever_else_the_program_says_is_found(name: str, fresh: Path, tmp_path: Path) -> None:
    program, segments = parts(fresh)
    PROGRAMS[name](program)
    assert found(packed(program, segments), fresh, tmp_path)


def with_field(place: int, format_: str, change: Callable[[int], int]) -> Callable[[bytes], bytes]:
    """Changes one number of the blob's header."""

    def changed(blob: bytes) -> bytes:
        data = bytearray(blob)
        struct.pack_into(format_, data, place, change(struct.unpack_from(format_, data, place)[0]))
        return bytes(data)

    return changed


def with_graph(change: Callable[[Program], Any]) -> Callable[[bytes], bytes]:
    """Changes the delegate's graph."""

    def changed(blob: bytes) -> bytes:
        graph = decode_blob(blob)
        change(graph)
        return encode_blob(graph)

    return changed


def node(graph: Program, index: int = 1) -> Program:
    fields: Program = graph["xnodes"][index]["xnode_union"][1]
    return fields


BLOBS: dict[str, Callable[[bytes], bytes]] = {
    "letters before the magic": with_field(0, "<I", lambda _: 7),
    "another length of the header": with_field(8, "<H", lambda size: size + 1),
    "constants elsewhere": with_field(18, "<I", lambda offset: offset - 16),
    "constants in the blob": with_field(22, "<Q", lambda _: 16),
    "bytes in the header's padding": with_field(BLOB_HEADER.size, "<B", lambda _: 1),
    "bytes behind the graph": lambda blob: blob + bytes(15) + b"\1",
    "another version": with_graph(lambda graph: graph.update(version="1")),
    "flags of a node": with_graph(lambda graph: node(graph).update(flags=1)),
    "a clamp": with_graph(lambda graph: graph["xnodes"][1].update(output_min_max={"output_max": 5.0})),
    "another handle": with_graph(lambda graph: graph["xnodes"][1].update(debug_handle=0)),
    "flags of a value": with_graph(
        lambda graph: graph["xvalues"][1]["xvalue_union"][1]["tensor_value"].update(flags=1)
    ),
    "scales in the graph": with_graph(
        lambda graph: next(
            value["xvalue_union"][1]["quant_params"][1]
            for value in graph["xvalues"]
            if value["xvalue_union"][1].get("quant_params", ("",))[0] == "PerChannelQuant"
        ).update(scale=[1.0])
    ),
    "a constant at an offset": with_graph(lambda graph: graph["constant_data"][1].update(offset=0)),
    "a constant of another length": with_graph(lambda graph: graph["constant_data"][1].update(size=1)),
    "a further constant": with_graph(lambda graph: graph["constant_data"].append(dict(graph["constant_data"][1]))),
    "a further value": with_graph(lambda graph: graph["xvalues"].append(graph["xvalues"][0])),
    "a further output": with_graph(lambda graph: graph["output_ids"].append(1)),
    "more external values": with_graph(lambda graph: graph.update(num_externs=3)),
    "memory that schemas once had": with_graph(lambda graph: graph.update(mem_buffer_sizes=[1])),
}


@pytest.mark.parametrize("name", BLOBS)
def test_whatever_else_the_delegate_says_is_found(name: str, fresh: Path, tmp_path: Path) -> None:
    program, segments = parts(fresh)
    segments[1] = BLOBS[name](segments[1])
    assert found(packed(program, segments), fresh, tmp_path)


def test_bytes_between_segments_and_another_length_of_the_header_are_refused(fresh: Path, tmp_path: Path) -> None:
    data = packed(*parts(fresh))
    program, base = parts(fresh)[0], HEADER.unpack_from(data, 8)[3]
    gap = base + program["segments"][1]["offset"] + program["segments"][1]["size"]
    while (gap - base) % SEGMENT_ALIGNMENT == 0:
        gap = base + program["segments"][3]["offset"] + program["segments"][3]["size"]
    for place, value in ((gap, 1), (base - 1, 1), (12, HEADER.size + 8)):
        forged = bytearray(data)
        forged[place] = value
        assert found(bytes(forged), fresh, tmp_path), place
