"""Writes the interpolation of maps."""

from mobile_sdk.graph.operators import ResizeBilinear
from mobile_sdk.runtimes.executorch.fields import pair_fields
from mobile_sdk.runtimes.executorch.node_writer import NodeWriter
from mobile_sdk.runtimes.executorch.operators.table import write


@write.of(ResizeBilinear)
def _resize(operator: ResizeBilinear, file: NodeWriter, inputs: list[int], output: int) -> None:
    fields = {"input_id": inputs[0], "output_id": output, "flags": 0, **pair_fields("new", operator.output.shape[1:])}
    file.node("XNNStaticResizeBilinear2D", fields)
