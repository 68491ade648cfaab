"""Lowers the canonical program by ExecuTorch's own flow, to compare the directly written file with."""

import warnings

import torch

from mobile_sdk.graph.operators import Graph
from mobile_sdk.program.aten.writer import to_exported


def lower_by_stock(graph: Graph) -> bytes:
    """Returns the program file that XnnpackPartitioner makes of `graph`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

        config = EdgeCompileConfig(_check_ir_validity=False)
        exported = with_float_biases(to_exported(graph))
        edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()], compile_config=config)
        return bytes(edge.to_executorch().buffer)


def with_float_biases(exported: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """Returns the program with its biases in float32, the only form that ExecuTorch's partitioner takes."""
    buffers = {spec.arg.name: spec.target for spec in exported.graph_signature.input_specs if spec.target}
    for node in list(exported.graph.nodes):
        if node.op == "call_function" and node.args[-1] is torch.int32:
            codes, scales = node.args[:2]
            exact = (
                exported.state_dict[buffers[codes.name]].double() * exported.state_dict[buffers[scales.name]].double()
            )
            exported.state_dict[buffers[codes.name]] = exact.float()
            codes.meta["val"] = node.meta["val"]
            node.replace_all_uses_with(codes)
            exported.graph.erase_node(node)
    unused = [node for node in exported.graph.nodes if node.op == "placeholder" and not node.users]
    for node in unused:
        exported.graph.erase_node(node)
        del exported.state_dict[buffers[node.name]]
    names = {node.name for node in unused}
    specs = exported.graph_signature.input_specs
    specs[:] = [spec for spec in specs if spec.arg.name not in names]
    exported.graph_module.recompile()
    return exported
