"""A net of several outputs is analysed like others: its layers' costs, their distances, the first that differs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk import runtimes
from mobile_sdk.analysis.layer_distances import layer_distances
from mobile_sdk.analysis.sensitivity import layer_sensitivity
from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.bundle.lowering import lower
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.graph.operators import Conv2d, Graph
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.base import Interface
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.verification.bisection import bisect
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.freezing.freezing import float_twin
from tests.support.tiny_nets import SIZE_PX, net, picture_set, rgb

FEATURES = Contract(name="two", task="features", image=ImageSpec(size_px=SIZE_PX))
LAYERS = {"stem", "heat", "embedding"}


@pytest.fixture(scope="module")
def made() -> tuple[Program, Program]:
    """The program and the twin of a net that gives a large map and a small vector."""

    def forward(self: nn.Module, x: Tensor) -> dict[str, Tensor]:
        y = F.relu(self.stem(x))
        return {"map": 100 * self.heat(y), "vector": self.embedding(y.mean((2, 3)))}

    torch.manual_seed(0)
    user = net(forward, stem=nn.Conv2d(3, 6, 3, 2, 1), heat=nn.Conv2d(6, 3, 1), embedding=nn.Linear(6, 4))
    program = quantize(user, FEATURES, picture_set(16), CalibrationPlan.extremes(), progress=False)
    return program, float_twin(user, FEATURES)


@pytest.mark.parametrize("path", sorted(LAYERS))
def test_the_layer_with_far_too_coarse_weights_costs_most_whatever_its_outputs_size(
    path: str, made: tuple[Program, Program]
) -> None:
    program, twin = made
    good = layer_sensitivity(program, twin, rgb(8))
    assert {layer.layer for layer in good.layers} >= LAYERS
    assert good.program_db is not None and good.simulated_db is not None
    assert abs(good.program_db - good.simulated_db) < 3
    pixels = rgb(8)
    sabotaged = replace(program.graph, operators=tuple(map(coarse(path), program.graph.operators)))
    assert layer_sensitivity(sabotaged, twin.graph, pixels).ranked[0].layer == path


def coarse(path: str):  # type: ignore[no-untyped-def]
    """Puts the layer's weights on a grid 64 times too coarse."""

    def changed(each):  # type: ignore[no-untyped-def]
        if each.path != path or not hasattr(each, "weight"):
            return each
        weight, bias = np.rint(each.weight / 64.0).astype(np.int8), np.rint(each.bias / 64.0).astype(np.int32)
        return replace(each, weight=weight, bias=bias, weight_scales=each.weight_scales * np.float32(64))

    return changed


def test_the_distances_hold_both_outputs(made: tuple[Program, Program]) -> None:
    program, twin = made
    found = {path: decibels for _, path, decibels in layer_distances(program, twin, rgb(4))}
    assert found.keys() >= LAYERS and all(each is None or each > 20 for each in found.values())


class Miscomputing(TfliteRuntime):
    """A real runtime whose file has one convolution with other biases."""

    def export(self, graph: Graph, contract: Contract, path: Path) -> Interface:
        made = [
            replace(each, bias=each.bias + 4000) if each.path == "heat" and isinstance(each, Conv2d) else each
            for each in graph.operators
        ]
        return super().export(replace(graph, operators=tuple(made)), contract, path)


def test_bisection_finds_a_difference_in_any_output(
    made: tuple[Program, Program], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, picture = made[0], Image.fromarray(rgb(1)[0])
    lower(program, tmp_path / "right", runtimes=("tflite",), pictures=picture_set(3))
    assert bisect(open_bundle(tmp_path / "right" / "two.tflite"), program, picture) is None
    monkeypatch.setitem(runtimes._CLASSES, "tflite", f"{__name__}:Miscomputing")
    lower(program, tmp_path / "wrong", runtimes=("tflite",), pictures=picture_set(3))
    found = bisect(open_bundle(tmp_path / "wrong" / "two.tflite"), program, picture)
    assert found is not None and (found.path, found.operator) == ("heat", "Conv2d")
