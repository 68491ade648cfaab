"""Says what the SDK makes of one net: it captures it, or quantizes it and compares its files with the reference."""

import contextlib
import re
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from benchmarks.coverage.catalogue import Listed
from benchmarks.coverage.packages import build
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import CaptureError, SdkError, SettingError
from mobile_sdk.graph.operators import Dequantize
from mobile_sdk.graph.outputs import separated
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.capture.capture import capture
from qat.data.picture_set import PictureSet

EXACT, ISLAND, TAKEN, REFUSED, FAILED = "exact", "island", "taken", "refused", "failed"
"""Equal in every element; that with float32 inside; captured, and no more asked; refused in words; anything else."""
_PICTURES = 4
_PLACE = re.compile(r" at \S+")
_NUMBERS = re.compile(r"(?<![\w.])[(\[]*-?\d[\d()\[\], x.-]*")


def judge(listed: Listed, *, only_captures: bool) -> dict[str, Any]:
    """Returns the result, its reasons and the seconds it took, for one net, which this process builds."""
    started = time.monotonic()
    found: dict[str, Any] = {"result": FAILED, "reasons": []}
    try:
        found |= _judged(listed, only_captures=only_captures)
    except SdkError as error:
        found |= {
            "result": REFUSED if isinstance(error, CaptureError | SettingError) else FAILED,
            "reasons": reasons_of(error),
        }
        found["message"] = str(error)
    except Exception as error:  # noqa: BLE001 - a public net may raise anything; the row says what
        found |= {"reasons": [f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"]}
        found["message"] = traceback.format_exc()[-1500:]
    return found | {"s": round(time.monotonic() - started, 1)}


def reasons_of(error: SdkError) -> list[str]:
    """Returns the kinds of what is refused, without places and numbers, so that nets can be counted by them."""
    lines = getattr(error, "kinds", None) or [error.message]
    return [_NUMBERS.sub("#", _PLACE.sub("", line)).strip()[:160] for line in lines]


def _judged(listed: Listed, *, only_captures: bool) -> dict[str, Any]:
    torch.manual_seed(0)
    channels, height, width = listed.shape
    net = build(listed.net, height)
    _measure(net, torch.rand(_PICTURES, *listed.shape) * 2 - 1)
    if only_captures:
        capture(net, listed.shape)
        return {"result": TAKEN}
    contract = Contract(name="net", task="features", image=ImageSpec(size_px=(height, width), channels=channels))
    pictures = _made_up(listed.shape, _PICTURES)
    sources = tuple(picture[..., 0] if channels == 1 else picture for picture in pictures)
    seen = PictureSet(sources=sources, targets=(0,) * len(pictures))
    program = quantize(net, contract, seen, CalibrationPlan.extremes(), progress=False)
    return compared(program, _made_up(listed.shape, 2, seed=1))


def compared(program: Program, pictures: NDArray[np.uint8]) -> dict[str, Any]:
    """Returns the result, and how many elements of each runtime's outputs differ from the reference's."""
    graph = program.graph
    expected = separated(Reference(graph).run(pictures))
    has_float = any(isinstance(each, Dequantize) for each in graph.operators)
    found: dict[str, Any] = {"elements": sum(each.size for each in expected)}
    for runtime in (TfliteRuntime(), ExecuTorchRuntime()):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / runtime.model_file
            interface = runtime.export(graph, program.contract, path)
            with contextlib.closing(runtime.load(path, interface, threads=1)) as session:
                got = separated(np.stack([session.run(each) for each in pictures]))
        pairs = zip(got, expected, strict=True)
        found[f"differ, {runtime.name}"] = sum(int((a.reshape(b.shape) != b).sum()) for a, b in pairs)
    differs = any(value for key, value in found.items() if key.startswith("differ"))
    if differs and not has_float:
        return found | {"result": FAILED, "reasons": ["elements differ"]}
    return found | {"result": ISLAND if has_float else EXACT}


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
