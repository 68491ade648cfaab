"""PyTorch is given no other net than the graph's, and runs nothing, also by files that were sealed anew."""

import io
import json
import pickle
import random
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mobile_sdk.cli.app import call
from mobile_sdk.errors import BundleError
from mobile_sdk.program.program import Program
from mobile_sdk.program.viewed_program import load_with_view
from tests.support.graphs import GRAPHS, float_graph, int8_graph
from tests.support.program_files import Trap, content, members, program_of, rewritten

MODEL, CONFIG = "models/model.json", "data/weights/model_weights_config.json"
EXAMPLE = "data/sample_inputs/model.pt"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("view") / "program.pt2"
    program_of(int8_graph("squeeze excite")).save(path)
    return path


@pytest.mark.parametrize("make", [int8_graph, float_graph])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_programs_view_is_that_of_its_graph(name: str, make: Callable[[str], Any], tmp_path: Path) -> None:
    program = program_of(make(name))
    program.save(tmp_path / "program.pt2")
    assert load_with_view(tmp_path / "program.pt2").digest() == program.digest()


def sealed_with(saved: Path, folder: Path, name: str, value: Any) -> Path:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return rewritten(saved, folder, {name: data}, resealed=True)


def nodes(model: Any) -> list[Any]:
    found: list[Any] = model["graph_module"]["graph"]["nodes"]
    return found


def other_range(model: Any) -> None:
    for node in nodes(model):
        if "dequantize_per_tensor" in node["target"]:
            node["inputs"][4]["arg"]["as_int"] = 40


def other_mean(model: Any) -> None:
    node = next(each for each in nodes(model) if "mean" in each["target"])
    node["inputs"][1]["arg"]["as_ints"] = [2]


def other_operator(model: Any) -> None:
    node = next(each for each in nodes(model) if each["target"].endswith("mul.Tensor"))
    node["target"] = "torch.ops.aten.sub.Tensor"


def one_more(model: Any) -> None:
    nodes(model).append(nodes(model)[-1])


def swapped_buffers(model: Any) -> None:
    specs = model["graph_module"]["signature"]["input_specs"]
    first, second = (spec["buffer"] for spec in specs[:2])
    first["buffer_name"], second["buffer_name"] = second["buffer_name"], first["buffer_name"]


def by_keyword(model: Any) -> None:
    nodes(model)[0]["inputs"][1]["kind"] = 2


def guards(model: Any) -> None:
    model["guards_code"] = ["print(1)"]


FORGERIES = (other_range, other_mean, other_operator, one_more, swapped_buffers, by_keyword, guards)


@pytest.mark.parametrize("forge", FORGERIES, ids=[forge.__name__ for forge in FORGERIES])
def test_another_net_for_pytorch_is_refused_though_it_is_sealed(
    forge: Callable[[Any], None], saved: Path, tmp_path: Path
) -> None:
    model = content(saved, MODEL)
    forge(model)
    path = sealed_with(saved, tmp_path, MODEL, model)
    Program.load(path)  # the SDK reads the graph alone
    with pytest.raises(BundleError, match=r"expected PyTorch's view in rewritten.pt2 to be that of its graph"):
        load_with_view(path)


def test_the_verbs_that_judge_a_program_refuse_it(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = content(saved, MODEL)
    other_range(model)
    path = sealed_with(saved, tmp_path, MODEL, model)
    for words in (["inspect", str(path)], ["export", str(path), "--out", str(tmp_path / "bundles")]):
        assert call(words) == 6
        assert "expected PyTorch's view in rewritten.pt2" in capsys.readouterr().err
    assert not (tmp_path / "bundles").exists()


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    match value:
        case dict():
            for key, each in value.items():
                yield from leaves(each, (*path, key))
        case list():
            for index, each in enumerate(value):
                yield from leaves(each, (*path, index))
        case _:
            yield path


def changed(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}_"
    return 1


FREE = re.compile(
    r"nodes \d+ inputs \d+ name"  # arguments go by their position
    r"|tensor_values \w+ (strides|storage_offset)"
    r"|tensor_values (dequantize|view|conv|mean|mul|add|relu|hard|linear|max|avg)\w* "  # shapes that follow from others
    r"|opset_version|verifiers|torch_version|schema_version"
)


@pytest.mark.parametrize("name", [MODEL, CONFIG])
def test_of_all_the_leaves_of_the_view_only_those_that_decide_nothing_are_free(
    name: str, saved: Path, tmp_path: Path
) -> None:
    whole, draw = content(saved, name), random.Random(name)
    for path in draw.sample(list(leaves(whole)), 120):
        value = json.loads(json.dumps(whole))
        *before, last = path
        place = value
        for key in before:
            place = place[key]
        place[last] = changed(place[last])
        if FREE.search(" ".join(map(str, path))):
            continue
        with pytest.raises(BundleError):
            load_with_view(sealed_with(saved, tmp_path, name, value))


@pytest.mark.parametrize(
    "name",
    [
        "models/other.json",
        "data/weights/model.pt",
        "data/constants/opaque_obj_0",
        "data/aotinductor/model/run.so",
        "data/executorch/a.pte",
        "extra/other.json",
        "archive_format/x",
    ],
)
def test_a_member_that_the_sdk_does_not_write_is_refused_though_it_is_sealed(
    name: str, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=f"expected members that this SDK writes in .*, found '{name}'"):
        Program.load(sealed_with(saved, tmp_path, name, b"{}"))


def torch_saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def scripted() -> bytes:
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.ReLU(), torch.zeros(1)), file)  # type: ignore[no-untyped-call]
    return file.getvalue()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["bare", "in a zip file", "scripted", "after a tensor", "empty"])
