"""Computes how near a device must come to the golden outputs. What a manifest says of it is compared, never believed.

Whoever has the program computes the tolerance. Readers that do not have it, apps among them, refuse one that is larger
than the golden outputs justify: a self-check that allows everything checks nothing.
"""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.bundle.manifest import Manifest
from mobile_sdk.graph.operators import Quantization
from mobile_sdk.graph.outputs import separated
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.base import OutputSpec, Runtime

FLOAT_SHARE = 1e-3
"""It is a share of the largest float32 score: other orders of summation move scores by some 1e-5."""
INT8_AS_FLOAT_STEPS = 8
"""It is for int8 models with float32 outputs (Core ML), whose own rounding of ties moves scores by a few steps."""
_SNAP_STEPS = 1e-3  # so near to a whole number of steps is a score that was a code


def is_by_reference(program: Program, runtime: Runtime) -> bool:
    """Tells whether the expected outputs are the reference's own, which the runtime computes too, in any order."""
    computes_integers = program.graph.is_int8 and runtime.native_check() is None
    outputs = runtime.interface(program.graph).outputs
    return computes_integers or all(output.dtype == "int8" for output in outputs)


def golden_tolerances(program: Program, runtime: Runtime, scores: NDArray[np.generic]) -> tuple[float, ...]:
    """Returns each output's largest difference from the expected `scores` of all golden images, in its own unit."""
    steps = runtime.requirement(program.graph).golden_steps
    if is_by_reference(program, runtime):
        return (steps,) * len(program.graph.outputs)
    specs = runtime.interface(program.graph).outputs
    parts = zip(separated(scores), program.graph.outputs, specs, strict=True)
    return tuple(
        steps if spec.dtype == "int8" else _tolerance_of(part, output.quantization) for part, output, spec in parts
    )


def _tolerance_of(scores: NDArray[np.generic], grid: Quantization | None) -> float:
    return _float_tolerance(scores) if grid is None else INT8_AS_FLOAT_STEPS * grid.scale


def tolerance_misfit(manifest: Manifest, scores: NDArray[np.generic]) -> str | None:
    """Returns why a manifest's tolerance of float32 outputs is more than the expected `scores` justify, or None.

    A few steps are justified where all scores are whole steps. Tolerances of codes are the interface's matter.
    """
    parts = zip(separated(scores), manifest.outputs, manifest.golden.of_outputs, strict=True)
    misfits = (_misfit(manifest, *part) for part in parts)
    return next((misfit for misfit in misfits if misfit is not None), None)


def _misfit(manifest: Manifest, scores: NDArray[np.generic], spec: OutputSpec, found: float) -> str | None:
    most = _float_tolerance(scores)
    if spec.dtype == "int8" or found <= most:
        return None
    if manifest.precision != "float32" and _are_steps(scores, found / INT8_AS_FLOAT_STEPS):
        return None
    return f"expected a tolerance of at most {most:.6g} for these golden outputs, found {found:.6g}"


def _float_tolerance(scores: NDArray[np.generic]) -> float:
    return FLOAT_SHARE * max(1.0, float(np.abs(scores).max()))


def _are_steps(scores: NDArray[np.generic], step: float) -> bool:
    """Tells whether every score is a whole number of steps, and none but zero is less than one."""
    steps = scores.astype(np.float64) / step
    whole = np.rint(steps)
    return bool(np.all((np.abs(steps - whole) < _SNAP_STEPS) & ((whole != 0) | (scores == 0))))
