"""Means over any axes and adaptive pools are exact in every runtime, near in the twin, and paired with it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mobile_sdk.analysis.layer_pairing import counterparts
from mobile_sdk.errors import CaptureError
from mobile_sdk.graph.float_reference import FloatReference
from mobile_sdk.program.program import Program
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.capture.capture import capture
from qat.data.picture_set import PictureSet, normalised
from qat.freezing.composed_pools import adaptive_windows
from qat.freezing.freezing import float_twin
from tests.support.operators.runtimes import RUNTIMES, assert_exact, assert_near_float
from tests.support.tiny_nets import CONTRACT, SIZE_PX, net

FORMS = {
    "rows": lambda x: x * x.mean(3, keepdim=True),
    "channels": lambda x: x + x.mean(1, keepdim=True),
    "all": lambda x: x * x.mean((1, 2, 3), keepdim=True),
    "sums": lambda x: x * x.sum(2, keepdim=True),
    "adaptive": lambda x: F.adaptive_avg_pool2d(x, (6, 5)),
}
IMAGES = np.random.default_rng(0).integers(0, 256, (4, SIZE_PX, SIZE_PX, 3)).astype(np.uint8)


def pooling(operation: Any) -> nn.Module:
    torch.manual_seed(0)
    return net(
        lambda self, x: self.head(operation(F.relu(self.stem(x))).mean((2, 3))),
        stem=nn.Conv2d(3, 6, 3, padding=1),
        head=nn.Linear(6, 5),
    ).eval()


@pytest.mark.parametrize("form", FORMS)
def test_a_composed_pool_is_exact_in_every_runtime_and_paired_with_its_twin(form, tmp_path):
    own = pooling(FORMS[form])
    pictures = PictureSet(sources=tuple(IMAGES), targets=(0,) * len(IMAGES))
    program, twin = quantize(own, CONTRACT, pictures, CalibrationPlan.extremes()), float_twin(own, CONTRACT)
    for runtime in RUNTIMES:
        assert_exact(runtime, program.graph, tmp_path, IMAGES)
        assert_near_float(runtime, twin.graph, tmp_path)
    assert len(counterparts(program.graph, twin.graph)) == len(twin.graph.operators)
    with torch.no_grad():
        wanted = own(normalised(torch.from_numpy(IMAGES).permute(0, 3, 1, 2), CONTRACT.image).contiguous()).numpy()
    np.testing.assert_allclose(FloatReference(twin.graph).run(IMAGES), wanted, rtol=1e-4, atol=1e-4)
    program.save(tmp_path / "program.pt2")
    assert Program.load(tmp_path / "program.pt2").graph.digest() == program.graph.digest()


@pytest.mark.parametrize(("before", "after"), [((16, 16), (6, 5)), ((4, 7), (6, 3)), ((3, 10), (3, 4))])
def test_windows_of_a_block_are_pytorchs(before, after):
    x = torch.rand(1, 1, *before, dtype=torch.float64)
    windows = adaptive_windows(before, after)
    pooled = torch.from_numpy(windows / windows.sum((1, 2), keepdims=True))[:, None]
    blocks = F.conv2d(x, pooled, stride=windows.shape[1:])
    down, across = (count // each for count, each in zip(after, blocks.shape[2:], strict=True))
    found = blocks.reshape(down, across, *blocks.shape[2:]).permute(2, 0, 3, 1).reshape(after)
    torch.testing.assert_close(found, F.adaptive_avg_pool2d(x, after)[0, 0])


def test_an_adaptive_maximum_of_uneven_windows_is_refused_with_a_way_out():
    with pytest.raises(CaptureError, match=r"to .6, 6. from 16 x 16, whose windows have several sizes: pool to"):
        capture(pooling(lambda x: F.adaptive_max_pool2d(x, 6)), SIZE_PX)
