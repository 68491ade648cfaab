"""Says what the SDK makes of one random net: every output element of its files is compared with the reference."""

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.judging.verdict import compared, judged, program_on
from benchmarks.random_nets.net import RandomNet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.devices import open_device
from mobile_sdk.devices.base import Device
from mobile_sdk.errors import CaptureError

_CALIBRATED_ON = 4


def judge(seed: int, device: str | None = None) -> dict[str, Any]:
    """Returns the result of the net of a seed, its reasons, and how many elements were compared and differ."""
    torch.set_num_threads(1)
    return {"seed": seed, **judged(partial(_attempt, seed, open_device(device) if device else None), CaptureError)}


def _attempt(seed: int, device: Device | None) -> dict[str, Any]:
    net = RandomNet(seed)
    image = ImageSpec(size_px=net.size_px, channels=net.channels)
    contract = Contract(name="random", task="features", image=image)
    program = program_on(net, contract, pictures_of(net, _CALIBRATED_ON, seed))
    return {"operations": len(net.operations), **compared(program, pictures_of(net, 3, seed + 1), device)}


def pictures_of(net: RandomNet, count: int, seed: int) -> NDArray[np.uint8]:
    """Returns noise, coarse blots, and the least and the greatest byte in a chequer."""
    random = np.random.default_rng(seed)
    shape = (*net.size_px, net.channels)
    made = [random.integers(0, 256, shape) for _ in range(count)]
    coarse = random.integers(0, 256, (4, 4, net.channels))
    made[0] = coarse[np.indices(net.size_px)[0] * 4 // net.size_px[0], np.indices(net.size_px)[1] * 4 // net.size_px[1]]
    made[-1] = np.broadcast_to((np.indices(net.size_px).sum(0) % 2 * 255)[..., None], shape)
    return np.stack(made).astype(np.uint8)
