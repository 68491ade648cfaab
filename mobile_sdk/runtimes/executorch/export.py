"""Writes a graph as a `.pte`: one execution plan with one call of the XNNPACK delegate, bytes in, codes out."""

from mobile_sdk.errors import CompileError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.executorch.delegate_blob import encode_blob
from mobile_sdk.runtimes.executorch.pte_file import parse_pte, write_pte
from mobile_sdk.runtimes.executorch.readback import differences
from mobile_sdk.runtimes.executorch.requested import request


def write_model(graph: Graph) -> bytes:
    """Returns the `.pte` of `graph`, read back and found to be as requested.

    Raises CompileError if XNNPACK has no operator for one of the graph's or would refuse it, or if anything differs.
    """
    requested = request(graph)
    data = write_pte(requested.plan, encode_blob(requested.delegate.graph), requested.named)
    for difference in differences(requested, parse_pte(data)):
        raise CompileError(difference, hint="report this as a bug")
    return data
