"""Writes the interpolation of maps."""

from mobile_sdk.graph.operators import ResizeBilinear
from mobile_sdk.runtimes.executorch.fields import pair_fields
from mobile_sdk.runtimes.executorch.node_writer import NodeWriter
from mobile_sdk.runtimes.executorch.operators.table import write

ALIGN_CORNERS = 0x8  # XNN_FLAG_ALIGN_CORNERS


@write.of(ResizeBilinear)
def _resize(operator: ResizeBilinear, file: NodeWriter, inputs: list[int], output: int) -> None:
    flags = ALIGN_CORNERS if operator.align_corners else 0
    size = pair_fields("new", operator.output.shape[1:])
    fields = {"input_id": inputs[0], "output_id": output, "flags": flags, **size}
    file.node("XNNStaticResizeBilinear2D", fields)
