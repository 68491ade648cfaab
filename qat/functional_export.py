"""`torch.export`'s graph of a net without writes: what an in-place operator or a write through a view changes is new.

`run_decompositions({})` makes the graph functional: `x[:, :8] = y` becomes a `slice_scatter` that gives a new tensor.
It would drop dropout, which does nothing in eval(), so an operator of our own stands for it.
"""

import warnings

import torch
from torch import Tensor, fx, nn

from mobile_sdk.errors import CaptureError
from qat.rewriter import name_of, path_of

aten = torch.ops.aten


def exported(net: nn.Module, size_px: int) -> tuple[fx.GraphModule, list[str]]:
    """Returns the graph of `net` in eval() for float pictures (2, 3, size_px, size_px); no operator in it writes.

    Beside it, the paths of the modules whose dropout is on in eval(), which the graph does not draw. Raises
    CaptureError where `torch.export` fails.
    """
    was_training = net.training
    net.eval()
    try:
        example = torch.zeros(2, 3, size_px, size_px)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's, of its own modules and of weights that forward() computes
            program = torch.export.export(net, (example,), strict=False)
            always_on = _keep_dropout(program.graph)
            module = program.run_decompositions({}).module(check_guards=False)
    except Exception as error:  # torch.export fails in many ways: all mean the same to the user
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise CaptureError(
            f"torch.export cannot capture {type(net).__name__}: {lines[0][:200]}",
            hint=f"write forward() without branches on data, for pictures (N, 3, {size_px}, {size_px})",
        ) from error
    finally:
        net.train(was_training)
    assert isinstance(module, fx.GraphModule)
    _take_first_outputs(module.graph)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module, always_on


def _keep_dropout(graph: fx.Graph) -> list[str]:
    """Puts `qat.dropout` in the place of PyTorch's dropout, in place or not; returns where it is on in eval()."""
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


def _take_first_outputs(graph: fx.Graph) -> None:
    """Makes the first of an operator's outputs its only one, where the net reads no other."""
    for node in [node for node in graph.nodes if node.target in _FIRST_OF_MANY]:
        for reader in [reader for reader in node.users if not reader.users]:
            graph.erase_node(reader)
        if all(reader.args[1] == 0 for reader in node.users):
            node.meta["val"] = node.meta["val"][0]
            for reader in list(node.users):
                reader.replace_all_uses_with(node)
                graph.erase_node(reader)


_FIRST_OF_MANY = (
    aten._native_batch_norm_legit_no_training.default,
    aten.adaptive_max_pool2d.default,
    aten.max.dim,
)


def _dropout(x: Tensor, share: float, whole_channels: bool) -> Tensor:
    return x.clone()


_LIBRARY = torch.library.Library("qat", "FRAGMENT")  # type: ignore[no-untyped-call]
_LIBRARY.define("dropout(Tensor x, float share, bool whole_channels) -> Tensor")  # type: ignore[no-untyped-call]
_LIBRARY.impl("dropout", _dropout, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
