"""Writes sums, products and activations."""

import numpy as np

from mobile_sdk.graph.operators import Activation, ActivationKind, Add, Clamp, Mul
from mobile_sdk.runtimes.executorch.node_writer import NodeWriter
from mobile_sdk.runtimes.executorch.operators.table import write
from mobile_sdk.runtimes.shapes import runtime_shape


@write.of(Add, Mul)
def _binary(operator: Add | Mul, file: NodeWriter, inputs: list[int], output: int) -> None:
    kind = "XNNAdd" if isinstance(operator, Add) else "XNNMultiply"
    file.binary(kind, inputs[0], inputs[1], output, operator.clamp)


@write.of(Activation)
def _activation(operator: Activation, file: NodeWriter, inputs: list[int], output: int) -> None:
    source = inputs[0]
    match operator.kind:
        case ActivationKind.RELU:
            file.unary("XNNClamp", source, output, clamp=Clamp.RELU)
        case ActivationKind.RELU6:
            file.unary("XNNClamp", source, output, clamp=Clamp.RELU6)
        case ActivationKind.HARD_SWISH:
            file.unary("XNNHardswish", source, output)
        case ActivationKind.HARD_SIGMOID:  # XNNPACK has none: relu6(x + 3) / 6
            three, sixth = (file.scalar(np.float32(value)) for value in (3.0, 1 / 6))
            shifted = file.value(list(runtime_shape(operator.output.shape)), None)
            file.binary("XNNAdd", source, three, shifted, Clamp.RELU6)
            file.binary("XNNMultiply", shifted, sixth, output)
