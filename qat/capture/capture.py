"""Captures any net of supported operators by `torch.export`, and reads every node of its graph as a `Step`.

Convolutions and linear layers absorb their batch norm and the padding before them, and linear branches that are summed
become one; dropout stays switchable. All operators without an integer counterpart are refused at once, with their
module paths. The captured net is compared with the net, in float.
"""

from torch import Tensor, fx, nn

from mobile_sdk.errors import CaptureError
from qat.capture.branch_fusion import fuse_branches
from qat.capture.check import check_capture, made_up_batch
from qat.capture.constant_folding import fold_constants
from qat.capture.functional_export import Shape, exported, net_shape
from qat.capture.left_out import leave_out_last_activations, random_dropout
from qat.capture.net_copy import is_reparameterisable, reparameterised
from qat.capture.outputs import Returned, take_outputs
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
from qat.capture.rewriter import Rewriter, name_of, path_of, unsupported
from qat.capture.rewriting import rewrite
from qat.layers.weighted import Weighted, in_float
from qat.steps import STEP

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
RETURNED = "returned"  # the key of what the net itself returned
OUTPUT_NAMES = "output_names"  # the key of its outputs' names; scores alone have none


def capture(
    net: nn.Module, shape: Shape | int, batch: Tensor | None = None, *, any_outputs: bool = False
) -> fx.GraphModule:
    """Returns the net as a graph whose every computing node has a `Step` under `meta["step"]`; parameters are copies.

    Inputs are float (N, *shape); a number is the side of square RGB pictures. It returns one tensor of scores; with
    `any_outputs`, a tensor of any shape, or a tuple of several, whose names are in the graph's meta. Blocks with a
    method `reparameterised()` are taken in the form that it returns. Both nets are compared on `batch`, or on made-up
    inputs. Raises CaptureError.
    """
    shape = net_shape(shape)
    module, always_on, returned = exported(reparameterised(net) if is_reparameterisable(net) else net, shape)
    left_out = (*map(random_dropout, always_on), *leave_out_last_activations(module.graph, keep_sigmoid=any_outputs))
    fold_constants(module)
    rewrite(module.graph)
    fold_constants(module)
    fold_uneven_pools(module)
    slice_writes.simplify_writes(module.graph)
    captured = _read(module, shape, returned, any_outputs=any_outputs)
    captured.meta[LEFT_OUT] = left_out
    captured.meta[RETURNED] = returned
    captured.meta[OUTPUT_NAMES] = returned.names if any_outputs else ()
    for parameter in captured.parameters():
        parameter.requires_grad_(True)
    _check_weights(captured)
    check_capture(net, in_float(captured).eval(), left_out, made_up_batch(shape) if batch is None else batch)
    return captured


def _read(module: fx.GraphModule, shape: Shape, returned: Returned, *, any_outputs: bool) -> fx.GraphModule:
    rewriter, refusals = Rewriter(module), Refusals()
    for node in list(module.graph.nodes):
        if node.op == "call_function" and node.users:
            with refusals.collecting(node):
                reader = _READERS.get(name_of(node))
                if reader is None:
                    raise unsupported(node)
                reader(rewriter, node)
    with refusals.collecting_last():
        take_outputs(rewriter, returned, None if any_outputs else shape)
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
    module.graph.set_codegen(fx.graph.CodeGen())  # there is one input, and tensors are returned: no pytrees
    return fx.GraphModule(rewriter.layers, module.graph)


def _check_weights(captured: fx.GraphModule) -> None:
    """Raises CaptureError if a layer's weights times its batch norm's gain exceed float32."""
    for node in captured.graph.nodes:
        layer = captured.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, Weighted) and not all(term.isfinite().all() for term in layer.folded()):
            raise CaptureError(
                f"expected finite weights in {path_of(node)}, found infinite ones once its batch norm is folded in",
                hint="load weights of a training that did not diverge",
            )
