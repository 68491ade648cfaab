"""Program files of schema 2, written by an earlier SDK: still read, with the digests that bundles recorded of them."""

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_sdk.analysis.layer_pairing import counterparts
from mobile_sdk.errors import BundleError, SettingError
from mobile_sdk.program.program import Program
from mobile_sdk.program.viewed_program import load_with_view
from tests.support.program_files import Trap, content, members, rewritten

ARCHIVE = Path(__file__).parents[1] / "support" / "fixtures" / "programs_schema_2.zip"
with zipfile.ZipFile(ARCHIVE) as _archive:
    DIGESTS: dict[str, dict[str, str]] = json.loads(_archive.read("digests.json"))


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the files."""
    folder = tmp_path_factory.mktemp("schema_2")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.parametrize("name", DIGESTS)
def test_an_old_program_is_read_with_the_digests_that_it_was_written_with(name: str, old: Path, tmp_path: Path) -> None:
    program = Program.load(old / f"{name}.pt2")
    assert program.digest() == DIGESTS[name]["program"] and program.graph.digest() == DIGESTS[name]["graph"]
    program.save(tmp_path / "new.pt2")
    again = Program.load(tmp_path / "new.pt2")
    assert again.digest() == program.digest() and again.contract == program.contract and again.record == program.record
    assert content(tmp_path / "new.pt2", "extra/seal.json")["schema_number"] == 3


def test_every_kind_of_program_is_among_the_files() -> None:
    assert {"mixed", "detector", "float twin", "grouped and shuffled"} < DIGESTS.keys()


def test_an_old_program_knows_no_pairs_and_says_so(old: Path) -> None:
    mixed = Program.load(old / "mixed.pt2").graph
    twin = Program.load(old / "float twin.pt2").graph
    with pytest.raises(SettingError, match="expected a program and the float32 twin") as error:
        counterparts(mixed, mixed)
    assert "same net" in str(error.value)
    program = Program.load(old / "squeeze excite.pt2").graph
    with pytest.raises(SettingError, match="found a program without pairs") as error:
        counterparts(program, twin)
    assert "mobile-sdk quantize" in error.value.hint


def test_a_changed_label_in_an_old_program_is_refused(old: Path, tmp_path: Path) -> None:
    path = old / "concat pool.pt2"
    contract = members(path)["extra/contract.json"].replace(b"label 0", b"label X")
    with pytest.raises(BundleError, match="fingerprint"):
        Program.load(rewritten(path, tmp_path, {"extra/contract.json": contract}))


@pytest.mark.parametrize("name", ["contract.json", "record.json", "names.json"])
def test_an_old_program_without_a_document_is_refused_by_its_name(name: str, old: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=f"found a .pt2 without {name}"):
        Program.load(rewritten(old / "concat pool.pt2", tmp_path, {f"extra/{name}": None}))


def test_a_bias_off_its_grid_in_an_old_program_is_refused(old: Path, tmp_path: Path) -> None:
    path = old / "squeeze excite.pt2"
    config = content(path, "data/weights/model_weights_config.json")["config"]
    record = "data/weights/" + config["operator_0.bias_scales"]["path_name"]
    scales = np.frombuffer(members(path)[record], "<f4") * np.float32(2)
    with pytest.raises(BundleError, match="not on the grid"):
        Program.load(rewritten(path, tmp_path, {record: scales.tobytes()}))


def test_a_pickle_in_an_old_program_is_refused_and_never_run(old: Path, tmp_path: Path) -> None:
    path = old / "squeeze excite.pt2"
    config = content(path, "data/weights/model_weights_config.json")
    entry = config["config"]["operator_0.weight"]
    entry["use_pickle"] = True
    trap = pickle.dumps(Trap(tmp_path / "sprung"))
    changes: dict[str, bytes | None] = {
        "data/weights/model_weights_config.json": json.dumps(config).encode(),
        f"data/weights/{entry['path_name']}": trap,
        "data/sample_inputs/model.pt": trap,
    }
    with pytest.raises(BundleError, match="pickle"):
        Program.load(rewritten(path, tmp_path, changes))
    assert not (tmp_path / "sprung").exists()


@settings(max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), text=st.text('0123456789[]{}":,nulltrue', min_size=1, max_size=4))
def test_a_changed_graph_in_an_old_program_is_refused_or_changes_nothing(
    old: Path, tmp_path: Path, place: float, text: str
) -> None:
    path = old / "squeeze excite.pt2"
    model = members(path)["models/model.json"].decode()
    start = int(place * len(model))
    changed = model[:start] + text + model[start + len(text) :]
    try:
        found = Program.load(rewritten(path, tmp_path, {"models/model.json": changed.encode()}))
    except BundleError:
        return
    assert found.digest() == DIGESTS["squeeze excite"]["program"]


@pytest.mark.parametrize("name", DIGESTS)
def test_an_old_programs_view_is_that_of_its_graph(name: str, old: Path) -> None:
    assert load_with_view(old / f"{name}.pt2").digest() == DIGESTS[name]["program"]


def argument_of(target: str, position: int, kind: str, value: object) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        nodes = model["graph_module"]["graph"]["nodes"]
        node = next(each for each in nodes if target in each["target"])
        node["inputs"][position]["arg"][kind] = value

    return change


UNREAD: dict[str, Callable[[Any], None]] = {
    "quant_min": argument_of("quantize_per_tensor", 3, "as_int", -40),
    "quant_max": argument_of("dequantize_per_tensor", 4, "as_int", 40),
    "dtype": argument_of("dequantize_per_tensor", 5, "as_scalar_type", 1),
    "quant_max of weights": argument_of("dequantize_per_channel", 5, "as_int", 7),
    "the mean's dim": argument_of("mean.dim", 1, "as_ints", [2]),
    "keepdim": argument_of("mean.dim", 2, "as_bool", False),
}


@pytest.mark.parametrize("name", UNREAD)
def test_an_argument_that_only_torch_reads_in_an_old_program_is_the_sdks_own(
    name: str, old: Path, tmp_path: Path
) -> None:
    path = old / "squeeze excite.pt2"
    model = content(path, "models/model.json")
    UNREAD[name](model)
    changed = rewritten(path, tmp_path, {"models/model.json": json.dumps(model).encode()})
    assert Program.load(changed).digest() == DIGESTS["squeeze excite"]["program"]
    with pytest.raises(BundleError, match=r"expected PyTorch's view in .* to be that of its graph"):
        load_with_view(changed)
