"""Counts the content of a saved `.mlpackage` in the file itself."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.runtimes.base import Structure
from mobile_sdk.runtimes.coreml.package.blob_file import damaged
from mobile_sdk.runtimes.coreml.package.program_file import MilOperation, MilProgram, read_program

_WEIGHTED = ("conv", "linear")
_INT8_WEIGHT, _INT4_WEIGHT = "constexpr_affine_dequantize", "constexpr_blockwise_shift_scale"


def read_structure(package: Path) -> Structure:
    """Reads the package; raises BundleError if it is damaged.

    `partitions` is 1: the whole package is one program. Core ML decides which compute unit takes which operator when an
    app loads it, not in the file.
    """
    program = read_program(package)
    try:
        return _content(program, package)
    except KeyError as error:
        raise damaged(package, f"a layer whose weight {error} nothing makes") from error


def _content(program: MilProgram, package: Path) -> Structure:
    by_output = {operation.output: operation for operation in program.operations}
    weighted = [operation for operation in program.operations if operation.kind in _WEIGHTED]
    weights = [_weight(operation, by_output, package) for operation in weighted]
    numbers = [_numbers(weight) for weight in weights]  # those of 4 bits have a byte each
    are_codes = [weight.kind in (_INT8_WEIGHT, _INT4_WEIGHT) for weight in weights]
    int8_bytes = sum(array.nbytes for array, is_codes in zip(numbers, are_codes, strict=True) if is_codes)
    all_bytes = sum(array.nbytes for array in numbers)
    return Structure(
        operators=dict(Counter(operation.kind for operation in program.operations if operation.kind != "const")),
        partitions=1,
        not_delegated=(),
        int8_weight_share=int8_bytes / all_bytes if all_bytes else 0.0,
        float_convolutions=sum(
            operation.kind == "conv" and not is_codes for operation, is_codes in zip(weighted, are_codes, strict=True)
        ),
        bytes_by_part={
            "weights": sum(
                (array.size + 1) // 2 if weight.kind == _INT4_WEIGHT else array.nbytes
                for array, weight in zip(numbers, weights, strict=True)
            ),
            "biases": sum(np.asarray(operation.values.get("bias", ())).nbytes for operation in weighted),
            "factors": sum(_factor_bytes(operation) for operation in program.operations),
            "structure": program.structure_bytes,
        },
    )


def _weight(operation: MilOperation, by_output: dict[str, MilOperation], package: Path) -> MilOperation:
    """Returns the operation with a convolution's weight: a constexpr, or the convolution itself for a constant."""
    if "weight" in operation.values:
        return operation
    if "weight" not in operation.arguments:
        raise damaged(package, f"a {operation.kind} ({operation.output}) without a weight")
    return by_output[operation.arguments["weight"][0]]


def _factor_bytes(operation: MilOperation) -> int:
    """Returns the bytes of what brings sums of products to steps of the next tensor: factors, or a channel's scales."""
    name = {"mul": "y", "quantize": "scale"}.get(operation.kind, "")
    numbers = np.asarray(operation.values.get(name, ()))
    return numbers.nbytes if operation.kind == "mul" or numbers.ndim else 0


def _numbers(weight: MilOperation) -> NDArray[Any]:
    for name in ("quantized_data", "data", "weight"):
        if name in weight.values:
            return np.asarray(weight.values[name])
    return np.empty(0)
