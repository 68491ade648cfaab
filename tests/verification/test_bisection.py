"""Bisection names the operator that a runtime computes wrongly, and blames the file where no operator is to blame."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobile_sdk import runtimes
from mobile_sdk.bundle.bundle import Bundle, open_bundle
from mobile_sdk.bundle.manifest_file import BundleRefusalError
from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Conv2d, Graph, Operator
from mobile_sdk.graph.reference import Reference
from mobile_sdk.preprocess import to_bytes
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.verification.bisection import _Search, _trace, bisect
from tests.support import bundles


class Miscomputing(TfliteRuntime):
    """A real runtime that computes one convolution of the net wrongly: its biases are off."""

    path = ""

    def export(self, graph: Graph, contract: Contract, path: Path) -> Interface:
        return super().export(replace(graph, operators=tuple(map(self._wrong, graph.operators))), contract, path)

    def _wrong(self, operator: Operator) -> Operator:
        if operator.path != self.path or not isinstance(operator, Conv2d):
            return operator
        return replace(operator, bias=operator.bias + 4000)


CONVOLUTIONS = [index for index, each in enumerate(bundles.program().graph.operators) if isinstance(each, Conv2d)]


@pytest.mark.parametrize("culprit", CONVOLUTIONS[:: max(1, len(CONVOLUTIONS) // 6)])
def test_bisection_finds_the_operator_that_is_computed_wrongly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, culprit: int
) -> None:
    graph = bundles.program().graph
    monkeypatch.setattr(Miscomputing, "path", graph.operators[culprit].path)
    monkeypatch.setitem(runtimes._CLASSES, "tflite", f"{__name__}:Miscomputing")
    bundle = bundles.lowered(tmp_path)
    picture, pixels = _differing_picture(bundle)
    found = bisect(bundle, bundles.program(), picture)
    assert found is not None
    assert (found.index, found.path) == (culprit, graph.operators[culprit].path)
    expected = Reference(graph).trace(pixels[np.newaxis])[found.tensor][0]
    assert found.elements == expected.size
    assert all(expected[example.coordinate] == example.expected != example.found for example in found.examples)


def _differing_picture(bundle: Bundle) -> tuple[Image.Image, np.ndarray[Any, np.dtype[np.uint8]]]:
    graph = bundles.program().graph
    session = runtimes.get("tflite").load(bundle.model_path, bundle.interface, threads=1)
    for picture, _ in bundles.pictures():
        pixels = to_bytes(picture, bundles.program().contract.image)
        if not np.array_equal(session.run(pixels), Reference(graph).run(pixels[np.newaxis])[0]):
            return picture, pixels
    raise AssertionError("the fault shows in no picture")


@pytest.mark.parametrize("runtime", ["tflite", "executorch"])
def test_every_cut_of_the_net_is_the_reference_s_tensor(tmp_path: Path, runtime: str) -> None:
    """Bisection rests on this: layouts of cut graphs are understood, for every operator."""
    program = bundles.program()
    pixels = to_bytes(bundles.pictures()[0][0], program.contract.image)
    search = _Search(program, runtimes.get(runtime), pixels, _trace(program.graph, pixels), None)
    assert [index for index in range(len(program.graph.operators)) if search.differs(index)] == []


def test_bisection_says_none_where_nothing_differs(pristine: Bundle) -> None:
    assert bisect(pristine, bundles.program(), bundles.pictures()[0][0]) is None


def test_bisection_blames_the_file_where_the_program_exported_afresh_agrees(folder: Path) -> None:
    model = bytearray((folder / "model.tflite").read_bytes())
    convolution = next(each for each in bundles.program().graph.operators if isinstance(each, Conv2d))
    start = bundles.weights_position(bytes(model), convolution)
    model[start : start + 64] = bytes(64)
    bundles.forge(folder, bundles.nothing, model__tflite=bytes(model))
    bundle = open_bundle(folder)
    picture, _ = _differing_picture(bundle)
    with pytest.raises(BundleRefusalError) as caught:
        bisect(bundle, bundles.program(), picture)
    assert caught.value.check == "model"


def test_bisection_refuses_what_promises_no_integers(tmp_path: Path) -> None:
    with pytest.raises(SettingError):
        bisect(bundles.lowered(tmp_path, "coreml"), bundles.program(), bundles.pictures()[0][0])
