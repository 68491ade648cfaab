"""Pictures made up from batch norms: what `--data none` calibrates on."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_sdk.errors import CaptureError
from qat.calibration.synthesis import synthesise
from tests.support.nets.calibrated_nets import block_net
from tests.support.tiny_nets import CONTRACT, body, picture_set


def test_pictures_are_made_up_from_batch_norms_alone_and_the_same_seed_gives_the_same():
    first, again, other = (synthesise(block_net(), CONTRACT, count=4, seed=seed) for seed in (0, 0, 1))
    assert len(first) == 4 and first.targets == (-1,) * 4
    assert all(np.array_equal(a, b) for a, b in zip(first.sources, again.sources, strict=True))
    assert not np.array_equal(first.sources[0], other.sources[0])
    assert first.bytes(CONTRACT.image).shape == (4, 16, 16, 3) and first.bytes(CONTRACT.image).std() > 5


def test_made_up_pictures_bring_statistics_near_to_those_that_batch_norm_remembers():
    tiny = block_net()
    for module in tiny.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        tiny.train()(picture_set(32).tensors(CONTRACT.image))  # statistics that there are pictures for
    made_up = synthesise(tiny.eval(), CONTRACT, count=4).tensors(CONTRACT.image)
    seen: list[Tensor] = []
    tiny.depth_norm.register_forward_hook(lambda module, args, output: seen.append(output))
    noise = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        tiny(noise)
        tiny(made_up)
    off = [(output.mean((0, 2, 3)) - tiny.depth_norm.bias).square().mean() for output in seen]
    assert off[1] < 0.5 * off[0]


def test_a_net_without_batch_norm_is_refused_with_what_to_give_instead():
    plain = body(lambda self, x: F.relu(self.conv(x)), conv=nn.Conv2d(6, 6, 3))
    with pytest.raises(CaptureError, match="expected a net with batch norm") as caught:
        synthesise(plain, CONTRACT)
    assert "--data" in caught.value.hint
