"""Writes a graph as a TFLite model, and reads it back before it counts."""

from mobile_sdk.contract import Contract
from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.tflite.description.labels_archive import appended
from mobile_sdk.runtimes.tflite.file_format import from_bytes, to_bytes
from mobile_sdk.runtimes.tflite.interface import USUAL, Form
from mobile_sdk.runtimes.tflite.readback import differences
from mobile_sdk.runtimes.tflite.requested import request


def write_model(graph: Graph, contract: Contract, form: Form = USUAL) -> bytes:
    """Returns the model file's bytes, read back and found to be as requested, with the labels behind them.

    Raises CompileError with a module path for anything that TFLite cannot express, XNNPACK refuses, or the file has
    otherwise.
    """
    requested = request(graph, contract, form)
    data = to_bytes(requested)
    for difference in differences(form.computed(graph), requested, from_bytes(data)):
        raise CompileError(difference, hint="report this as a bug")
    return appended(data, contract.labels)
