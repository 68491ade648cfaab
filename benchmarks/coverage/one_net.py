"""Builds one public net and says what the SDK makes of it."""

import time
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from benchmarks.coverage.catalogue import Listed
from benchmarks.coverage.packages import build
from benchmarks.judging.verdict import TAKEN, compared, judged, program_on
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import CaptureError, SettingError
from qat.capture.capture import capture

_PICTURES = 4


def judge(listed: Listed, *, only_captures: bool) -> dict[str, Any]:
    """Returns the result, its reasons and the seconds it took, for one net, which this process builds."""
    started = time.monotonic()
    found = judged(partial(_attempt, listed, only_captures=only_captures), CaptureError, SettingError)
    return found | {"s": round(time.monotonic() - started, 1)}


def _attempt(listed: Listed, *, only_captures: bool) -> dict[str, Any]:
    torch.manual_seed(0)
    channels, height, width = listed.shape
    net = build(listed.net, height)
    _measure(net, torch.rand(_PICTURES, *listed.shape) * 2 - 1)
    if only_captures:
        capture(net, listed.shape, any_outputs=True)
        return {"result": TAKEN}
    contract = Contract(name="net", task="features", image=ImageSpec(size_px=(height, width), channels=channels))
    program = program_on(net, contract, _made_up(listed.shape, _PICTURES))
    return compared(program, _made_up(listed.shape, 2, seed=1))


@torch.no_grad()
def _measure(net: nn.Module, pictures: Tensor) -> None:
    """Gives batch norms the statistics of made-up pictures: without them a deep net's numbers vanish, or overflow."""
    norms = [part for part in net.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
        norm.train()
    try:
        net(pictures)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()


def _made_up(shape: tuple[int, int, int], count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Returns pictures (count, H, W, C) of coarse blots and fine noise."""
    random = np.random.default_rng(seed)
    channels, height, width = shape
    blots = random.integers(30, 226, (count, 4, 4, channels)).repeat(-(-height // 4), 1).repeat(-(-width // 4), 2)
    noise = random.integers(-30, 31, (count, height, width, channels))
    return np.clip(blots[:, :height, :width] + noise, 0, 255).astype(np.uint8)
