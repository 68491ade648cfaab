"""Hashes of a fixed set: made with public names alone, and compared so that model files and scores decide."""

import ast
import json
from pathlib import Path

import pytest

import mobile_sdk as sdk
import qat
from benchmarks.regression import file_hashes
from benchmarks.regression.file_hashes import KINDS, Hashes, main

OLD: Hashes = {
    "program": {"own: models/model.json": "a", "own: digest": "b"},
    "model file": {"own.tflite: model.tflite": "c", "own.coreml: model.mlpackage/Manifest.json": "d"},
    "manifest": {"own.tflite: schema_number": "e", "own.coreml: schema_number": "e"},
    "golden": {"own.tflite: golden/0.png": "f"},
    "scores": {"own: image 0": "g", "own: image 1": "h"},
}


def compared(tmp_path: Path, new: Hashes) -> int:
    old_path, new_path = tmp_path / "old.json", tmp_path / "new.json"
    old_path.write_text(json.dumps(OLD), encoding="utf-8")
    new_path.write_text(json.dumps(new), encoding="utf-8")
    return main(["--compare", str(old_path), str(new_path)])


def changed(kind: str, hash_: str = "other") -> Hashes:
    """The old hashes, the first of one kind changed."""
    return {**OLD, kind: {**OLD[kind], next(iter(OLD[kind])): hash_}}


def test_equal_hashes_end_with_0_and_every_kind_is_said_to_be_equal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(tmp_path, OLD) == 0
    assert capsys.readouterr().out.splitlines() == [f"{kind}: {len(OLD[kind])} equal" for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_model_file_or_score_ends_with_1_and_nothing_else_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    assert compared(tmp_path, changed(kind)) == (kind in {"model file", "scores"})
    said = capsys.readouterr().out.splitlines()
    assert f"{kind}: 1 differ of {len(OLD[kind])}" in said
    assert f"    changed: {next(iter(OLD[kind]))}" in said
    assert len([line for line in said if line.endswith(" equal")]) == len(KINDS) - 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_hash_that_one_file_lacks_is_a_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    name, *_ = OLD[kind]
    lacking = {**OLD, kind: {each: hash_ for each, hash_ in OLD[kind].items() if each != name}}
    assert compared(tmp_path, lacking) == (kind in {"model file", "scores"})
    assert f"    missing: {name}" in capsys.readouterr().out.splitlines()
    assert compared(tmp_path, {**OLD, kind: {**OLD[kind], "new: part": "x"}}) == (kind in {"model file", "scores"})
    assert "    added: new: part" in capsys.readouterr().out.splitlines()


def test_a_part_that_differs_everywhere_is_said_once_with_its_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(tmp_path, {**OLD, "manifest": dict.fromkeys(OLD["manifest"], "2")}) == 0
    assert "  changed: schema_number, in 2" in capsys.readouterr().out.splitlines()


def test_hashes_are_made_with_public_names_alone_so_that_older_and_newer_code_makes_them_too() -> None:
    nodes = list(ast.walk(ast.parse(Path(str(file_hashes.__file__)).read_text(encoding="utf-8"))))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name for name in imported if name.split(".")[0] in {"mobile_sdk", "qat", "benchmarks"}} == {
        "mobile_sdk",
        "qat",
    }
    for short, package in (("sdk", sdk), ("qat", qat)):
        used = {
            node.attr
            for node in nodes
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == short
        }
        assert used and used <= {*package.__all__, "__file__"}
