"""Captures any net of supported operators by `torch.export`, and reads every node of its graph as a `Step`.

Convolutions and linear layers absorb their batch norm and the padding before them, and linear branches that are summed
become one; dropout stays switchable. All
operators without an integer counterpart are refused at once, with their module paths. The captured net is compared with
the net, in float.
"""

from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from mobile_sdk.arguments import described
from mobile_sdk.errors import CaptureError
from qat.capture.branch_fusion import fuse_branches
from qat.capture.check import check_capture, made_up_batch
from qat.capture.constant_folding import fold_constants
from qat.capture.functional_export import Shape, exported, net_shape
from qat.capture.left_out import leave_out_last_activations, random_dropout
from qat.capture.pool_folding import fold_uneven_pools
from qat.capture.readers import (
    activations,
    arithmetic,
    functions,
    moves,
    padding,
    pooling,
    positions,
    shapes,
    slice_writes,
    tokens,
    weighted,
)
from qat.capture.refusals import Refusals
from qat.capture.rewriter import Rewriter, name_of, path_of, shape_of, unsupported
from qat.capture.rewriting import rewrite
from qat.layers.weighted import Weighted, in_float
from qat.steps import STEP, Kind

_READERS = (  # by the name of PyTorch's operator
    weighted.READERS
    | activations.READERS
    | functions.READERS
    | arithmetic.READERS
    | pooling.READERS
    | shapes.READERS
    | moves.READERS
    | positions.READERS
    | padding.READERS
    | slice_writes.READERS
    | tokens.READERS
)
LEFT_OUT = "left_out"  # the key of the last operators that were left out, in a captured net's meta


def capture(net: nn.Module, shape: Shape | int, batch: Tensor | None = None) -> fx.GraphModule:
    """Returns the net as a graph whose every computing node has a `Step` under `meta["step"]`; parameters are copies.

    Inputs are float (N, *shape); a number is the side of square RGB pictures. Both nets are compared on `batch`, or on
    made-up inputs. Raises CaptureError.
    """
    shape = net_shape(shape)
    module, always_on = exported(net, shape)
    left_out = (*map(random_dropout, always_on), *leave_out_last_activations(module.graph))
    fold_constants(module)
    rewrite(module.graph)
    fold_constants(module)
    fold_uneven_pools(module)
    slice_writes.simplify_writes(module.graph)
    captured = _read(module, shape)
    captured.meta[LEFT_OUT] = left_out
    for parameter in captured.parameters():
        parameter.requires_grad_(True)
    _check_weights(captured)
    check_capture(net, in_float(captured).eval(), left_out, made_up_batch(shape) if batch is None else batch)
    return captured


def _read(module: fx.GraphModule, shape: Shape) -> fx.GraphModule:
    rewriter, refusals = Rewriter(module), Refusals()
    for node in list(module.graph.nodes):
        if node.op == "call_function" and node.users:
            with refusals.collecting(node):
                reader = _READERS.get(name_of(node))
                if reader is None:
                    raise unsupported(node)
                reader(rewriter, node)
    with refusals.collecting_last():
        _take_scores(rewriter, shape)
    for node in reversed(module.graph.nodes):
        if node.op not in ("placeholder", "output") and not node.users:
            module.graph.erase_node(node)
    for node in module.graph.nodes:
        is_constant = node.op == "get_attr" and bool(refusals)  # of what was refused
        if node.op not in ("placeholder", "output") and STEP not in node.meta and not is_constant:
            with refusals.collecting(node):
                raise unsupported(node)
    refusals.check()
    fuse_branches(rewriter)
    module.graph.set_codegen(fx.graph.CodeGen())  # there is one input and one output tensor: no pytrees
    return fx.GraphModule(rewriter.layers, module.graph)


def _take_scores(rewriter: Rewriter, shape: Shape) -> None:
    """Makes the graph return one tensor: (N, classes), a detector's (N, anchors, columns), or pixels' scores.

    Raises CaptureError for another result.
    """
    (output,) = rewriter.graph.find_nodes(op="output")
    results: Any = output.args[0]
    if len(results) != 1 or _structure(rewriter.graph) is not None or not _are_scores(results[0], shape):
        raise CaptureError(
            f"expected a net that returns one tensor (N, classes), found {_result_text(rewriter.graph, results)}",
            hint=f"return the scores alone: flattened{_or_pixels(shape)}",
        )
    (scores,) = output.args = tuple(results)
    if scores.op == "placeholder":  # a node has to compute them
        with rewriter.graph.inserting_before(output):
            product = rewriter.graph.call_function(torch.ops.aten.mul.Tensor, (scores, 1.0))
        product.meta = dict(scores.meta)
        rewriter.mark(product, Kind.SCALE, constant=1.0)
        output.args = (product,)


def _are_scores(scores: Any, input_shape: Shape) -> bool:
    if not isinstance(scores, fx.Node) or scores.op == "get_attr":
        return False
    shape, step = shape_of(scores), scores.meta.get(STEP)
    is_map = len(shape) == 4 and shape[2:] == input_shape[1:]
    return is_map or len(shape) == (3 if step is not None and step.kind is Kind.BOXES else 2)


def _or_pixels(shape: Shape) -> str:
    return f", or (N, labels, {shape[1]}, {shape[2]}) for every pixel" if len(shape) == 3 else ""


def _result_text(graph: fx.Graph, results: Any) -> str:
    """Returns the structure of a net's result, each tensor as its shape."""
    shapes = [shape_of(each) if isinstance(each, fx.Node) else each for each in results]
    structure = _structure(graph)
    if structure is None:
        (result,) = results
        if not isinstance(result, fx.Node):
            return described(result)
        return f"one of shape {shapes[0]}" + (", which no picture changes" if result.op == "get_attr" else "")
    structured = pytree.tree_unflatten(shapes, structure)
    return f"a {type(structured).__name__} of {len(shapes)}, of the shapes {structured}"


def _structure(graph: fx.Graph) -> pytree.TreeSpec | None:
    """Returns the structure of the results, a tuple or a dict; None for a single tensor."""
    codegen = graph._codegen
    spec = codegen.pytree_info.out_spec if isinstance(codegen, fx.graph._PyTreeCodeGen) else None
    return None if spec is None or spec.is_leaf() else spec


def _check_weights(captured: fx.GraphModule) -> None:
    """Raises CaptureError if a layer's weights times its batch norm's gain exceed float32."""
    for node in captured.graph.nodes:
        layer = captured.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, Weighted) and not all(term.isfinite().all() for term in layer.folded()):
            raise CaptureError(
                f"expected finite weights in {path_of(node)}, found infinite ones once its batch norm is folded in",
                hint="load weights of a training that did not diverge",
            )
