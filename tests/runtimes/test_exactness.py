"""The reference, LiteRT and ExecuTorch are 0 steps apart: every element, on nets at full size with photographs.

The MobileNets have random weights, gains and biases, and the statistics that photographs give them. EfficientNet-Lite0
has its ImageNet weights; it and FireNet are nets of a user's own, which `--model` brings too.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.core import user_nets
from benchmarks.core.realistic import crops, photographs, with_realistic_numbers
from mobile_sdk.comparison import Comparison, compare, top1
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.devices import EmulatedCore
from mobile_sdk.graph.operators import Conv2d, Linear
from mobile_sdk.graph.reference import Reference
from mobile_sdk.preprocess import save_png
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import PictureSet
from qat.nets import build_net
from tests.support.repository import ROOT

CALIBRATION_PICTURES = 16
PHOTOGRAPHED = {  # by ImageNet's index: what a person would say is on the photograph
    "chelsea": {281, 282, 285},  # tabby, tiger cat, Egyptian cat
    "coffee": {967},  # espresso
    "flower": {985},  # daisy
    "motorcycle": {665, 670},  # moped, motor scooter
    "rocket": {657, 744},  # missile, projectile
    "china": {663, 698},  # monastery, palace
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A net, its int8 program, and what both say of pictures that the calibration has not seen."""

    program: Program
    pictures: PictureSet
    float_scores: NDArray[np.float32]
    codes: NDArray[np.int8]

    @property
    def rgb(self) -> NDArray[np.uint8]:
        return self.pictures.bytes(self.program.contract.image)

    def comparison(self) -> Comparison:
        """The int8 reference against the float net, in steps."""
        grid = self.program.graph.output.quantization
        assert grid is not None
        return compare(self.codes.astype(np.float64) - grid.zero_point, self.float_scores / grid.scale)


def mobilenet(name: str, width: float) -> tuple[nn.Module, Contract]:
    labels = tuple(f"label {index}" for index in range(1000))
    contract = Contract(name=name, labels=labels, image=ImageSpec.torchvision())
    return with_realistic_numbers(build_net(name, contract, width=width), contract.image), contract


def efficientnet_lite0() -> tuple[nn.Module, Contract]:
    net = user_nets.efficientnet_lite0()
    return net, Contract(name="efficientnet_lite0", labels=net.labels, image=net.image)


def fire_net() -> tuple[nn.Module, Contract]:
    net = user_nets.fire_net()
    return with_realistic_numbers(net, net.image), Contract(name="fire_net", labels=net.labels, image=net.image)


NETS: dict[str, tuple[Callable[[], tuple[nn.Module, Contract]], int]] = {
    "MobileNetV1 0.5": (partial(mobilenet, "mobilenet_v1", 0.5), 16),
    "MobileNetV2 1.0": (partial(mobilenet, "mobilenet_v2", 1.0), 16),
    "MobileNetV3-Small": (partial(mobilenet, "mobilenet_v3_small", 1.0), 16),
    "MobileNetV3-Large": (partial(mobilenet, "mobilenet_v3_large", 1.0), 16),
    "EfficientNet-Lite0": (efficientnet_lite0, 48),
    "FireNet": (fire_net, 48),
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads on a busy machine wait for one another, ten times longer than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=NETS)
def case(request: pytest.FixtureRequest) -> Case:
    return _case(request.param)


@pytest.fixture(scope="module")
def efficientnet() -> Case:
    return _case("EfficientNet-Lite0")


