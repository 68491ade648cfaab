"""Writes a graph as the XNNPACK delegate's own graph, number by number: nothing is traced, partitioned or re-quantized.

ExecuTorch's lowering turns float biases into int32 once more (`operators/quant_params.py`), in float32, and can be one
off; here the integers themselves are written. Activations are NHWC from the first byte, so no transpose is needed, and
the whole net is one delegate. Terms and field names are those of `backends/xnnpack/serialization/schema.fbs`.
"""

from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.executorch.node_writer import Delegate, NodeWriter
from mobile_sdk.runtimes.executorch.operators import (
    boxes,
    channels,
    constants,
    conv,
    conversions,
    elementwise,
    pooling,
    resize,
    tokens,
)
from mobile_sdk.runtimes.executorch.operators.table import write
from mobile_sdk.runtimes.executorch.table_fusion import idle_functions

FAMILIES = (boxes, channels, constants, conv, conversions, elementwise, pooling, resize, tokens)
"""These modules fill `write`."""


def build_delegate(graph: Graph) -> Delegate:
    """Returns every operator of `graph` as nodes; raises CompileError with module path if XNNPACK has none."""
    file = NodeWriter(graph)
    file.idle = idle_functions(graph, elementwise.nodes_of)
    for index, operator in enumerate(graph.operators):
        inputs, output = file.begin(index, operator)
        write[operator](operator, file, inputs, output)
    return file.finish()
