"""Exports a net by `torch.export` without writes: in-place operators and writes through views return new tensors.

`run_decompositions({})` makes the graph functional: `x[:, :8] = y` becomes a `slice_scatter` that returns a new tensor.
It would drop dropout, which does nothing in eval(), so an operator of our own replaces it.
"""

import keyword
import traceback
import warnings

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mobile_sdk.errors import CaptureError
from qat.capture.outputs import Returned, flat_outputs
from qat.capture.rewriter import BATCHES, name_of, path_of, unsupported

aten = torch.ops.aten


Shape = tuple[int, ...]
"""This is the shape of a net's input without the batch, as (channels, height, width)."""


def net_shape(shape: Shape | int) -> Shape:
    """Returns the shape; a number is the side of a square RGB picture."""
    return (3, shape, shape) if isinstance(shape, int) else shape


def exported(net: nn.Module, shape: Shape) -> tuple[fx.GraphModule, list[str], Returned]:
    """Returns the graph of `net` in eval() for float inputs (2, *shape); no operator in it writes.

    It also returns the paths of the modules whose dropout is on in eval(), which the graph omits, and what the net
    returned: the graph returns its tensors alone. Raises CaptureError if `torch.export` fails.
    """
    was_training = net.training
    net.eval()
    try:
        example = torch.zeros(2, *shape)
        # With gradients, PyTorch forbids some writes to views.
        with warnings.catch_warnings(), torch.no_grad(), flat_outputs(net) as returned:
            warnings.simplefilter("ignore")  # PyTorch warns of its own modules and of weights that forward() computes
            program = torch.export.export(net, (example,), strict=False)
            always_on = _keep_dropout(program.graph)
            module = program.run_decompositions({}).module(check_guards=False)
    except CaptureError:
        raise
    except Exception as error:  # torch.export fails in many ways with one meaning for the user
        raise _refusal(net, error, shape) from error
    finally:
        net.train(was_training)
    assert isinstance(module, fx.GraphModule)
    _note_cumulative_averages(module.graph, net)
    _take_first_outputs(module.graph)
    _fix_instance_norms(module.graph)
    _write_slices(module.graph)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module, always_on, returned


def _refusal(net: nn.Module, error: Exception, shape: Shape) -> CaptureError:
    """Returns the error for a failing `torch.export`: its own message, and the module."""
    if isinstance(error, SyntaxError) and (names := [name for name, _ in net.named_parameters() if _is_odd(name)]):
        return CaptureError(
            f"expected names that Python can read as attributes, found {names[0]!r}",
            hint="give the modules on the way to it names that are no words of Python and hold no quotes",
        )
    for path, module in net.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            return CaptureError(
                f"expected modules of Python, found a compiled one of torch.jit at {path or '<root>'}",
                hint="give the module that torch.jit.script or torch.jit.trace was called on",
            )
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return CaptureError(
        f"torch.export cannot capture {_place_of(error, net)}: {lines[0][:200]}",
        hint=f"write forward() without branches on data, for inputs (N, {', '.join(map(str, shape))})",
    )


def _is_odd(name: str) -> bool:
    """Returns whether the code that `torch.fx` writes for a tensor of this name is no Python."""
    return not name.isprintable() or '"' in name or any(map(keyword.iskeyword, name.split(".")))


def _place_of(error: Exception, net: nn.Module) -> str:
    """Returns class and path of the innermost module of `net` whose forward() was running when `error` was raised."""
    paths = {id(module): path for path, module in net.named_modules()}
    running = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    place = [module for module in running if id(module) in paths][-1:] or [net]
    path = paths[id(place[0])]
    return f"{type(place[0]).__name__} at {path}" if path else type(net).__name__


def _keep_dropout(graph: fx.Graph) -> list[str]:
    """Replaces PyTorch's dropout, in place or not, by `qat.dropout`; returns where it is on in eval()."""
    always_on = []
    for node in graph.nodes:
        name = name_of(node)
        if node.op != "call_function" or name not in ("dropout", "feature_dropout"):
            continue
        source, share, is_on = node.args
        if is_on:
            always_on.append(path_of(node))
        node.target = torch.ops.qat.dropout.default
        node.args = (source, share, name == "feature_dropout")
    return always_on


def _note_cumulative_averages(graph: fx.Graph, net: nn.Module) -> None:
    """Stores, at batch norms without a momentum, the number of batches they averaged.

    The graph takes None as a momentum of 0.
    """
    modules = dict(net.named_modules(remove_duplicate=False))
    for node in graph.find_nodes(op="call_function", target=aten._native_batch_norm_legit_no_training.default):
        module = modules.get(path_of(node))
        if isinstance(module, _BatchNorm) and module.momentum is None and module.num_batches_tracked is not None:
            node.meta[BATCHES] = module.num_batches_tracked.clone()


def _take_first_outputs(graph: fx.Graph) -> None:
    """Makes the first of an operator's outputs its only one; raises CaptureError if the net reads another."""
    for node in [node for node in graph.nodes if node.target in _FIRST_OF_MANY]:
        for reader in [reader for reader in node.users if not reader.users]:
            graph.erase_node(reader)
        if not all(reader.args[1] == 0 for reader in node.users):
            raise unsupported(node, "whose second output is read")
        node.meta["val"] = node.meta["val"][0]
        for reader in list(node.users):
            reader.replace_all_uses_with(node)
            graph.erase_node(reader)


def _fix_instance_norms(graph: fx.Graph) -> None:
    """Makes an instance norm that has statistics of its training a batch norm, which computes the same from them."""
    for node in graph.find_nodes(op="call_function", target=aten.instance_norm.default):
        *given, takes_own, momentum, epsilon, _ = node.args
        if not takes_own:
            node.target, node.args = aten._native_batch_norm_legit_no_training.default, (*given, momentum, epsilon)


def _write_slices(graph: fx.Graph) -> None:
    """Makes `x[:, 2] = y`, which writes one index, a write into a slice of one."""
    for node in graph.find_nodes(op="call_function", target=aten.select_scatter.default):
        base, written, axis, index = node.args
        with graph.inserting_before(node):
            slice_ = graph.call_function(aten.unsqueeze.default, (written, axis))
        slice_.meta = {**node.meta, "val": written.meta["val"].unsqueeze(axis)}
        first = index % base.meta["val"].shape[axis]
        node.target, node.args = aten.slice_scatter.default, (base, slice_, axis, first, first + 1)


_FIRST_OF_MANY = (
    aten._native_batch_norm_legit_no_training.default,
    aten.adaptive_max_pool2d.default,
    aten.max.dim,
    aten.min.dim,
)


def _dropout(x: Tensor, share: float, whole_channels: bool) -> Tensor:
    return x.clone()


_LIBRARY = torch.library.Library("qat", "FRAGMENT")  # type: ignore[no-untyped-call]
_LIBRARY.define("dropout(Tensor x, float share, bool whole_channels) -> Tensor")  # type: ignore[no-untyped-call]
_LIBRARY.impl("dropout", _dropout, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
