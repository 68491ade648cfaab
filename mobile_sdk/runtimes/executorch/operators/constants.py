"""Writes tensors that no picture changes."""

from mobile_sdk.graph.operators import ConstantTensor
from mobile_sdk.runtimes.executorch.node_writer import NodeWriter
from mobile_sdk.runtimes.executorch.operators.table import write
from mobile_sdk.runtimes.shapes import runtime_layout


@write.of(ConstantTensor)
def _constant(operator: ConstantTensor, file: NodeWriter, inputs: list[int], output: int) -> None:
    file.fill(output, runtime_layout(operator.values))
