"""Checks that a manifest's description of its model's tensors fits its contract."""

from math import prod

import numpy as np

from mobile_sdk.bundle.manifest import Manifest
from mobile_sdk.contract import ImageSpec, NetInput, stored_shape
from mobile_sdk.runtimes.base import InputSpec, OutputSpec
from mobile_sdk.runtimes.requirement import MOST_GOLDEN_STEPS
from mobile_sdk.tasks.registry import task_of

MOST_OUTPUT_BYTES = 2**31 - 1
"""All outputs of one picture have so many bytes together, at most: no runtime gives more."""


def interface_misfit(manifest: Manifest) -> str | None:
    """Returns the reason why they do not fit, in words, or None."""
    return _input_misfit(manifest.interface.input, manifest.input) or _outputs_misfit(manifest)


def _input_misfit(spec: InputSpec, source: NetInput) -> str | None:
    last, first = (1, *stored_shape(source.shape)), (1, *source.shape)
    shapes = {1: {"NC": last}, 2: {"NTC": last}, 3: {"NHWC": last, "NCHW": first}}[len(source.shape)]
    if spec.shape != shapes.get(spec.layout):
        return f"expected an input {shapes.get(spec.layout)} in {spec.layout}, found {spec.shape}"
    is_image = isinstance(source, ImageSpec)
    offsets = {"uint8": (0,), "int8": (-128,), "image": (0,), "float32": (0, -128) if is_image else (-128,)}[spec.dtype]
    if spec.dtype in ("uint8", "image") and not is_image:
        return f"expected int8 or float32 codes of an array, found {spec.dtype}"
    if spec.byte_offset not in offsets:
        return f"expected the byte_offset {offsets[0]} for {spec.dtype}, found {spec.byte_offset}"
    return None


def _outputs_misfit(manifest: Manifest) -> str | None:
    names, tolerances = [spec.name for spec in manifest.outputs], manifest.golden.of_outputs
    if len(set(names)) < len(names):
        return f"expected outputs of different names, found {', '.join(names)}"
    if len(tolerances) != len(names) or max(tolerances) != manifest.golden.tolerance:
        return f"expected a golden tolerance for each of {len(names)} outputs, found {', '.join(map(str, tolerances))}"
    outputs = list(zip(manifest.outputs, tolerances, strict=True))
    task = task_of(manifest)
    if not (task.has_one_output and len(names) > 1):  # then they fit together, or it would be no manifest
        shapes = (spec.shape for spec in manifest.outputs)
        odd = next((shape for shape in shapes if not task.fits(shape, manifest)), None)
        if odd is not None:
            return f"expected an output {task.expected_shape(manifest)}, found {odd}"
    misfits = (_output_misfit(manifest, *each) for each in outputs)
    return next((misfit for misfit in misfits if misfit is not None), None) or _size_misfit(manifest)


def _size_misfit(manifest: Manifest) -> str | None:
    found = sum(prod(spec.shape) * np.dtype(spec.dtype).itemsize for spec in manifest.outputs)
    misfit = f"expected at most {MOST_OUTPUT_BYTES} bytes of all outputs, found more"
    return misfit if found > MOST_OUTPUT_BYTES else None


def _output_misfit(manifest: Manifest, spec: OutputSpec, tolerance: float) -> str | None:
    task = task_of(manifest)
    if spec.dtype not in task.output_dtypes:
        return f"expected {task.truth} in {' or '.join(task.output_dtypes)}, found {spec.dtype}"
    if spec.dtype == "float32":
        told = (spec.scale, spec.zero_point) != (None, None)
        return "expected no scale and zero point of a float32 output, found them" if told else None
    if manifest.precision == "float32":
        return f"expected a float32 output of a {manifest.precision} model, found {spec.dtype}"
    most = 0 if manifest.precision == "int8" else MOST_GOLDEN_STEPS
    if tolerance > most:
        expected = f"expected a golden tolerance of at most {most:g} for codes of an {manifest.precision} model"
        return f"{expected}, found {tolerance:g}"
    if spec.scale is None or spec.zero_point is None:
        return "expected scale and zero point of an int8 output, found null"
    if not 0 < spec.scale < 3e38 or float(np.float32(spec.scale)) != spec.scale:
        return f"expected a positive float32 as the output's scale, found {spec.scale}"
    return None if -128 <= spec.zero_point <= 127 else f"expected a zero point in -128..127, found {spec.zero_point}"
