"""Core ML from iOS 18 on holds 4-bit weights as constants of 4 bits: half as large, the same scores."""

import struct
from pathlib import Path

import numpy as np
import pytest

from mobile_sdk.errors import BundleError
from mobile_sdk.graph.operators import Weighted
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from tests.support import bundles
from tests.support.tiny_nets import rgb

FOUR, EIGHT = "constexpr_blockwise_shift_scale", "constexpr_affine_dequantize"
WEIGHT_FILE = "Data/com.apple.CoreML/weights/weight.bin"
INT4_RECORD, INT8_RECORD = (struct.pack("<II", 0xDEADBEEF, kind) for kind in (8, 4))  # MILBlob's StorageFormat.hpp


@pytest.fixture(scope="module")
def program() -> Program:
    return bundles.program(name="four-bit weights")


def runtime(target: str = "iOS18", **form: str) -> CoreMLRuntime:
    return CoreMLRuntime({"deployment_target": target, **form})


def written(program: Program, package: Path, chosen: CoreMLRuntime) -> Path:
    chosen.export(program.graph, program.contract, package)
    return package


@pytest.mark.parametrize("compute", ["exact", "neural-engine"])
def test_a_file_for_ios_18_has_half_the_bytes_of_a_4_bit_weight(program: Program, compute: str, tmp_path: Path) -> None:
    old = runtime("iOS17", compute=compute)
    new = runtime(compute=compute)
    former = old.structure(written(program, tmp_path / "old.mlpackage", old))
    found = new.structure(written(program, tmp_path / "new.mlpackage", new))
    layers = [each for each in program.graph.operators if isinstance(each, Weighted)]
    four = [each for each in layers if each.weight_bits == 4]
    assert (former.operators[EIGHT], former.operators.get(FOUR)) == (len(layers), None)
    assert (found.operators[EIGHT], found.operators[FOUR]) == (len(layers) - len(four), len(four))
    saved = former.bytes_by_part["weights"] - found.bytes_by_part["weights"]
    assert saved == sum(each.weight.size // 2 for each in four) > 0
    assert found.int8_weight_share == 1 and found.float_convolutions == 0


def test_its_scores_are_the_references(program: Program, tmp_path: Path) -> None:
    package = written(program, tmp_path / "model.mlpackage", runtime())
    images = rgb(8, program.contract.image.size_px)
    session = runtime().load(package, runtime().interface(program.graph), threads=1)
    found = in_steps(np.stack([session.run(image) for image in images]), program.graph)
    np.testing.assert_array_equal(found, in_steps(Reference(program.graph).run(images), program.graph))


def test_a_changed_nibble_is_named(program: Program, tmp_path: Path) -> None:
    fresh = written(program, tmp_path / "fresh.mlpackage", runtime())
    other = written(program, tmp_path / "other.mlpackage", runtime())
    assert runtime().differences(other, fresh, program.graph) == []
    data = bytearray((other / WEIGHT_FILE).read_bytes())
    (start,) = struct.unpack_from("<Q", data, data.rfind(INT4_RECORD) + 16)
    data[start] ^= 0x10
    (other / WEIGHT_FILE).write_bytes(data)
    (named,) = runtime().differences(other, fresh, program.graph)
    assert "net.linear_12" in named and "weight" in named


def test_a_weight_of_another_number_of_bits_is_refused(program: Program, tmp_path: Path) -> None:
    package = written(program, tmp_path / "model.mlpackage", runtime())
    data = (package / WEIGHT_FILE).read_bytes()
    assert data.count(INT4_RECORD) == 7
    (package / WEIGHT_FILE).write_bytes(data.replace(INT4_RECORD, INT8_RECORD))
    with pytest.raises(BundleError, match="no array of int4"):
        runtime().structure(package)