def test_every_pickle_but_that_of_a_tensor_is_refused_and_none_is_run(kind: str, saved: Path, tmp_path: Path) -> None:
    trap = Trap(tmp_path / "sprung")
    data = {
        "bare": lambda: pickle.dumps(trap),
        "in a zip file": lambda: torch_saved(trap),
        "scripted": scripted,
        "after a tensor": lambda: torch_saved((torch.zeros(1, dtype=torch.int8), trap)),
        "empty": lambda: b"",
    }[kind]()
    with pytest.raises(BundleError, match=f"expected a tensor as {EXAMPLE} in .*, found a pickle"):
        Program.load(sealed_with(saved, tmp_path, EXAMPLE, data))
    assert not (tmp_path / "sprung").exists()


def test_a_weight_or_constant_that_pytorch_would_unpickle_is_refused(saved: Path, tmp_path: Path) -> None:
    config = content(saved, CONFIG)
    config["config"]["operator_0.weight"]["use_pickle"] = True
    with pytest.raises(BundleError, match="found a pickle, which could run code"):
        Program.load(sealed_with(saved, tmp_path, CONFIG, config))
    constants = {"config": {"x": {"path_name": "opaque_obj_0", "use_pickle": True}}}
    with pytest.raises(BundleError, match="found a pickle, which could run code"):
        Program.load(sealed_with(saved, tmp_path, "data/constants/model_constants_config.json", constants))


def local_header(data: bytes, path: Path, name: str) -> int:
    with zipfile.ZipFile(path) as file:
        found = file.getinfo(f"archive/{name}").header_offset
    assert data[found : found + 4] == b"PK\3\4"
    return found


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def moved(data: bytes, by: int) -> bytes:
    """The file with bytes before it, and its directory corrected, so that zip readers find everything."""
    file = io.BytesIO(b"x" * by)
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "a") as new:
        for info in old.infolist():
            new.writestr(zipfile.ZipInfo(info.filename), old.read(info))
    return file.getvalue()


@pytest.mark.parametrize(
    "trick",
    ["before", "behind", "comment", "gap", "local name", "local size", "local extra", "another descriptor", "twice"],
)
def test_a_zip_file_that_two_readers_read_differently_is_refused(trick: str, saved: Path, tmp_path: Path) -> None:
    """Some readers go by the directory, others by what stands before each member, others by the last end."""
    data, path = saved.read_bytes(), tmp_path / "trick.pt2"
    record, weight = local_header(data, saved, "extra/record.json"), local_header(data, saved, "data/weights/weight_0")
    name_bytes, extra_bytes = struct.unpack_from("<2H", data, weight + 26)
    match trick:
        case "before":
            data = moved(data, 7)
        case "behind":
            data += b"x"
        case "comment":
            data = data[:-2] + b"\1\0x"
        case "gap":
            file = io.BytesIO(data)
            with zipfile.ZipFile(file, "a") as archive:
                archive.fp.seek(archive.start_dir)  # type: ignore[union-attr]
                archive.fp.write(b"x" * 9)  # type: ignore[union-attr]
                archive.start_dir += 9
                archive.writestr("archive/arrays/0", b"")
            data = file.getvalue()
        case "local name":
            data = patched(data, record + 30 + len("archive/extra/"), b"r3cord")
        case "local size":
            data = patched(data, record + 22, struct.pack("<I", 5))
        case "local extra":
            data = patched(data, weight + 30 + name_bytes, b"\x75\x70")
        case "another descriptor":
            size = len(members(saved)["data/weights/weight_0"])
            data = patched(data, weight + 30 + name_bytes + extra_bytes + size + 4, b"\0\0\0\0")
        case "twice":
            file = io.BytesIO(data)
            with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("archive/extra/record.json", b"{}")
            data = file.getvalue()
    path.write_bytes(data)
    with pytest.raises(BundleError, match=r"found trick\.pt2 damaged"):
        Program.load(path)


@pytest.mark.parametrize("name", [MODEL, CONFIG])
def test_a_key_that_the_view_names_twice_is_refused(saved: Path, tmp_path: Path, name: str) -> None:
    text = members(saved)[name].decode()
    first = next(iter(json.loads(text)))
    doubled = text.replace("{", f'{{"{first}": null, ', 1).encode()
    with pytest.raises(BundleError, match=f"the key '{first}' twice"):
        load_with_view(sealed_with(saved, tmp_path, name, doubled))
