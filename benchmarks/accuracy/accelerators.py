"""Measures how near accelerators come to the float net, beside the int8 reference: decibels, winners, share taken.

Run: python -m benchmarks.accuracy.accelerators

The Neural Engine's form of Core ML is computed in each of the arithmetics that its interpreter emulates, and the worst
and the best are told. No time is measured: none of these is the accelerator itself. It takes some 20 minutes.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.core.results_file import write_result
from benchmarks.nets.trained_nets import NETS, Trained
from mobile_sdk import runtimes
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.runtimes.base import Runtime
from mobile_sdk.runtimes.reader import Taken
from mobile_sdk.runtimes.requirement import near_float
from mobile_sdk.system.environment import installed_versions
from mobile_sdk.verification.scores.float_checks import float_checks
from mobile_sdk.verification.scores.float_distance import FloatDistance, float_distance
from qat.progress import say

ACCELERATORS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "Core ML, Neural Engine's form, emulated": ("coreml", {"compute": "neural-engine"}),
    "Qualcomm's HTP, its simulator": ("qnn-htp", {}),
    "LiteRT's GPU accelerator, Vulkan on a processor": ("litert-gpu", {}),
}
"""It maps titles to the runtime that stands for the accelerator, and the form of its files."""
NOT_TIMED = "not run: no such accelerator here"


def main() -> None:
    """Measures every net on every accelerator."""
    quiet()
    rows = []
    for net, build in NETS.items():
        trained = build()
        for title, (name, form) in ACCELERATORS.items():
            rows.append({"net": net, "accelerator": title, **measure(trained, runtimes.get(name, form))})
            say(str(rows[-1]))
    write_result("accelerators", rows, installed_versions(("mobile-sdk", "torch", "coremltools")))


def measure(trained: Trained, runtime: Runtime) -> dict[str, Any]:
    """Returns the row of one net on one accelerator, or one with the reason why it did not run."""
    if reason := runtime.unavailable():
        return {"pictures": 0, "verdict": f"not run: {reason}"}
    program = trained.program
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / runtime.model_file
        runtime.export(program.graph, program.contract, model)
        operations = sum(runtime.structure(model).operators.values())
        found = [_measured(trained, way, model) for way in runtime.arithmetics(program.graph)]
    distances, taken = [distance for distance, _ in found], found[0][1]
    worst = max(distances, key=lambda each: each.loss_db)
    best = min(distances, key=lambda each: each.loss_db)
    checks = float_checks(distances, near_float("the accelerator's arithmetic is its own"))
    return {
        "pictures": worst.pictures,
        "reference, dB from float": _rounded(worst.reference_sqnr_db),
        "dB from float, worst": _rounded(worst.sqnr_db),
        "dB from float, best": _rounded(best.sqnr_db),
        "winners as float, reference": worst.reference_winners,
        "winners as float, worst": min(each.winners for each in distances),
        "operations": operations,
        "taken %": _share_percent(taken),
        "verdict": "pass" if all(check.outcome == "pass" for check in checks) else "fail",
        "time": NOT_TIMED,
    }


def _measured(trained: Trained, runtime: Runtime, model: Path) -> tuple[FloatDistance, Taken | None]:
    program = trained.program
    interface = runtime.interface(program.graph)
    with MODELS.loaded(runtime, model, interface, threads=1) as session:
        found, taken = session.run_each(trained.pixels), session.taken
    reference, wanted = (expected_scores(each, trained.pixels) for each in (program, trained.twin))
    return float_distance(_rows(found), _rows(reference), _rows(wanted), program), taken


def _share_percent(taken: Taken | None) -> float | str:
    """Returns the share of the operators that the accelerator takes, if its runtime says it."""
    return "–" if taken is None or taken.share is None else round(100 * taken.share, 1)


def _rows(scores: NDArray[Any]) -> NDArray[np.generic]:
    return scores.reshape(len(scores), -1)


def _rounded(decibels: float | None) -> float | None:
    return None if decibels is None else round(decibels, 2)


if __name__ == "__main__":
    main()
