"""A written bundle holds everything promised, and writing one has no side effects."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.golden.samples import choose_goldens, generated_goldens
from mobile_sdk.bundle.lowering import folder_name, lower
from mobile_sdk.bundle.manifest import Figure
from mobile_sdk.bundle.manifest_file import MANIFEST_FILE, seal
from mobile_sdk.bundle.writer import write_bundle
from mobile_sdk.contract import ImageSpec
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.errors import CompileError, MachineError, SettingError
from mobile_sdk.preprocess import to_bytes
from tests.support import bundles


def test_a_written_bundle_opens_and_says_what_the_program_says(pristine: Bundle) -> None:
    manifest, program = open_bundle(pristine.path).manifest, bundles.program()
    assert manifest.contract == program.contract
    assert manifest.program_sha256 == program.digest()
    assert manifest.quality.int8_reference == Figure.of(program.record.reference_quality)
    grid = program.graph.output.quantization
    assert grid is not None
    assert (manifest.interface.output.scale, manifest.interface.output.zero_point) == (grid.scale, grid.zero_point)
    assert manifest.structure.int8_weight_share == 1.0


def test_the_golden_input_is_what_the_recipe_makes_of_the_golden_picture(pristine: Bundle) -> None:
    for index in range(3):
        png = Image.open(pristine.path / f"golden/{index}.png")
        pixels = to_bytes(png, pristine.manifest.image)
        given = (pixels.astype(int) + pristine.interface.input.byte_offset).astype(pristine.interface.input.dtype)
        assert hashlib.sha256(given.tobytes()).hexdigest() == pristine.manifest.golden.pictures[index].input_sha256
        assert pristine.golden_tensors()[index][0] == given.tobytes()
        assert np.array_equal(pristine.golden_picture(index), pixels)


def test_golden_pictures_have_different_labels_and_are_the_same_each_time() -> None:
    pictures = bundles.pictures()
    first, second = choose_goldens(pictures), choose_goldens(pictures)
    label_of = {picture.tobytes(): label for picture, label in pictures}
    assert len({label_of[golden.tobytes()] for golden in first}) == 3
    assert [golden.tobytes() for golden in first] == [golden.tobytes() for golden in second]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_pictures_give_few_goldens_and_one_label_is_enough(count: int) -> None:
    picture = bundles.pictures()[0][0]
    assert len(choose_goldens([(picture, 0)] * count)) == min(count, 3)


def test_generated_pictures_use_the_whole_range_of_bytes() -> None:
    for golden in generated_goldens(ImageSpec(size_px=64)):
        pixels = np.asarray(golden)
        assert pixels.min() < 20 and pixels.max() > 235
        assert 30 < pixels.std() < 90


def test_without_pictures_the_manifest_says_that_the_golden_ones_are_made_up(tmp_path: Path) -> None:
    bundle = lower(bundles.program(), tmp_path, runtimes=["tflite"])[0]
    assert bundle.manifest.golden.source == "generated"


def test_a_float_twin_is_named_as_one_and_expects_what_its_runtime_gives(tmp_path: Path) -> None:
    bundle = bundles.lowered(tmp_path, int8=False)
    assert bundle.path.name == "test-float.tflite"
    assert bundle.manifest.precision == "float32"
    assert bundle.golden_output(0).dtype == np.float32
    assert 0 < bundle.manifest.golden.tolerance < 1


def test_one_program_gives_one_bundle_to_the_byte(pristine: Bundle, tmp_path: Path) -> None:
    again = bundles.lowered(tmp_path)
    assert (again.path / MANIFEST_FILE).read_bytes() == (pristine.path / MANIFEST_FILE).read_bytes()


def test_a_label_that_looks_like_an_empty_seal_survives() -> None:
    content = {"labels": ["0" * 64], "manifest_sha256": "0" * 64}
    data = seal(content)
    assert json.loads(data)["labels"] == ["0" * 64]


def test_nothing_but_a_bundle_is_replaced(pristine: Bundle, folder: Path, tmp_path: Path) -> None:
    (folder / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(SettingError, match=r"thesis\.txt"):
        bundles.lowered(tmp_path)
    assert (folder / "thesis.txt").exists()
    (folder / "thesis.txt").unlink()
    (folder / "model.tflite").write_bytes(b"damaged")
    assert bundles.lowered(tmp_path).manifest == pristine.manifest


def test_a_file_or_a_link_in_the_way_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / folder_name(bundles.program(), runtimes.get("tflite"))
    target.write_text("mine", encoding="utf-8")
    with pytest.raises(SettingError):
        bundles.lowered(tmp_path)
    target.unlink()
    (tmp_path / "elsewhere").mkdir()
    target.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingError):
        bundles.lowered(tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_failed_write_leaves_the_old_bundle_and_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = runtimes.get("tflite")
    before = (folder / MANIFEST_FILE).read_bytes()

    def fail(*_: Any) -> None:
        raise CompileError("Conv2d at net.first: no", hint="change it")

    monkeypatch.setattr(MODELS, "structure", fail, raising=True)
    with pytest.raises(CompileError, match=r"net\.first"):
        write_bundle(folder, bundles.program(), runtime, choose_goldens(bundles.pictures()))
    assert (folder / MANIFEST_FILE).read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_what_a_runtime_refuses_leaves_the_bundles_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise CompileError("Conv2d at net.first: no", hint="change it")

    monkeypatch.setattr("mobile_sdk.runtimes.executorch.ExecuTorchRuntime.export", refuse)
    with pytest.raises(CompileError, match=r"net\.first"):
        lower(bundles.program(), tmp_path, runtimes=["tflite", "executorch"])
    assert [path.name for path in tmp_path.iterdir()] == ["test.tflite"]
    open_bundle(tmp_path / "test.tflite")


def test_a_float_bundle_is_not_written_where_its_outputs_cannot_be_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobile_sdk.runtimes.tflite.TfliteRuntime.unavailable", lambda _: "it is missing")
    with pytest.raises(MachineError, match="it is missing"):
        bundles.lowered(tmp_path, int8=False)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_runtime_is_named_with_the_one_meant(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="did you mean executorch"):
        lower(bundles.program(), tmp_path, runtimes=["tflite", "executorh"])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SettingError):
        lower(bundles.program(), tmp_path, runtimes=[])
