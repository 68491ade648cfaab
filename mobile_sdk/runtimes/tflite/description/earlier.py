"""Compares files that the SDK wrote before December 2026: a graph, and nothing beside it.

They have no signature, no metadata and no labels, their only output is called by the net's last module, and versions of
operators were the writer's own. What they compute is compared as in any other file.
"""

from typing import Any

from mobile_sdk.graph.operators import Graph


def is_earlier(model: dict[str, Any], labels: bytes) -> bool:
    """Tells whether a file that was read holds a graph alone."""
    return not (labels or model["metadata"] or model["signature_defs"])


def without_description(model: dict[str, Any], graph: Graph) -> dict[str, Any]:
    """Returns a file of today as it was written then."""
    held = {entry["buffer"] for entry in model["metadata"]}
    (subgraph,) = model["subgraphs"]
    tensors = [dict(tensor) for tensor in subgraph["tensors"]]
    if not graph.heads:
        tensors[subgraph["outputs"][0]]["name"] = graph.output.name
    return {
        **model,
        "subgraphs": [{**subgraph, "tensors": tensors}],
        "buffers": [buffer for index, buffer in enumerate(model["buffers"]) if index not in held],
        "metadata": None,
        "signature_defs": None,
    }


def without_versions(model: dict[str, Any]) -> dict[str, Any]:
    """Returns a file whose operators name their kinds themselves, whatever versions are asked for."""
    kinds = [{**code, "version": 1} for code in model["operator_codes"]]
    (subgraph,) = model["subgraphs"]
    operators = [{**each, "opcode_index": kinds[each["opcode_index"]]} for each in subgraph["operators"]]
    return {**model, "operator_codes": None, "subgraphs": [{**subgraph, "operators": operators}]}
