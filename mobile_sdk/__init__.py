"""Deploys one int8 program: bundles for three runtimes, then a verdict and numbers.

Describe: Contract, ImageSpec, TensorSpec, DetectionSpec; Program, Record, Quality (what `qat` makes, and
          `Program.load` reads).
Export:   lower → Bundle, open_bundle.
Predict:  Bundle.predict, Program.predict → a Prediction of one picture: ClassPrediction, BoxPrediction,
          MaskPrediction or OutputPrediction, by the task.
All of it: run by RunSettings: what the command `mobile-sdk run` does, from pictures to a report.
Judge:    verify → a verdict; benchmark → numbers; profile → a time for each layer; write_report; bisect,
          layer_distances, layer_sensitivity.
Apps:     to_bytes, detect, detect_anchor_free, masks_of: what Kotlin and Swift do with pictures and outputs.
Errors:   SdkError, the root of them all.

Every long call takes `progress`: True, the default, shows it on standard error; False does not; a function
gets the share that is done (0..1) and a description of the current work.

Names are loaded when they are first used: `import mobile_sdk` alone loads neither torch nor a runtime.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mobile_sdk.packages import check_qat_is_ours

if TYPE_CHECKING:
    from mobile_sdk.analysis.layer_distances import layer_distances
    from mobile_sdk.analysis.sensitivity import layer_sensitivity
    from mobile_sdk.benchmarking.benchmark import benchmark
    from mobile_sdk.benchmarking.profiling.profile import profile
    from mobile_sdk.bundle.bundle import Bundle, open_bundle
    from mobile_sdk.bundle.lowering import lower
    from mobile_sdk.contract import Contract, DetectionSpec, ImageSpec, TensorSpec
    from mobile_sdk.errors import SdkError
    from mobile_sdk.prediction.predictions import (
        BoxPrediction,
        ClassPrediction,
        MaskPrediction,
        OutputPrediction,
        Prediction,
    )
    from mobile_sdk.preprocess import to_bytes
    from mobile_sdk.program.program import Program
    from mobile_sdk.program.record import Record
    from mobile_sdk.report.write import write_report
    from mobile_sdk.tasks.anchor_free import detect_anchor_free
    from mobile_sdk.tasks.boxes import detect
    from mobile_sdk.tasks.quality import Quality
    from mobile_sdk.tasks.segmentation import masks_of
    from mobile_sdk.verification.bisection import bisect
    from mobile_sdk.verification.verification import verify
    from mobile_sdk.workflow.pipeline import run
    from mobile_sdk.workflow.settings import RunSettings

_HOMES = {
    "BoxPrediction": "mobile_sdk.prediction.predictions",
    "Bundle": "mobile_sdk.bundle.bundle",
    "ClassPrediction": "mobile_sdk.prediction.predictions",
    "Contract": "mobile_sdk.contract",
    "DetectionSpec": "mobile_sdk.contract",
    "ImageSpec": "mobile_sdk.contract",
    "MaskPrediction": "mobile_sdk.prediction.predictions",
    "OutputPrediction": "mobile_sdk.prediction.predictions",
    "Prediction": "mobile_sdk.prediction.predictions",
    "Program": "mobile_sdk.program.program",
    "Quality": "mobile_sdk.tasks.quality",
    "Record": "mobile_sdk.program.record",
    "RunSettings": "mobile_sdk.workflow.settings",
    "SdkError": "mobile_sdk.errors",
    "TensorSpec": "mobile_sdk.contract",
    "benchmark": "mobile_sdk.benchmarking.benchmark",
    "bisect": "mobile_sdk.verification.bisection",
    "detect": "mobile_sdk.tasks.boxes",
    "detect_anchor_free": "mobile_sdk.tasks.anchor_free",
    "layer_distances": "mobile_sdk.analysis.layer_distances",
    "layer_sensitivity": "mobile_sdk.analysis.sensitivity",
    "lower": "mobile_sdk.bundle.lowering",
    "masks_of": "mobile_sdk.tasks.segmentation",
    "open_bundle": "mobile_sdk.bundle.bundle",
    "profile": "mobile_sdk.benchmarking.profiling.profile",
    "run": "mobile_sdk.workflow.pipeline",
    "to_bytes": "mobile_sdk.preprocess",
    "verify": "mobile_sdk.verification.verification",
    "write_report": "mobile_sdk.report.write",
}

__all__ = [
    "BoxPrediction",
    "Bundle",
    "ClassPrediction",
    "Contract",
    "DetectionSpec",
    "ImageSpec",
    "MaskPrediction",
    "OutputPrediction",
    "Prediction",
    "Program",
    "Quality",
    "Record",
    "RunSettings",
    "SdkError",
    "TensorSpec",
    "benchmark",
    "bisect",
    "detect",
    "detect_anchor_free",
    "layer_distances",
    "layer_sensitivity",
    "lower",
    "masks_of",
    "open_bundle",
    "profile",
    "run",
    "to_bytes",
    "verify",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("mobile-sdk")
    if name not in _HOMES:
        now = "; it is called Quality now" if name == "Accuracy" else ""
        raise AttributeError(f"module 'mobile_sdk' has no attribute {name!r}{now}")
    check_qat_is_ours()
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__")), "__version__"})
