"""Writes a graph's model file: it declares the graph's own tensors and knows which are never negative."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import INT8_MIN, Activation, Clamp, Graph, Operator, Tensor
from mobile_sdk.graph.operators.traits import Values
from mobile_sdk.runtimes.shapes import runtime_shape
from mobile_sdk.runtimes.tflite.writer import Writer

FUSED = {
    Clamp.NONE: schema.ActivationFunctionType.NONE,
    Clamp.RELU: schema.ActivationFunctionType.RELU,
    Clamp.RELU6: schema.ActivationFunctionType.RELU6,
}
"""It maps an operator's clamp to the activation that is fused into the operator."""


class ModelWriter(Writer):
    """Writes one graph. `nonnegative` names the tensors without values below zero for any picture."""

    def __init__(self, graph: Graph, description: str) -> None:
        super().__init__(description)
        self.nonnegative = _nonnegative(graph)

    def declare(self, tensor: Tensor) -> None:
        """Declares a tensor of the graph under its own name, on its own grid."""
        shape, grid = runtime_shape(tensor.shape), tensor.quantization
        dtype = np.dtype(np.float32 if grid is None else np.int8)
        self.activation(tensor.name, shape, dtype, *((grid.scale, grid.zero_point) if grid else ()))


def refusal(operator: Operator, why: str) -> CompileError:
    """Returns the error to raise if LiteRT cannot have `operator`, for the reason `why`."""
    kind = type(operator).__name__
    return CompileError(f"{kind} at {operator.path} {why}", hint="change that module, or export to another runtime")


def _nonnegative(graph: Graph) -> frozenset[str]:
    names: set[str] = set()
    for tensor, operator in [(graph.input, None), *((operator.output, operator) for operator in graph.operators)]:
        if tensor.quantization is not None:
            is_so = tensor.quantization.zero_point == INT8_MIN
        elif isinstance(operator, Activation):
            is_so = operator.kind.is_nonnegative
        elif operator is not None and operator.traits.values in (Values.CHOSEN, Values.BETWEEN):
            is_so = all(operand.name in names for operand in operator.inputs)
        else:
            is_so = getattr(operator, "clamp", Clamp.NONE) is not Clamp.NONE
        if is_so:
            names.add(tensor.name)
    return frozenset(names)
