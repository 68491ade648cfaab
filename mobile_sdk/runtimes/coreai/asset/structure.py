"""Reads a model's content."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.runtimes.base import Structure
from mobile_sdk.runtimes.coreai.asset.contents import read_file
from mobile_sdk.runtimes.coreai.program import CoreAIProgram, Operand, Ref

_CONVOLUTIONS = frozenset({"conv2d", "conv_transpose2d"})
_WEIGHTED = _CONVOLUTIONS | {"batch_matmul"}
_STORED = "blockwise_shift_scale"  # stands between int8 weights and the operation that takes them


def read_structure(path: Path) -> Structure:
    """Returns the content of an `.aimodel` folder. Raises BundleError if it is damaged."""
    program = read_file(path).program
    layers = list(_layers(program))
    weights = [weight for _, weight in layers]
    parts = {"weights": _bytes(weights)}
    parts["structure"] = sum(file.stat().st_size for file in path.iterdir()) - parts["weights"]
    return Structure(
        operators=dict(Counter(operation.kind.removeprefix("broadcasting_") for operation in program.operations)),
        partitions=1,  # on Linux one interpreter computes all of it; a device divides it anew
        not_delegated=(),
        int8_weight_share=_bytes([each for each in weights if each.dtype == np.int8]) / max(_bytes(weights), 1),
        float_convolutions=sum(kind in _CONVOLUTIONS and each.dtype == np.float32 for kind, each in layers),
        bytes_by_part=parts,
    )


def _layers(program: CoreAIProgram) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """Yields the kind and the stored weights of every layer that has weights."""
    for operation in program.operations:
        if operation.kind in _WEIGHTED:
            weight = _stored(program, operation.operands[1])
            if weight is not None:
                yield operation.kind, weight


def _stored(program: CoreAIProgram, operand: Operand) -> NDArray[np.generic] | None:
    if not isinstance(operand, Ref):
        return operand
    before = program.operations[operand.index] if operand.index >= 0 else None
    if before is None or before.kind != _STORED or isinstance(before.operands[0], Ref):
        return None
    return before.operands[0]


def _bytes(constants: list[NDArray[np.generic]]) -> int:
    return sum(each.nbytes for each in constants)
