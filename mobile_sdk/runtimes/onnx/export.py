"""Writes a graph as an ONNX model, and reads it back before it counts."""

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.onnx.model_file import from_bytes, to_bytes
from mobile_sdk.runtimes.onnx.readback import differences
from mobile_sdk.runtimes.onnx.requested import request


def write_model(graph: Graph, description: str, licence: str | None = None) -> bytes:
    """Returns the model file's bytes, read back and found to be as requested.

    Raises CompileError with a module path for anything that ONNX Runtime cannot have, or that the file has otherwise.
    """
    requested = request(graph, description, licence)
    data = to_bytes(requested)
    for difference in differences(graph, requested, from_bytes(data)):
        raise CompileError(difference, hint="report this as a bug")
    return data
