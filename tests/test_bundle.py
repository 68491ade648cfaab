"""A bundle opens only when everything in it is what it says; every refusal is a named check."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bundles
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mobile_sdk import runtimes
from mobile_sdk.bundle import Bundle, open_bundle
from mobile_sdk.bundle_writer import write_bundle
from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import BundleError, CompileError, MachineError, SettingError
from mobile_sdk.golden import choose_goldens, generated_goldens
from mobile_sdk.lower import folder_name, lower
from mobile_sdk.manifest import MANIFEST_FILE, MAX_MANIFEST_BYTES, BundleRefusalError, is_safe_path, read_manifest, seal
from mobile_sdk.preprocess import to_bytes

Content = dict[str, Any]
Change = Callable[[Content], None]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundles.lowered(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def folder(pristine: Bundle, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(pristine.path, tmp_path / pristine.path.name))


def content_of(folder: Path) -> Content:
    content: Content = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    return content


def refusal(folder: Path) -> BundleRefusalError:
    with pytest.raises(BundleError) as caught:
        open_bundle(folder)
    assert caught.value.exit_code == 6
    assert isinstance(caught.value, BundleRefusalError)
    assert caught.value.message.startswith(caught.value.check + ": ")
    return caught.value


def check_after(folder: Path, change: Change) -> str:
    """The check that refuses the bundle after `change` of the manifest, sealed again."""
    content = content_of(folder)
    change(content)
    bundles.reseal(folder, content)
    return refusal(folder).check


def replace_listed(folder: Path, path: str, data: bytes) -> None:
    """Replaces a file together with its entry, as somebody would who knows the format."""
    (folder / path).write_bytes(data)
    content = content_of(folder)
    for entry in content["files"]:
        if entry["path"] == path:
            entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    bundles.reseal(folder, content)


# What is written


def test_a_written_bundle_opens_and_says_what_the_program_says(pristine: Bundle) -> None:
    manifest, program = open_bundle(pristine.path).manifest, bundles.program()
    assert manifest.contract == program.contract
    assert manifest.program_sha256 == program.digest()
    assert manifest.accuracy.int8_reference == program.record.reference_accuracy
    grid = program.graph.output.quantization
    assert grid is not None
    assert (manifest.interface.output.scale, manifest.interface.output.zero_point) == (grid.scale, grid.zero_point)
    assert manifest.structure.int8_weight_share == 1.0


def test_the_golden_input_is_what_the_recipe_makes_of_the_golden_picture(pristine: Bundle) -> None:
    for index in range(3):
        png = Image.open(pristine.path / f"golden/{index}.png")
        pixels = to_bytes(png, pristine.manifest.image)
        data = np.fromfile(pristine.path / f"golden/{index}.input.bin", np.uint8).reshape(pixels.shape)
        assert np.array_equal(data, pixels.astype(int) + pristine.interface.input.byte_offset)
        assert np.array_equal(pristine.golden_picture(index), pixels)


def test_golden_pictures_have_different_labels_and_are_the_same_each_time() -> None:
    first, second = choose_goldens(bundles.pictures()), choose_goldens(bundles.pictures())
    assert len({golden.label_index for golden in first}) == 3
    assert [golden.picture.tobytes() for golden in first] == [golden.picture.tobytes() for golden in second]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_pictures_give_few_goldens_and_one_label_is_enough(count: int) -> None:
    picture = bundles.pictures()[0][0]
    assert len(choose_goldens([(picture, 0)] * count)) == min(count, 3)


def test_generated_pictures_use_the_whole_range_of_bytes() -> None:
    for golden in generated_goldens(ImageSpec(size_px=64)):
        pixels = np.asarray(golden.picture)
        assert pixels.min() < 20 and pixels.max() > 235
        assert 30 < pixels.std() < 90


def test_without_pictures_the_manifest_says_that_the_golden_ones_are_made_up(tmp_path: Path) -> None:
    bundle = lower(bundles.program(), tmp_path, runtimes=["tflite"])[0]
    assert bundle.manifest.golden.source == "generated"
    assert {golden.label_index for golden in bundle.manifest.golden.pictures} == {None}


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
    target = tmp_path / folder_name(bundles.program(), "tflite")
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

    def fail(path: Path) -> None:
        raise CompileError("Conv2d at net.first: no", hint="change it")

    monkeypatch.setattr(runtime, "structure", fail, raising=True)
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
    with pytest.raises(SettingError, match="did you mean 'executorch'"):
        lower(bundles.program(), tmp_path, runtimes=["tflite", "executorh"])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SettingError):
        lower(bundles.program(), tmp_path, runtimes=[])


# What is refused


def test_a_flipped_byte_of_any_file_is_refused_by_its_hash(folder: Path) -> None:
    for path in sorted(entry["path"] for entry in content_of(folder)["files"]):
        before = (folder / path).read_bytes()
        middle = len(before) // 2
        (folder / path).write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
        assert refusal(folder).check == "hash"
        (folder / path).write_bytes(before)
    open_bundle(folder)


def test_a_truncated_model_is_refused_by_its_size(folder: Path) -> None:
    model = folder / "model.tflite"
    model.write_bytes(model.read_bytes()[:-1])
    assert refusal(folder).check == "size"


def test_a_missing_file_and_one_too_many_are_refused(folder: Path) -> None:
    (folder / "golden/extra.png").write_bytes(b"")
    assert refusal(folder).check == "files"
    (folder / "golden/extra.png").unlink()
    (folder / "golden/1.png").unlink()
    assert refusal(folder).check == "files"


def test_a_changed_scale_in_the_manifest_is_refused_by_its_seal(folder: Path) -> None:
    content = content_of(folder)
    scale = json.dumps(content["interface"]["output"]["scale"])
    text = (folder / MANIFEST_FILE).read_text(encoding="utf-8")
    (folder / MANIFEST_FILE).write_text(text.replace(scale, "0.5"), encoding="utf-8")
    assert refusal(folder).check == "seal"


def test_labels_swapped_in_the_manifest_or_in_their_file_are_refused(folder: Path) -> None:
    labels = content_of(folder)["labels"]
    swapped = [labels[1], labels[0], *labels[2:]]
    assert check_after(folder, lambda content: content.update(labels=swapped)) == "labels"
    bundles.reseal(folder, {**content_of(folder), "labels": labels})
    open_bundle(folder)
    replace_listed(folder, "labels.txt", "".join(f"{label}\n" for label in swapped).encode())
    assert refusal(folder).check == "labels"


def test_a_newer_schema_says_that_a_newer_sdk_wrote_it(folder: Path) -> None:
    content = {"schema_number": 2, "everything": "is otherwise"}
    (folder / MANIFEST_FILE).write_text(json.dumps(content), encoding="utf-8")
    error = refusal(folder)
    assert error.check == "schema"
    assert "a newer SDK" in error.message
    assert "update" in error.hint


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "golden/../../x", "a\\b", "", ".", "a//b", "ä", "a\0b"])
def test_a_path_that_leaves_the_bundle_or_means_different_things_is_refused(folder: Path, path: str) -> None:
    assert not is_safe_path(path)
    assert check_after(folder, lambda content: content["files"][-1].update(path=path)) in ("paths", "fields")


def test_a_link_is_refused_wherever_it_leads(folder: Path, pristine: Bundle) -> None:
    for path in ("model.tflite", "golden", MANIFEST_FILE):
        target = folder / path
        shutil.move(target, folder.parent / "aside")
        target.symlink_to(pristine.path / path)
        assert refusal(folder).check == "paths"
        target.unlink()
        shutil.move(folder.parent / "aside", target)
    open_bundle(folder)


def test_a_special_file_is_refused_without_reading_it(folder: Path) -> None:
    (folder / "labels.txt").unlink()
    os.mkfifo(folder / "labels.txt")
    assert refusal(folder).check == "paths"


def test_a_huge_manifest_is_refused_without_reading_it(folder: Path) -> None:
    with (folder / MANIFEST_FILE).open("r+b") as file:
        file.truncate(2 * 2**30)  # sparse: it takes no room on the disk
    assert refusal(folder).check == "manifest"
    assert MAX_MANIFEST_BYTES < 2**24


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nothing").check == "folder"
    assert refusal(tmp_path).check == "manifest"


CHANGES: dict[str, tuple[str, Change]] = {
    "an unknown field": ("fields", lambda content: content.update(colour="red")),
    "a missing field": ("fields", lambda content: content.pop("resize")),
    "a number as text": ("fields", lambda content: content["interface"]["output"].update(zero_point="3")),
    "an unknown resize": ("fields", lambda content: content.update(resize="nearest")),
    "an unknown runtime": ("runtime", lambda content: content.update(runtime="toaster")),
    "a runtime of other files": ("runtime", lambda content: content.update(runtime="executorch")),
    "a file listed twice": ("paths", lambda content: content["files"].append(content["files"][0])),
    "a stray file listed": (
        "files",
        lambda content: content["files"].append({"path": "extra.txt", "bytes": 0, "sha256": "0" * 64}),
    ),
    "no model listed": ("files", lambda content: content["files"].pop()),
    "another input size": ("interface", lambda content: content["image"].update(size_px=24)),
    "another layout": ("interface", lambda content: content["interface"]["input"].update(layout="NCHW")),
    "another offset": ("interface", lambda content: content["interface"]["input"].update(byte_offset=-128)),
    "another output shape": ("interface", lambda content: content["interface"]["output"].update(shape=[1, 9])),
    "no scale": ("interface", lambda content: content["interface"]["output"].update(scale=None)),
    "a scale that is no float32": ("interface", lambda content: content["interface"]["output"].update(scale=0.1)),
    "a zero point out of range": ("interface", lambda content: content["interface"]["output"].update(zero_point=200)),
    "int8 codes called float32": ("interface", lambda content: content.update(precision="float32")),
    "a generous tolerance": ("interface", lambda content: content["golden"].update(tolerance=9.0)),
    "another winner": ("golden", lambda content: content["golden"]["pictures"][0].update(top1_index=99)),
    "a label that is none": ("golden", lambda content: content["golden"]["pictures"][0].update(label_index=10)),
    "another crop": ("golden", lambda content: content["image"].update(crop_share=0.5)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_sealed_manifest_that_contradicts_the_bundle_is_refused(folder: Path, name: str) -> None:
    check, change = CHANGES[name]
    assert check_after(folder, change) == check


def test_a_golden_picture_that_does_not_give_the_golden_input_is_refused(folder: Path) -> None:
    shutil.copy(folder / "golden/1.png", folder / "other.png")
    data = (folder / "other.png").read_bytes()
    (folder / "other.png").unlink()
    replace_listed(folder, "golden/0.png", data)
    assert refusal(folder).check == "golden"


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_golden_picture_that_does_not_decode_is_refused(folder: Path, data: bytes) -> None:
    replace_listed(folder, "golden/0.png", data)
    assert refusal(folder).check == "golden"


def test_a_decompression_bomb_is_refused_before_it_is_decoded(folder: Path, tmp_path: Path) -> None:
    Image.new("1", (2**12, 2**11)).save(tmp_path / "bomb.png")
    replace_listed(folder, "golden/0.png", (tmp_path / "bomb.png").read_bytes())
    assert refusal(folder).check == "golden"


def test_a_golden_output_of_another_size_is_refused(folder: Path) -> None:
    replace_listed(folder, "golden/0.output.bin", b"\0" * 11)
    assert refusal(folder).check == "golden"


# Any damage at all

MANY = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])


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
