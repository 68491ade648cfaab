"""Names of a user's modules never meet the SDK's own: every tensor of every program has a name to itself."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.analysis.sensitivity import layer_sensitivity
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.operators import Constant, Graph
from mobile_sdk.graph.reference import Reference
from mobile_sdk.memory.strips import Stretch, in_strips
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.base import PICTURE
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.onnx import OnnxRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.freezing.emitter import OWN_NAMES
from qat.freezing.freezing import float_twin
from tests.support.tiny_nets import CONTRACT, LABELS, SIZE_PX, picture_set, rgb

LAYERS = ("picture_codes", "picture_values", "rgb", "input", "image", "gate", "before", "operand0", "constant", "part0")


class Net(nn.Module):
    """Layers called what the SDK calls its own tensors, in places where it makes some, and a temperature at the end."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        for index, name in enumerate(LAYERS):
            setattr(self, name, nn.Conv2d(6 if index else 3, 6, 1))
        self.scores, self.scores_own = nn.Linear(12, 6), nn.Linear(6, len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        x = F.hardswish(self.rgb(self.picture_values(self.picture_codes(x))))
        x = self.gate(x) * F.hardsigmoid(self.before(self.image(self.input(x)).mean((2, 3), keepdim=True)))
        x = F.hardswish(self.operand0(x)) + self.part0(x)
        x = torch.cat([F.hardswish(x), self.constant(x) * 0.3], 1).mean((2, 3))
        return self.scores_own(F.relu(self.scores(x) / 3)) / 4


@pytest.fixture(scope="module")
def programs() -> dict[str, Program]:
    net, pictures = Net().eval(), picture_set(4, SIZE_PX, seed=1)
    made = {
        kind: quantize(net, CONTRACT, pictures, CalibrationPlan.extremes(), keep_float=kept)
        for kind, kept in {"int8": (), "scores kept": ("scores",), "inner kept": ("gate", "rgb", "before")}.items()
    }
    return made | {"float32": float_twin(net, CONTRACT)}


def names(graph: Graph) -> Counter[str]:
    constants = [x.name for operator in graph.operators for x in operator.inputs if isinstance(x, Constant)]
    return Counter([graph.input.name, *(operator.output.name for operator in graph.operators), *constants])


@pytest.mark.parametrize("kind", ["int8", "scores kept", "inner kept", "float32"])
def test_layers_called_like_the_sdk_s_tensors_are_exact_in_every_runtime(programs, kind, tmp_path) -> None:
    program, pictures = programs[kind], rgb(3, SIZE_PX, seed=2)
    assert max(names(program.graph).values()) == 1
    reference = FloatReference if kind == "float32" else Reference
    expected = reference(program.graph).run(pictures)
    for runtime in (TfliteRuntime(), ExecuTorchRuntime(), CoreMLRuntime(), OnnxRuntime()):
        path = tmp_path / runtime.model_file
        session = runtime.load(path, runtime.export(program.graph, program.contract, path), threads=1)
        found = np.stack([session.run(picture) for picture in pictures])
        session.close()
        if runtime.name == "coreml" and (grid := program.graph.output.quantization):
            found = np.rint(found / grid.scale) + grid.zero_point
        np.testing.assert_allclose(found, expected, rtol=0, atol=0 if kind == "int8" else 1e-4, err_msg=runtime.name)


def test_its_strips_are_exact_and_its_sensitivity_is_of_its_own_layers(programs, tmp_path) -> None:
    graph, pictures = programs["int8"].graph, rgb(2, SIZE_PX, seed=2)
    strips = in_strips(graph, [Stretch(first=0, stop=5, strips=3)])
    outputs = [operator.output.name for operator in strips.operators]
    assert len(set(outputs)) == len(outputs)
    for runtime in (TfliteRuntime(), ExecuTorchRuntime(), OnnxRuntime()):
        path = tmp_path / runtime.model_file
        session = runtime.load(path, runtime.export(strips, CONTRACT, path), threads=1)
        found = np.stack([session.run(picture) for picture in pictures])
        session.close()
        np.testing.assert_array_equal(found, Reference(graph).run(pictures))
    found = layer_sensitivity(programs["int8"], programs["float32"], pictures)
    paths = {each.layer for each in found.layers}
    assert {"gate", "before", "scores"} <= paths


def test_the_names_kept_for_the_sdk_are_those_that_it_gives(programs) -> None:
    of_arrays = {"tensor_codes", "tensor_values"}
    assert {PICTURE, "picture_codes", "picture_values", "scores", *of_arrays} == OWN_NAMES
    used = {name for program in programs.values() for name in names(program.graph)}
    assert {"picture_codes", "picture_values", "scores"} <= used
