"""Operators on vectors (N, C): exact in both runtimes and in Core ML's interpreter, in int8, mixed and float32."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.graph import arithmetic
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.base import Runtime
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.onnx import OnnxRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.freezing.freezing import float_twin
from tests.support.tiny_nets import CONTRACT, LABELS, SIZE_PX, picture_set, rgb

ON_TWO: dict[str, Callable[["Net", Tensor, Tensor], Tensor]] = {
    "concatenation": lambda net, a, b: torch.cat([a, b], 1),
    "concatenation of seven": lambda net, a, b: torch.cat([a, b, a, b, a, b, F.relu(a)], 1),
    "concatenation with a factor": lambda net, a, b: torch.cat([a * 0.3, b], 1),
    "relu of a concatenation": lambda net, a, b: F.relu(torch.cat([a, b], 1)),
    "slices": lambda net, a, b: torch.cat([a[:, :3], b, a[:, 3:]], 1)[:, 1:7],
    "halves": lambda net, a, b: torch.mul(*torch.cat([a, b], 1).chunk(2, 1)),
    "sum": lambda net, a, b: a + b,
    "sum with a constant": lambda net, a, b: a + 0.3,
    "product": lambda net, a, b: a * b,
    "square": lambda net, a, b: a * a,
    "relu6": lambda net, a, b: F.relu6(a * 3),
    "relu6 of a multiple beside a wider range": lambda net, a, b: torch.cat([F.relu6(F.hardswish(a)), 9 * b], 1),
    "h-swish": lambda net, a, b: F.hardswish(a),
    "a gate": lambda net, a, b: a * F.hardsigmoid(net.linear(b)),
}


class Net(nn.Module):
    def __init__(self, join: Callable[["Net", Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.linear, self.join = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(6, 6), join
        self.head = nn.Linear(join(self, torch.zeros(1, 6), torch.zeros(1, 6)).shape[1], len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(self.join(self, x.mean((2, 3)), F.relu(x).mean((2, 3))))


def program_of(name: str, precision: str) -> Program:
    net = Net(ON_TWO[name]).eval()
    if precision == "float32":
        return float_twin(net, CONTRACT)
    kept = ("head",) if precision == "mixed" else ()
    pictures = picture_set(6, SIZE_PX, seed=1)
    return quantize(net, CONTRACT, pictures, CalibrationPlan.extremes(), keep_float=kept)


@pytest.mark.parametrize("precision", ["int8", "mixed", "float32"])
@pytest.mark.parametrize("name", ON_TWO)
def test_an_operator_on_vectors_gives_the_reference_s_scores_in_one_partition(name, precision, tmp_path) -> None:
    program, pictures = program_of(name, precision), rgb(4, SIZE_PX, seed=2)
    reference = FloatReference if precision == "float32" else Reference
    expected = reference(program.graph).run(pictures)
    for runtime in (TfliteRuntime(), ExecuTorchRuntime(), OnnxRuntime()):
        found, structure = _scores(runtime, program, pictures, tmp_path)
        np.testing.assert_allclose(found, expected, rtol=0, atol=0 if precision == "int8" else 1e-5)
        assert (structure.partitions, structure.not_delegated) == (1, ())


@pytest.mark.parametrize("precision", ["int8", "mixed", "float32"])
@pytest.mark.parametrize("name", ["concatenation of seven", "slices"])
def test_core_ml_joins_and_slices_vectors(name, precision, tmp_path) -> None:
    program, pictures = program_of(name, precision), rgb(4, SIZE_PX, seed=2)
    reference = FloatReference if precision == "float32" else Reference
    expected = reference(program.graph).run(pictures).astype(np.float32)
    if precision == "int8":
        grid = arithmetic.quantization_of(program.graph.output)
        expected = (expected - grid.zero_point) * np.float32(grid.scale)
    found, _ = _scores(CoreMLRuntime(), program, pictures, tmp_path)
    np.testing.assert_allclose(found, expected, rtol=0, atol=0 if precision == "int8" else 1e-5)


def _scores(runtime: Runtime, program: Program, pictures, folder: Path):
    path = folder / runtime.model_file
    session = runtime.load(path, runtime.export(program.graph, program.contract, path), threads=1)
    scores = np.stack([session.run(picture) for picture in pictures])
    session.close()
    return scores, runtime.structure(path)
