"""Core ML on tensors of five axes, which leave no axis for the batch: every operator that reads one, in a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mobile_sdk.contract import Contract
from mobile_sdk.graph.outputs import separated
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.runtimes.coreml import CoreMLRuntime
from mobile_sdk.runtimes.coreml.interpreter.interpreter import InterpreterSession
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from tests.support import tiny_nets

CONTRACT = Contract(name="five", task="features", image=tiny_nets.CONTRACT.image)
CHANNELS = 4
EXACT: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "a slice": lambda _, x: x[:, :, 1:3],
    "a concatenation": lambda _, x: torch.cat([x, x[:, :1]], dim=1),
    "padding": lambda _, x: functional.pad(x, (0, 0, 1, 2)),
    "a constant added": lambda self, x: x + self.offsets,
    "SiLU": lambda _, x: functional.silu(x),
}
FLOAT: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "softmax": lambda _, x: torch.softmax(x, dim=-1),
    "a layer norm": lambda self, x: self.norm(x),
}


def on_five_axes(operation: Callable[[Any, Tensor], Tensor]) -> nn.Module:
    """A convolution, its map as (2, 4, 4, 2, 4) beside the batch's axis, the operation."""

    def forward(self: Any, x: Tensor) -> Tensor:
        maps = self.stem(x).reshape(len(x), 2, 2, 4, 4, 4).permute(0, 2, 4, 3, 1, 5)
        return operation(self, maps).flatten(1)

    return tiny_nets.net(
        forward,
        stem=nn.Conv2d(3, CHANNELS, 3, stride=2, padding=1),
        offsets=nn.Parameter(torch.linspace(-1, 1, 4)),
        norm=nn.LayerNorm(4),
    )


def steps_apart(operation: Callable[[Any, Tensor], Tensor], folder: Path) -> Any:
    """How far every element of the interpreted file is from the reference."""
    program = quantize(
        on_five_axes(operation), CONTRACT, tiny_nets.picture_set(), CalibrationPlan.extremes(), progress=False
    )
    graph = program.graph
    assert max(len(each.output.shape) for each in graph.operators) == 5
    images = tiny_nets.rgb(4, seed=3)
    interface = CoreMLRuntime().export(graph, program.contract, folder / CoreMLRuntime.model_file)
    session = InterpreterSession(folder / CoreMLRuntime.model_file, interface, threads=1)
    (found,) = separated(np.stack([session.run(image) for image in images]))
    session.close()
    (expected,) = separated(Reference(graph).run(images))
    assert found.shape == expected.shape and len(np.unique(expected)) > 20
    return np.abs(in_steps(found, graph) - in_steps(expected, graph))


@pytest.mark.parametrize("name", EXACT)
def test_operators_on_five_axes_are_exact_in_core_ml(name: str, tmp_path: Path) -> None:
    assert steps_apart(EXACT[name], tmp_path).max() == 0


@pytest.mark.parametrize("name", FLOAT)
def test_float_operators_on_five_axes_are_within_a_step_in_core_ml(name: str, tmp_path: Path) -> None:
    assert steps_apart(FLOAT[name], tmp_path).max() <= 1
