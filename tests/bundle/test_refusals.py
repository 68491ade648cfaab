"""A bundle opens only when everything in it is what it says; every refusal is a named check."""

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.manifest_file import MANIFEST_FILE, MAX_MANIFEST_BYTES, is_safe_path
from mobile_sdk.runtimes.requirement import MOST_GOLDEN_STEPS
from tests.support import bundles
from tests.support.bundles import refusal
from tests.support.fixtures.damage import CHANGES, TOLERANCES, Change, content_of, replace_listed, resealed


def check_after(folder: Path, change: Change) -> str:
    """The check that refuses the bundle after `change` of the manifest, sealed again."""
    resealed(folder, change)
    return refusal(folder).check


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
    scale = json.dumps(content["outputs"][0]["scale"])
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
    content = {"schema_number": 4, "everything": "is otherwise"}
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


def test_folders_without_end_are_refused(folder: Path) -> None:
    inner = folder / "golden"
    for _ in range(20):
        inner = inner / "a"
        inner.mkdir()
    (inner / "x").write_bytes(b"")
    assert refusal(folder).check == "paths"


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


@pytest.mark.parametrize("name", CHANGES)
def test_a_sealed_manifest_that_contradicts_the_bundle_is_refused(folder: Path, name: str) -> None:
    check, change = CHANGES[name]
    assert check_after(folder, change) == check


@pytest.mark.parametrize(("name", "change"), [(name, each) for name in TOLERANCES for each in TOLERANCES[name]])
def test_a_tolerance_that_the_golden_outputs_do_not_justify_is_refused(tmp_path: Path, name: str, change: str) -> None:
    title, runtime = name.split(".")
    folder = bundles.lowered(tmp_path, runtime, int8="float" not in title).path
    check, damage = TOLERANCES[name][change]
    assert check_after(folder, damage) == check


def test_codes_of_a_mixed_model_may_be_off_by_no_more_than_any_runtime_is(folder: Path) -> None:
    def allow(steps: float) -> Change:
        return lambda content: content.update(precision="mixed", golden={**content["golden"], "tolerance": steps})

    resealed(folder, allow(MOST_GOLDEN_STEPS))
    open_bundle(folder)
    assert check_after(folder, allow(MOST_GOLDEN_STEPS + 1)) == "interface"


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
