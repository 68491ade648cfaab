"""Computes how near a device must come to the golden outputs. What a manifest says of it is compared, never believed.

Whoever has the program computes the tolerance. Readers that do not have it, apps among them, refuse one that is larger
than the golden outputs justify: a self-check that allows everything checks nothing.
"""

import math

import numpy as np
from numpy.typing import NDArray

from mobile_sdk import runtimes
from mobile_sdk.bundle.manifest import Manifest
from mobile_sdk.contract import stored_shape
from mobile_sdk.graph.operators import Quantization
from mobile_sdk.graph.outputs import separated
from mobile_sdk.graph.score_steps import real_values
from mobile_sdk.program.expected_scores import expected_scores
from mobile_sdk.program.program import Program
from mobile_sdk.runtimes.base import FLOAT_SHARE, OutputSpec, Runtime

EARLIER_STEPS = 8
"""So many steps of codes as float32 (Core ML) earlier versions of this SDK allowed; their bundles are still read."""
_WITHIN_STEP = 0.25  # of a step: scores that were codes are the same codes, whatever multiplies them by their scale
_TIMES_APART = 3
_SNAP_STEPS = 1e-3  # so near to a whole number of steps is a score that was a code


def is_by_reference(program: Program, runtime: Runtime) -> bool:
    """Tells whether the expected outputs are the reference's own, which the runtime computes too, in any order."""
    computes_integers = program.graph.is_int8 and runtime.native_check() is None
    outputs = runtime.interface(program.graph).outputs
    return computes_integers or all(output.dtype == "int8" for output in outputs)


def golden_tolerances(
    program: Program, runtime: Runtime, scores: NDArray[np.generic], pixels: NDArray[np.uint8]
) -> tuple[float, ...]:
    """Returns each output's largest difference from the expected `scores` of all golden images, in its own unit.

    `pixels` are the golden images' bytes. An accelerator's scores in one arithmetic lie about as far from those in
    another as from the reference's: three times the distance from these is allowed, and a step more, within its share.
    """
    requirement = runtime.requirement(program.graph)
    steps, given = requirement.golden_steps, runtime.computed(program.graph).outputs
    if is_by_reference(program, runtime):
        return (steps if requirement.most_apart is None else requirement.most_apart,) * len(given)
    specs = runtime.interface(program.graph).outputs
    parts = zip(separated(scores), given, specs, strict=True)
    most = tuple(
        steps if spec.dtype == "int8" else _tolerance_of(part, output.quantization, runtime)
        for part, output, spec in parts
    )
    if runtime.golden_share == FLOAT_SHARE or not _fits(program, scores, pixels):
        return most
    return tuple(map(min, most, _by_distance(program, scores, pixels)))


def _fits(program: Program, scores: NDArray[np.generic], pixels: NDArray[np.uint8]) -> bool:
    """Tells whether golden images are of this program's sizes; `verify` asks with those of any bundle."""
    shapes = [math.prod(output.shape) for output in program.graph.outputs]
    found = [part.size // len(scores) for part in separated(scores)]
    return pixels.shape[1:] == stored_shape(program.contract.input.shape) and found == shapes


def _by_distance(program: Program, scores: NDArray[np.generic], pixels: NDArray[np.uint8]) -> tuple[float, ...]:
    """Returns three times each output's distance from the reference on the golden images, and a step more."""
    reference = real_values(expected_scores(program, pixels), program.graph)
    parts = zip(separated(scores), reference, program.graph.outputs, strict=True)
    return tuple(
        _TIMES_APART * float(np.abs(part.reshape(-1) - wanted.reshape(-1)).max())
        + (output.quantization.scale if output.quantization else FLOAT_SHARE * max(1.0, float(np.abs(wanted).max())))
        for part, wanted, output in parts
    )


def _tolerance_of(scores: NDArray[np.generic], grid: Quantization | None, runtime: Runtime) -> float:
    most = _most(scores, runtime)
    is_codes = grid is not None and runtime.golden_share == FLOAT_SHARE
    return min(most, _WITHIN_STEP * grid.scale) if grid is not None and is_codes else most


def tolerance_misfit(manifest: Manifest, scores: NDArray[np.generic]) -> str | None:
    """Returns why a manifest's tolerance of float32 outputs is more than the expected `scores` justify, or None.

    Tolerances of codes are the interface's matter.
    """
    runtime = runtimes.get(manifest.runtime, manifest.form)
    parts = zip(separated(scores), manifest.outputs, manifest.golden.of_outputs, strict=True)
    misfits = (_misfit(manifest, runtime, *part) for part in parts)
    return next((misfit for misfit in misfits if misfit is not None), None)


def _misfit(
    manifest: Manifest, runtime: Runtime, scores: NDArray[np.generic], spec: OutputSpec, found: float
) -> str | None:
    most = _most(scores, runtime)
    if spec.dtype == "int8" or found <= most:
        return None
    if manifest.precision != "float32" and _are_steps(scores, found / EARLIER_STEPS):
        return None
    return f"expected a tolerance of at most {most:.6g} for these golden outputs, found {found:.6g}"


def _most(scores: NDArray[np.generic], runtime: Runtime) -> float:
    """Returns the runtime's share of the largest score, for sums in another order of 1 at least."""
    largest = float(np.abs(scores).max())
    return runtime.golden_share * (max(1.0, largest) if runtime.golden_share == FLOAT_SHARE else largest)


def _are_steps(scores: NDArray[np.generic], step: float) -> bool:
    """Tells whether every score is a whole number of steps, and none but zero is less than one."""
    steps = scores.astype(np.float64) / step
    whole = np.rint(steps)
    return bool(np.all((np.abs(steps - whole) < _SNAP_STEPS) & ((whole != 0) | (scores == 0))))
