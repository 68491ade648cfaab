"""Says what the SDK makes of a net: it is refused in words, or its files are compared with the reference."""

import contextlib
import re
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.contract import Contract
from mobile_sdk.devices.base import Device, Run
from mobile_sdk.errors import SdkError
from mobile_sdk.graph.operators import Dequantize
from mobile_sdk.graph.outputs import separated
from mobile_sdk.graph.reference import Reference
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.base import Interface, Runtime
from mobile_sdk.runtimes.coreai import CoreAIRuntime
from mobile_sdk.runtimes.executorch import ExecuTorchRuntime
from mobile_sdk.runtimes.onnx import OnnxRuntime
from mobile_sdk.runtimes.tflite import TfliteRuntime
from qat.calibration.calibration import quantize
from qat.calibration.plan import CalibrationPlan
from qat.data.picture_set import PictureSet

EXACT, ISLAND, TAKEN, REFUSED, FAILED = "exact", "island", "taken", "refused", "failed"
"""Equal in every element; that with float32 inside; captured, and no more asked; refused in words; anything else."""
_EXTRAS: tuple[Runtime, ...] = (OnnxRuntime(), CoreAIRuntime())
_PLACE = re.compile(r" at \S+")
_NUMBERS = re.compile(r"(?<![\w.])[(\[]*-?\d[\d()\[\], x.-]*")


def judged(attempt: Callable[[], dict[str, Any]], *refusals: type[SdkError]) -> dict[str, Any]:
    """Returns what the attempt found, or the result and the reasons that its exception tells of.

    Errors of the types `refusals` refuse the net; any other is a failure.
    """
    try:
        return {"reasons": [], **attempt()}
    except SdkError as error:
        result = REFUSED if isinstance(error, refusals) else FAILED
        return {"result": result, "reasons": _kinds(error), "message": str(error)}
    except Exception as error:  # noqa: BLE001 - a net may raise anything; the row says what
        line = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return {"result": FAILED, "reasons": [line], "message": traceback.format_exc()[-1500:]}


def program_on(net: Any, contract: Contract, pictures: NDArray[np.uint8]) -> Program:
    """Returns the program of a net that is calibrated on pictures (N, H, W, C)."""
    sources = tuple(picture[..., 0] if picture.shape[-1] == 1 else picture for picture in pictures)
    seen = PictureSet(sources=sources, targets=(0,) * len(pictures))
    return quantize(net, contract, seen, CalibrationPlan.extremes(), progress=False)


def compared(program: Program, pictures: NDArray[np.uint8], device: Device | None = None) -> dict[str, Any]:
    """Returns the result, and how many elements of each runtime's outputs differ from the reference's.

    The runtimes run in this process, those of extras among them if they are installed, or on a device.
    """
    graph = program.graph
    expected = separated(Reference(graph).run(pictures))
    has_float = any(isinstance(each, Dequantize) for each in graph.operators)
    found: dict[str, Any] = {"elements": sum(each.size for each in expected)}
    extras = [] if device is not None else [each for each in _EXTRAS if each.unavailable() is None]
    for runtime in (TfliteRuntime(), ExecuTorchRuntime(), *extras):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / runtime.model_file
            interface = runtime.export(graph, program.contract, path)
            with _loaded(runtime, path, interface, device) as run:
                got = separated(run(pictures))
        pairs = zip(got, expected, strict=True)
        found[f"differ, {runtime.name}"] = sum(int((a.reshape(b.shape) != b).sum()) for a, b in pairs)
    differs = any(value for key, value in found.items() if key.startswith("differ"))
    if differs and not has_float:
        return found | {"result": FAILED, "reasons": ["elements differ"]}
    return found | {"result": ISLAND if has_float else EXACT}


@contextlib.contextmanager
def _loaded(runtime: Runtime, path: Path, interface: Interface, device: Device | None) -> Iterator[Run]:
    if device is not None:
        with device.loaded(runtime, path, interface) as run:
            yield run
    else:
        with contextlib.closing(runtime.load(path, interface, threads=1)) as session:
            yield lambda pictures: np.stack([session.run(each) for each in pictures])


def _kinds(error: SdkError) -> list[str]:
    """Returns the kinds of what is refused, without places and numbers, so that nets can be counted by them."""
    lines = getattr(error, "kinds", None) or [error.message]
    return [_NUMBERS.sub("#", _PLACE.sub("", line)).strip()[:160] for line in lines]
