"""Says what the SDK makes of one random net: every output element of its files is compared with the reference."""

import traceback
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.coverage.one_net import FAILED, REFUSED, compared, reasons_of
from benchmarks.random_nets.net import RandomNet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import CaptureError, SdkError
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import PictureSet

_CALIBRATED_ON = 4


def judge(seed: int) -> dict[str, Any]:
    """Returns the result of the net of a seed, its reasons, and how many elements were compared and differ."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {"seed": seed, "result": FAILED, "reasons": []}
    try:
        net = RandomNet(seed)
        found |= {"operations": len(net.operations), **_judged(net, seed)}
    except SdkError as error:
        found |= {"result": REFUSED if isinstance(error, CaptureError) else FAILED, "reasons": reasons_of(error)}
        found["message"] = str(error)
    except Exception as error:  # noqa: BLE001 - a row says what it was
        found |= {"reasons": [f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"]}
        found["message"] = traceback.format_exc()[-1500:]
    return found


def _judged(net: RandomNet, seed: int) -> dict[str, Any]:
    image = ImageSpec(size_px=net.size_px, channels=net.channels)
    contract = Contract(name="random", task="features", image=image)
    pictures = pictures_of(net, _CALIBRATED_ON, seed)
    sources = tuple(picture[..., 0] if net.channels == 1 else picture for picture in pictures)
    seen = PictureSet(sources=sources, targets=(0,) * len(pictures))
    program = quantize(net, contract, seen, CalibrationPlan.extremes(), progress=False)
    return compared(program, pictures_of(net, 3, seed + 1))


def pictures_of(net: RandomNet, count: int, seed: int) -> NDArray[np.uint8]:
    """Returns noise, coarse blots, and the least and the greatest byte in a chequer."""
    random = np.random.default_rng(seed)
    shape = (*net.size_px, net.channels)
    made = [random.integers(0, 256, shape) for _ in range(count)]
    coarse = random.integers(0, 256, (4, 4, net.channels))
    made[0] = coarse[np.indices(net.size_px)[0] * 4 // net.size_px[0], np.indices(net.size_px)[1] * 4 // net.size_px[1]]
    made[-1] = np.broadcast_to((np.indices(net.size_px).sum(0) % 2 * 255)[..., None], shape)
    return np.stack(made).astype(np.uint8)
