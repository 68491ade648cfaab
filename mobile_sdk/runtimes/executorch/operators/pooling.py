"""Writes pooling windows, and the mean over a whole map."""

from mobile_sdk.graph.operators import AvgPool2d, MaxPool2d, Mean
from mobile_sdk.runtimes.executorch.fields import pair_fields, window_fields
from mobile_sdk.runtimes.executorch.node_writer import NodeWriter
from mobile_sdk.runtimes.executorch.operators.table import write

KEEP_DIMS = 0x40  # XNN_FLAG_KEEP_DIMS


@write.of(MaxPool2d, AvgPool2d)
def _pool(operator: MaxPool2d | AvgPool2d, file: NodeWriter, inputs: list[int], output: int) -> None:
    kind = "XNNMaxPooling2d" if isinstance(operator, MaxPool2d) else "XNNAvgPooling2d"
    window = {
        **window_fields("padding", operator.padding),
        **pair_fields("pooling", operator.kernel),
        **pair_fields("stride", operator.stride),
        **pair_fields("dilation", (1, 1)),
    }
    file.node(kind, {**window, "input_id": inputs[0], "output_id": output, "flags": KEEP_DIMS})


@write.of(Mean)
def _mean(operator: Mean, file: NodeWriter, inputs: list[int], output: int) -> None:
    flags = KEEP_DIMS if len(operator.output.shape) == 3 else 0
    file.unary("XNNGlobalAvgPooling2d", inputs[0], output, flags=flags)
