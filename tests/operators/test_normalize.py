"""Normalize: float32 between conversions, PyTorch's norms, within a step of the reference in every runtime."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mobile_sdk.graph.checks.shape_check import check_shapes
from mobile_sdk.graph.operators import Normalize
from mobile_sdk.graph.reference import Reference
from tests.support.graph_builder import pictures
from tests.support.operators.islands import CHANNELS, RESULT, VALUES, assert_within_a_step, island
from tests.support.operators.runtimes import RUNTIMES

RANDOM = np.random.default_rng(0)
GAIN = RANDOM.normal(1, 0.2, CHANNELS).astype(np.float32)
OFFSET = RANDOM.normal(0, 0.2, CHANNELS).astype(np.float32)
EPSILON = 1e-5
Norm = Callable[[Tensor, Tensor, Tensor], Tensor]


def norm(axes: tuple[int, ...], groups: int, *, is_centred: bool) -> Normalize:
    fields: dict[str, Any] = {"axes": axes, "groups": groups, "is_centred": is_centred, "epsilon": EPSILON}
    return Normalize(input=VALUES, output=RESULT, path="net.norm", gain=GAIN, offset=OFFSET, **fields)


def _of_channels(x: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    return F.layer_norm(x.movedim(1, -1), (CHANNELS,), gain, offset, EPSILON).movedim(-1, 1)


def _root_mean_square(axes: tuple[int, ...]) -> Norm:
    def scaled(x: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
        shares = x * torch.rsqrt(x.square().mean(axes, keepdim=True) + EPSILON)
        return shares * gain[:, None, None] + offset[:, None, None]

    return scaled


NORMS: dict[str, tuple[Normalize, Norm]] = {
    "layer norm": (norm((0,), 1, is_centred=True), _of_channels),
    "RMS norm": (
        norm((0,), 1, is_centred=False),
        lambda x, gain, offset: (
            F.rms_norm(x.movedim(1, -1), (CHANNELS,), gain, EPSILON).movedim(-1, 1) + offset[:, None, None]
        ),
    ),
    "instance norm": (
        norm((1, 2), 1, is_centred=True),
        lambda x, gain, offset: F.instance_norm(x, weight=gain, bias=offset, eps=EPSILON),
    ),
    "rows": (norm((1,), 1, is_centred=False), _root_mean_square((2,))),
    "columns": (norm((2,), 1, is_centred=False), _root_mean_square((3,))),
    "channels and rows": (norm((0, 1), 1, is_centred=False), _root_mean_square((1, 2))),
    "channels and columns": (norm((0, 2), 1, is_centred=False), _root_mean_square((1, 3))),
    "group norm of one": (
        norm((0, 1, 2), 1, is_centred=True),
        lambda x, gain, offset: F.group_norm(x, 1, gain, offset, EPSILON),
    ),
    "group norm of four": (
        norm((0, 1, 2), 4, is_centred=True),
        lambda x, gain, offset: F.group_norm(x, 4, gain, offset, EPSILON),
    ),
}


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("name", NORMS)
def test_every_runtime_is_within_a_step_of_the_reference(name: str, runtime: Any, tmp_path: Path) -> None:
    assert_within_a_step(runtime, island(NORMS[name][0], 3 / 127, 0), tmp_path)


@pytest.mark.parametrize("name", NORMS)
def test_the_reference_is_pytorch_s_norm(name: str) -> None:
    operator, expected = NORMS[name]
    graph = island(operator, 3 / 127, 0)
    check_shapes(graph)
    traced = Reference(graph).trace(pictures(graph, 4))
    gain, offset = torch.from_numpy(GAIN), torch.from_numpy(OFFSET)
    wanted = expected(torch.from_numpy(traced["values"]), gain, offset)
    np.testing.assert_allclose(traced["result"], wanted.numpy(), atol=2e-5)
