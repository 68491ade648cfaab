"""An inverted residual split in parts is the same float net, and 0 steps from its own int8 in every runtime."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from benchmarks.core.realistic import with_realistic_numbers
from mobile_sdk.cli.app import call
from mobile_sdk.cli.learning.layer_lists import named_parts
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Add
from mobile_sdk.graph.reference import Reference
from mobile_sdk.memory.limit import multiply_adds
from mobile_sdk.memory.usage import operator_memory
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes import get
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.nets import ImageClassifier, build_net
from qat.nets.classifiers.mobilenet_v2 import InvertedResidual
from qat.preparation.block_splitting import split_blocks
from tests.support.tiny_nets import picture_set, rgb, tensors
from tests.support.written_here import WRITTEN_HERE

CONTRACT = Contract(name="split", labels=tuple("abcdefgh"), image=ImageSpec(size_px=32))
PARTS = {"features.2": 4, "features.3": 3, "features.5": 2}


def net(name: str = "mobilenet_v2") -> nn.Module:
    return with_realistic_numbers(build_net(name, CONTRACT, width=0.5), CONTRACT.image)


def test_a_split_net_computes_what_the_whole_net_does():
    whole = net()
    x = tensors(4, 32)
    with torch.no_grad():
        assert torch.allclose(split_blocks(whole, PARTS)(x), whole(x), atol=1e-4)
        assert not hasattr(whole.features[2].conv, "parts"), "the net itself stays as it is"


def test_split_programs_are_0_steps_apart_in_every_runtime(tmp_path: Path):
    program = quantize(split_blocks(net(), PARTS), CONTRACT, picture_set(8, 32), CalibrationPlan.extremes())
    pixels = rgb(4, 32, seed=5)
    expected = Reference(program.graph).run(pixels)
    grid = program.graph.output.quantization
    assert grid is not None
    for name in WRITTEN_HERE:
        runtime, path = get(name), tmp_path / name / get(name).model_file
        path.parent.mkdir()
        session = runtime.load(path, runtime.export(program.graph, program.contract, path), threads=1)
        found = np.stack([session.run(picture) for picture in pixels])
        if name == "coreml":
            found = np.rint(found / grid.scale) + grid.zero_point
        assert np.array_equal(found, expected), name


def test_a_split_keeps_the_multiply_adds_and_takes_an_nth_of_the_inner_tensor():
    whole, split = (
        quantize(each, CONTRACT, picture_set(2, 32), CalibrationPlan.extremes()).graph
        for each in (net(), split_blocks(net(), {"features.2": 4}))
    )
    assert multiply_adds(split) == multiply_adds(whole)

    def widest(graph, path):
        return max(row.live_bytes for row in operator_memory(graph) if row.path.startswith(path))

    source, inner, output = 16 * 16 * 8, 16 * 16 * 48, 8 * 8 * 16
    assert widest(whole, "features.2") == inner + 8 * 8 * 48
    assert widest(split, "features.2") == source + inner // 4 + 8 * 8 * 48 // 4 + output
    assert sum(isinstance(operator, Add) for operator in split.operators) == 3 + sum(
        isinstance(operator, Add) for operator in whole.operators
    )


@pytest.mark.parametrize(
    ("name", "parts", "found"),
    [
        ("mobilenet_v2", {"features.99": 2}, "found no module features.99"),
        ("mobilenet_v2", {"features.1": 2}, "expected an inverted residual at features.1"),  # it does not expand
        ("mobilenet_v2", {"features.0": 2}, "expected an inverted residual at features.0"),
        ("mobilenet_v3_small", {"features.1": 2}, "expected an inverted residual at features.1"),  # squeeze-and-excite
        ("mobilenet_v2", {"features.2": 1}, "expected 2 to 48 parts"),
        ("mobilenet_v2", {"features.2": 49}, "expected 2 to 48 parts"),
    ],
)
def test_what_cannot_be_split_is_refused_by_its_path(name: str, parts: dict[str, int], found: str):
    with pytest.raises(SettingError, match=found):
        split_blocks(build_net(name, CONTRACT, width=0.5), parts)


def test_blocks_of_mobilenet_v3_without_squeeze_and_excite_can_be_split():
    whole = net("mobilenet_v3_small")
    split = split_blocks(whole, {"features.2": 3})
    x = tensors(2, 32)
    with torch.no_grad():
        assert torch.allclose(split(x), whole(x), atol=1e-4)


def test_the_option_takes_blocks_with_their_parts_and_refuses_all_else():
    assert named_parts("features.2=4, features.3=2") == {"features.2": 4, "features.3": 2}
    assert named_parts(None) == {}
    for wrong in ("features.2", "features.2=", "=3", "features.2=4,features.2=3", "features.2=x"):
        with pytest.raises(SettingError, match="expected BLOCK=PARTS"):
            named_parts(wrong)


def own_net() -> nn.Module:
    """Returns a net as --model names it, with its labels and its pictures' preprocessing."""
    features = nn.Sequential(InvertedResidual(3, 18, 8, 2), InvertedResidual(8, 8, 8, 1))
    own = with_realistic_numbers(ImageClassifier(features, nn.Sequential(nn.Linear(8, 8))), CONTRACT.image)
    own.labels, own.image = CONTRACT.labels, CONTRACT.image  # type: ignore[assignment]
    return own


def test_quantize_splits_the_net_that_it_is_given(tmp_path: Path):
    (tmp_path / "pictures").mkdir()
    for index, picture in enumerate(rgb(10, 32)):
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{index}.png")
    arguments = ["quantize", "--model", f"{__name__}:own_net", "--data", str(tmp_path / "pictures"), "--epochs", "0"]
    arguments += ["--out", str(tmp_path), "--calibration", "extremes"]
    assert call([*arguments, "--split", "features.0=3"]) == 0
    paths = {operator.path for operator in Program.load(tmp_path / "program.pt2").graph.operators}
    assert {f"features.0.conv.parts.{index}.0" for index in range(3)} <= paths
    assert call([*arguments, "--split", "features.1=3"]) == 2
