"""The graph's tensors as a TFLite model has them, and the refusal of an operator that it cannot express."""

import numpy as np

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import Operator, Tensor
from mobile_sdk.runtimes.shapes import runtime_shape
from mobile_sdk.runtimes.tflite.writer import Writer


def declare(writer: Writer, tensor: Tensor) -> None:
    """Declares a tensor of the graph under its own name, on its own grid."""
    shape, grid = runtime_shape(tensor.shape), tensor.quantization
    dtype = np.dtype(np.float32 if grid is None else np.int8)
    writer.activation(tensor.name, shape, dtype, *((grid.scale, grid.zero_point) if grid else ()))


def refusal(operator: Operator, why: str) -> CompileError:
    """What to raise where `operator`, for the reason `why`, has no counterpart."""
    kind = type(operator).__name__
    return CompileError(f"{kind} at {operator.path} {why}", hint="change that module, or export to another runtime")
