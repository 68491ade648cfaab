"""The Python of every page runs page by page, in a folder with the data that it speaks of; tests/pages follows others.

Only what would take minutes is made shorter, and each such change is named here.
"""

import ast
import shutil
from pathlib import Path

import pytest
import torch

import mobile_sdk as sdk
import qat
from qat.nets import build_net
from tests.support.pages.blocks import DOCS, blocks, lay_out_data, name_of
from tests.support.training.small_task import CONTRACT, tiny_net

PAGES = [
    page
    for page in sorted(DOCS.rglob("*.md"))
    if page.parts[-2] not in ("start", "concepts") and any(block.language == "python" for block in blocks(page))
]
REFERENCE = DOCS / "reference/python.md"
SHORTER = {
    "qat.composed_digits()": "qat.composed_digits(4, 2)",
    "qat.composed_masks()": "qat.composed_masks(4, 2)",
    '("mobilenet_v3_small", contract)': '("mobilenet_v3_small", contract, width=0.25)',
    "qat.fit_detector(net, pictures)": "qat.fit_detector(net, pictures, qat.TrainPlan.detector(epochs=1))",
    "qat.fit_segmenter(net, pictures)": "qat.fit_segmenter(net, pictures, qat.TrainPlan.segmenter(epochs=1))",
    "qat.TrainPlan.detector()": "qat.TrainPlan.detector(epochs=1)",
    "qat.TrainPlan.segmenter()": "qat.TrainPlan.segmenter(epochs=1)",
    "pictures.train.pictures)": "pictures.train.pictures, qat.CalibrationPlan.extremes())",
    'qat.load_unlabelled("camera"))': 'qat.load_unlabelled("camera"), qat.CalibrationPlan.extremes())',
    "qat.quantize(net, contract, pictures)": "qat.quantize(net, contract, pictures, qat.CalibrationPlan.extremes())",
}
SHORTER_REFERENCE = {
    "qat.synthesise(net, contract, count=2)": "qat.synthesise(tiny_net().eval(), CONTRACT, count=2)",
}
BEFORE = """
import dataclasses
import numpy as np
import mobile_sdk as sdk
import qat
from torch import nn
contract = sdk.Contract(name="fruit", labels=("lime", "plum"), image=sdk.ImageSpec(size_px=32))
pictures = qat.load_folder("photos")
net = qat.build_net("mobilenet_v2", contract, width=0.35)
plan = qat.TrainPlan(epochs=1, batch=8)
maps = [np.zeros((side, side, 144), np.float32) for side in (80, 40, 20)]
"""


def code_of(page: Path) -> str:
    """The blocks of Python of a page, one behind the other."""
    return "\n".join(block.text for block in blocks(page) if block.language == "python")


def lay_out_bundle(folder: Path) -> None:
    """Writes the bundle that the tutorial's run leaves, of a tiny net, and a photograph to ask it about."""
    contract = CONTRACT.model_copy(update={"name": "photos"})
    photographs = qat.load_unlabelled(folder / "camera")
    program = qat.quantize(tiny_net().eval(), contract, photographs, qat.CalibrationPlan.extremes(), progress=False)
    sdk.lower(program, folder / "runs/photos/bundles", runtimes=["tflite"], pictures=photographs, progress=False)
    shutil.copy(folder / "camera/IMG_0000.jpg", folder / "cat.jpg")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the data that pages speak of, where the test runs."""
    lay_out_data(tmp_path)
    contract = sdk.Contract(name="c", labels=tuple(f"label {number}" for number in range(1000)), image=sdk.ImageSpec())
    torch.save(build_net("mobilenet_v2", contract).state_dict(), tmp_path / "mobilenet_v2-b0353104.pth")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_it_runs(page: Path, folder: Path) -> None:
    code = code_of(page)
    for long, short in (SHORTER if page != REFERENCE else SHORTER_REFERENCE).items():
        code = code.replace(long, short)
    if "runs/photos/bundles" in code:
        lay_out_bundle(folder)
    names: dict[str, object] = {"tiny_net": tiny_net, "CONTRACT": CONTRACT}
    if page != REFERENCE:
        exec(compile(BEFORE, "before", "exec"), names)
    exec(compile(code, name_of(page), "exec"), names)
    assert len(names) > 1


def test_each_part_that_is_made_shorter_stands_on_some_page() -> None:
    whole = "\n".join(map(code_of, PAGES))
    assert [long for long in (*SHORTER, *SHORTER_REFERENCE) if long not in whole] == []


@pytest.mark.parametrize("package", [sdk, qat], ids=["mobile_sdk", "qat"])
def test_every_public_name_has_its_place_and_its_example_in_the_reference(package: object) -> None:
    short = "sdk" if package is sdk else "qat"
    used = {ast.unparse(node) for node in ast.walk(ast.parse(code_of(REFERENCE))) if isinstance(node, ast.Attribute)}
    text = REFERENCE.read_text(encoding="utf-8")
    names = list(package.__all__)  # type: ignore[attr-defined]
    assert [name for name in names if f":: {'mobile_sdk' if short == 'sdk' else short}.{name}\n" not in text] == []
    assert [name for name in names if f"{short}.{name}" not in used] == []
