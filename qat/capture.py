"""Captures any net made of the supported operators: `torch.export`'s graph, every node read as a `Step`.

Convolutions and linear layers take their batch norm and the padding before them in; dropout stays switchable. Whatever
no integer operator stands for is refused with its module path.
"""

import torch
from torch import fx, nn

from mobile_sdk.errors import CaptureError
from qat import channel_readers, operator_readers, weighted_readers
from qat.rewriter import STEP, Rewriter, unsupported
from qat.steps import Kind

_READERS = (
    weighted_readers.READERS | operator_readers.READERS | channel_readers.READERS
)  # by the name of PyTorch's operator


def capture(net: nn.Module, size_px: int) -> fx.GraphModule:
    """The net as a graph whose every computing node has a `Step` under `meta["step"]`; parameters are copies.

    Inputs are float (N, 3, size_px, size_px). Raises CaptureError.
    """
    module = _exported(net, size_px)
    rewriter = Rewriter(module)
    for node in list(module.graph.nodes):
        if node.op == "call_function" and node.users:
            _read(rewriter, node)
    _flatten_output(module.graph, size_px)
    for node in reversed(module.graph.nodes):
        if node.op in ("placeholder", "output"):
            continue
        if not node.users:
            module.graph.erase_node(node)
        elif STEP not in node.meta:
            raise unsupported(node)
    module.graph.set_codegen(fx.graph.CodeGen())  # one tensor in, one out: no pytrees
    captured = fx.GraphModule(rewriter.layers, module.graph)
    for parameter in captured.parameters():
        parameter.requires_grad_(True)
    return captured


def _exported(net: nn.Module, size_px: int) -> fx.GraphModule:
    was_training = net.training
    net.eval()
    try:
        example = torch.zeros(2, 3, size_px, size_px)
        module = torch.export.export(net, (example,), strict=False).module(check_guards=False)
    except Exception as error:  # torch.export fails in many ways: all mean the same to the user
        first_line = str(error).strip().splitlines()[0][:200]
        raise CaptureError(
            f"torch.export cannot capture {type(net).__name__}: {first_line}",
            hint=f"write forward() without branches on data, for pictures (N, 3, {size_px}, {size_px})",
        ) from error
    finally:
        net.train(was_training)
    assert isinstance(module, fx.GraphModule)
    return module


def _read(rewriter: Rewriter, node: fx.Node) -> None:
    name = str(node.target).removeprefix("aten.").removeprefix("qat.").split(".")[0].rstrip("_")
    reader = _READERS.get(name)
    if reader is None:
        raise unsupported(node)
    reader(rewriter, node)


def _flatten_output(graph: fx.Graph, size_px: int) -> None:
    """The net must return one tensor (N, classes), a detector's (N, anchors, columns), or a score a pixel and label."""
    output = next(node for node in graph.nodes if node.op == "output")
    results = output.args[0] if isinstance(output.args[0], list | tuple) else [output.args[0]]
    shape = tuple(results[0].meta["val"].shape) if isinstance(results[0], fx.Node) else ()
    step = results[0].meta.get(STEP) if isinstance(results[0], fx.Node) else None
    is_map = len(shape) == 4 and shape[2:] == (size_px, size_px)
    if len(results) != 1 or not (is_map or len(shape) == (3 if step is not None and step.kind is Kind.BOXES else 2)):
        raise CaptureError(
            f"expected a net that returns one tensor (N, classes), found {len(results)} of shape {shape}",
            hint=f"return the scores alone: flattened, or (N, labels, {size_px}, {size_px}) for every pixel",
        )
    output.args = (results[0],)
