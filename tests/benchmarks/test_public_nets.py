"""Public nets beside the stock tools: the nets are the papers', and what is judged is what the issue of speed says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.against.form import Form
from benchmarks.core import public_nets as written
from benchmarks.core.photographs import CALIBRATED, JUDGED, crops
from benchmarks.core.realistic import with_realistic_numbers
from benchmarks.speed import public_nets
from mobile_sdk.contract import Contract
from mobile_sdk.devices import EmulatedCore
from mobile_sdk.graph.outputs import separated
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from mobile_sdk.runtimes.coreml.interpreter.interpreter import InterpreterSession
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan

PUBLISHED_M = [
    (written.efficientnet_b0, 5.3),
    (written.mobileone_s0, 2.1),
    (written.mobilenet_v4_conv_small, 3.8),
    (written.yolo_silu, 3.2),
]


def file(*, islands: dict[str, int], sqnr_db: float) -> public_nets.File:
    return public_nets.File(run=lambda: None, sqnr_db=sqnr_db, form=Form(partitions=1, operators={}, islands=islands))


@pytest.mark.parametrize(("build", "published_m"), PUBLISHED_M)
def test_a_written_net_has_the_published_number_of_parameters(
    build: Callable[[], nn.Module], published_m: float
) -> None:
    found_m = sum(each.numel() for each in build().parameters()) / 1e6
    assert found_m == pytest.approx(published_m, rel=0.02)


def test_a_transposed_convolution_keeps_the_size_of_values() -> None:
    net = nn.Sequential(nn.Conv2d(3, 32, 1), nn.ConvTranspose2d(32, 16, 2, 2, bias=False))
    net = with_realistic_numbers(net, public_nets.ImageSpec(size_px=32))
    before = torch.randn(4, 32, 16, 16)
    assert net[1](before).std().item() == pytest.approx(1, rel=0.15)  # type: ignore[operator]


@pytest.mark.parametrize(("islands", "bound"), [({"Sigmoid": 2}, 0.8), ({}, 1.0)])
def test_ours_has_to_be_faster_by_a_fifth_where_stock_leaves_float_islands(
    islands: dict[str, int], bound: float
) -> None:
    ours, stock = file(islands={}, sqnr_db=20.0), file(islands=islands, sqnr_db=18.0)
    ms = {"ours": np.array([0.9, 0.8, 2.7]), "stock": np.array([1.0, 1.0, 3.0])}
    form, latency, accuracy = public_nets.targets("net", "tflite", ours, stock, ms)
    assert (form.ours, form.is_met) == (1, True)
    assert (latency.bound, latency.figure) == (bound, pytest.approx(0.9))
    assert (accuracy.figure, accuracy.is_met) == (2.0, True)


def test_a_stock_tool_that_fails_is_named_and_not_won_against() -> None:
    ours = file(islands={}, sqnr_db=20.0)
    judged = list(public_nets.targets("net", "tflite", ours, "RuntimeError: no lowering", {"ours": np.ones(3)}))
    assert [target.judged for target in judged] == ["ours"]


SMALL = {
    "EfficientNet-B0": (64, 64),
    "MobileOne-S0": (64, 64),
    "MNv4-Conv-S": (64, 64),
    "YOLO with SiLU": (64, 96),
    "U-Net, transposed": (64, 32),
    "pose net": (64, 64),
    "DS-CNN, grey": (49, 10),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_net_of_every_family_is_exact_on_the_emulated_arm_core_and_in_core_ml(
    name: str, cortex_a76: EmulatedCore, tmp_path: Path
) -> None:
    build, image = public_nets.NETS[name]
    image = image.model_copy(update={"size_px": SMALL[name]})
    torch.manual_seed(0)
    net = with_realistic_numbers(build(), image)
    contract = Contract(name="net", task="features", image=image)
    program = quantize(net, contract, crops(CALIBRATED, 4, seed=1), CalibrationPlan.extremes(), progress=False)
    pictures = crops(JUDGED, 2, seed=2).bytes(image)
    graph = program.graph
    codes = Reference(graph).run(pictures)
    assert min(len(np.unique(each)) for each in separated(codes)) > 3, "the codes say nothing"
    for runtime in (TfliteRuntime(), ExecuTorchRuntime()):
        interface = runtime.export(graph, contract, tmp_path / runtime.model_file)
        with cortex_a76.loaded(runtime, tmp_path / runtime.model_file, interface) as run:
            found = separated(run(pictures))
        for one, other in zip(found, separated(codes), strict=True):
            np.testing.assert_array_equal(one.reshape(other.shape), other)
    package = tmp_path / CoreMLRuntime.model_file
    session = InterpreterSession(package, CoreMLRuntime().export(graph, contract, package), threads=1)
    interpreted = np.stack([session.run(picture) for picture in pictures])
    session.close()
    np.testing.assert_array_equal(in_steps(interpreted, graph).ravel(), in_steps(codes, graph).ravel())


def test_our_files_of_a_net_are_exact_int8_in_one_partition(tmp_path: Path) -> None:
    build, image = public_nets.NETS["DS-CNN, grey"]
    torch.manual_seed(0)
    net = with_realistic_numbers(build(), image)
    judge = public_nets.Judge.of(net, image)
    calibration, plan = crops(CALIBRATED, 4, seed=1), CalibrationPlan.extremes()
    files = dict(public_nets.our_files(net, judge, calibration, tmp_path, plan))
    assert {name: (each.form.partitions, dict(each.form.islands)) for name, each in files.items()} == {
        "tflite": (1, {}),
        "executorch": (1, {}),
    }
    assert min(each.sqnr_db for each in files.values()) > 10