@pytest.mark.slow
@pytest.mark.parametrize("runtime", [TfliteRuntime(), ExecuTorchRuntime()], ids=lambda runtime: runtime.name)
def test_every_element_is_0_steps_from_the_reference_in_one_partition(case: Case, runtime: Any, tmp_path: Path) -> None:
    model = tmp_path / runtime.model_file
    interface = runtime.export(case.program.graph, case.program.contract, model)
    session = runtime.load(model, interface, threads=1)
    found = np.stack([session.run(picture) for picture in case.rgb])
    session.close()
    assert found.dtype == np.int8
    comparison = compare(found, case.codes)
    assert comparison.elements == len(case.rgb) * len(case.program.contract.labels)
    assert (comparison.differing, comparison.max_steps) == (0, 0)

    structure = runtime.structure(model)
    outside = [operator for operator, _ in structure.not_delegated]
    assert (structure.partitions, outside) == (1, [])
    assert (structure.int8_weight_share, structure.float_convolutions) == (1.0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", [TfliteRuntime(), ExecuTorchRuntime()], ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("name", ["MobileNetV3-Large", "EfficientNet-Lite0"])
def test_the_emulated_cortex_a76_computes_the_same(
    name: str, runtime: Any, cortex_a76: EmulatedCore, tmp_path: Path
) -> None:
    case, model = _case(name), tmp_path / runtime.model_file
    interface = runtime.export(case.program.graph, case.program.contract, model)
    with cortex_a76.loaded(runtime, model, interface) as run:
        found = run(case.rgb[:3])
    assert compare(found, case.codes[:3]).differing == 0


def test_the_scores_could_tell_a_mistake(case: Case) -> None:
    spread = case.codes.std(axis=0).mean()  # of one class over the pictures, in steps
    saturated = np.isin(case.codes, (-128, 127)).mean()
    comparison = case.comparison()
    print(f"{spread:.1f} steps, {saturated:.2%} saturated, int8 against float32 {comparison.sqnr_db:.1f} dB")
    assert spread > 4 and case.codes.std() > 10
    assert saturated < 0.01
    assert comparison.reaches_db(8), "the int8 program is the net"


def test_weights_and_biases_are_those_of_no_special_case(case: Case) -> None:
    layers = [operator for operator in case.program.graph.operators if isinstance(operator, Conv2d | Linear)]
    assert len(layers) > 4
    for layer in layers:
        assert layer.weight_scales is not None
        if layer.path != "head.0":  # FireNet's average pool: a convolution with weights of one
            assert np.count_nonzero(layer.bias) > 0.8 * layer.bias.size
            assert len(np.unique(layer.weight_scales)) > 0.8 * layer.bias.size


def test_efficientnets_preprocessing_is_the_one_it_was_trained_with(efficientnet: Case) -> None:
    net, contract = efficientnet_lite0()
    whole = PictureSet(sources=tuple(photographs()[name] for name in PHOTOGRAPHED), targets=(-1,) * len(PHOTOGRAPHED))
    winners = {"float32": top1(_scores(net, whole, contract.image))}
    winners["int8"] = top1(Reference(efficientnet.program.graph).run(whole.bytes(contract.image)))
    for precision, found in winners.items():
        said = dict(zip(PHOTOGRAPHED, found.tolist(), strict=True))
        wrong = {name: index for name, index in said.items() if index not in PHOTOGRAPHED[name]}
        assert not wrong, f"{precision}: photograph → index of its best class"


def test_efficientnets_int8_program_says_what_its_float_net_says(efficientnet: Case) -> None:
    """Calibrated on 16 pictures, not trained: measured 24.6 dB, and the same best class on 47 of 48 crops."""
    comparison = efficientnet.comparison()
    print(f"{comparison.sqnr_db:.1f} dB, top-1 agreement {comparison.top1_agreement:.2%}")
    assert len(np.unique(top1(efficientnet.codes))) > 6
    assert comparison.reaches_db(20)
    assert comparison.top1_agreement >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("function", ["fire_net", "efficientnet_lite0"])
def test_the_command_line_brings_a_users_own_net(function: str, tmp_path: Path) -> None:
    net = getattr(user_nets, function)()
    for part in ("train", "val"):
        for label, rgb in zip(net.labels, photographs().values(), strict=False):
            save_png(rgb, tmp_path / "photos" / part / label / "photograph.png")
    reference = ["--model", f"benchmarks.core.user_nets:{function}"]
    folders = ["--data", str(tmp_path / "photos"), "--out", str(tmp_path / "out")]
    command = [
        sys.executable,
        "-m",
        "mobile_sdk",
        "quantize",
        *reference,
        *folders,
        "--epochs",
        "0",
        "--calibration",
        "biases",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    program = Program.load(tmp_path / "out" / "program.pt2")
    assert (program.contract.image, program.contract.labels) == (net.image, net.labels)
    assert _case_of(program, net, crops(8, seed=7)).comparison().reaches_db(13)


@cache
def _case(name: str) -> Case:
    make, count = NETS[name]
    net, contract = make()
    if name == "EfficientNet-Lite0":
        program = quantize(net, contract, crops(CALIBRATION_PICTURES, seed=3))
    else:  # random weights: the shortest calibration does
        program = quantize(net, contract, crops(2 * CALIBRATION_PICTURES, seed=3), CalibrationPlan.extremes())
    return _case_of(program, net, crops(count, seed=7))


def _case_of(program: Program, net: nn.Module, pictures: PictureSet) -> Case:
    image = program.contract.image
    codes = Reference(program.graph).run(pictures.bytes(image))
    return Case(program=program, pictures=pictures, float_scores=_scores(net, pictures, image), codes=codes)


def _scores(net: nn.Module, pictures: PictureSet, image: ImageSpec) -> NDArray[np.float32]:
    with torch.inference_mode():
        scores: NDArray[np.float32] = net.eval()(pictures.tensors(image)).numpy()
    return scores
